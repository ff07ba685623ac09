#include "common/audit_chain.h"

#include <errno.h>
#include <string.h>

#include <fstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/digest.h"
#include "common/errors.h"
#include "common/json.h"
#include "common/status_macros.h"

namespace steer {
namespace {

constexpr absl::string_view kPrevious = ",\"previous\":\"";
constexpr absl::string_view kHash = "\",\"hash\":\"";
constexpr size_t kHexBytes = 64;
// A line holds counts and digests; more is not of ours.
constexpr size_t kMaxLineBytes = 1 << 20;

// Reads one chain over several files.
class Verifier {
 public:
  explicit Verifier(absl::string_view kept_head) : kept_head_(kept_head) {}

  absl::Status ReadFile(const std::string& file) {
    file_ = file;
    number_ = 0;
    std::ifstream in(file, std::ios::binary);
    if (!in) {
      return MakeError(absl::StatusCode::kNotFound, "AUDIT_LOG_MISSING",
                       absl::StrCat("cannot read the audit log '", file, "': ", strerror(errno)));
    }
    std::string line;
    while (std::getline(in, line)) {
      ++number_;
      if (in.eof()) {
        return Fault(number_,
                     "is cut off: the server ended while it wrote it (its next start "
                     "records that), or the file was cut");
      }
      STEER_RETURN_IF_ERROR(ReadLine(line));
    }
    return piece_ ? Broken(number_) : absl::OkStatus();
  }

  absl::StatusOr<AuditReport> Finish() {
    if (!kept_head_.empty() && !seen_kept_) {
      return MakeError(absl::StatusCode::kDataLoss, "AUDIT_LOG_DAMAGED",
                       absl::StrCat("no line has the hash ", kept_head_,
                                    ": lines are missing at the end, or the log was written anew"));
    }
    return report_;
  }

 private:
  absl::Status Fault(int64_t number, absl::string_view what) const {
    return MakeError(absl::StatusCode::kDataLoss, "AUDIT_LOG_DAMAGED",
                     absl::StrCat(file_, ":", number, ": ", what));
  }
  absl::Status Broken(int64_t number) const {
    return Fault(number, "is not as it was written (its hash is not that of its bytes)");
  }

  absl::Status ReadLine(const std::string& line) {
    const absl::optional<AuditLink> link = ReadAuditLink(line);
    if (piece_) {
      // Right only if this line says that it was cut off.
      if (!link || !Declares(line, *piece_)) return Broken(number_ - 1);
      piece_.reset();
      ++report_.torn;
    } else if (!link) {
      piece_ = line;
      return absl::OkStatus();
    }
    if (report_.lines == 0) {
      report_.first = link->previous;
      seen_kept_ = link->previous == kept_head_;
    } else if (link->previous != report_.head) {
      return Fault(number_,
                   "does not follow the line before it: lines are missing, or another "
                   "order was made");
    }
    report_.head = link->hash;
    ++report_.lines;
    seen_kept_ = seen_kept_ || link->hash == kept_head_;
    return absl::OkStatus();
  }

  static bool Declares(const std::string& line, absl::string_view piece) {
    const absl::StatusOr<Json> json = ParseJson(line);
    // An object: a link begins with a brace.
    return json.ok() && json->value("torn_bytes", Json()) == Json(piece.size()) &&
           json->value("torn_sha256", Json()) == Json(Sha256Hex(piece));
  }

  const absl::string_view kept_head_;
  std::string file_;
  int64_t number_ = 0;
  absl::optional<std::string> piece_;  // the line before, if its hash was wrong
  bool seen_kept_ = false;
  AuditReport report_;
};

}  // namespace

std::string SealAuditLine(absl::string_view object, std::string* head) {
  absl::ConsumeSuffix(&object, "}");
  std::string line = absl::StrCat(object, kPrevious, *head);
  // The quote after `previous` belongs to what is hashed.
  *head = Sha256Hex(absl::StrCat(line, "\""));
  absl::StrAppend(&line, kHash, *head, "\"}");
  return line;
}

absl::optional<AuditLink> ReadAuditLink(absl::string_view line) {
  const size_t tail = kPrevious.size() + kHexBytes + kHash.size() + kHexBytes + 2;
  if (line.size() <= tail || line.size() > kMaxLineBytes || line[0] != '{') return absl::nullopt;
  const absl::string_view end = line.substr(line.size() - tail);
  AuditLink link;
  link.previous = std::string(end.substr(kPrevious.size(), kHexBytes));
  link.hash = std::string(end.substr(tail - 2 - kHexBytes, kHexBytes));
  // Rebuilt from its parts, so that no byte of the tail is free.
  if (end != absl::StrCat(kPrevious, link.previous, kHash, link.hash, "\"}") ||
      !IsSha256Hex(link.previous) || !IsSha256Hex(link.hash)) {
    return absl::nullopt;
  }
  const size_t hashed = line.size() - 2 - kHexBytes - kHash.size() + 1;
  if (Sha256Hex(line.substr(0, hashed)) != link.hash) return absl::nullopt;
  return link;
}

std::string TornAuditObject(absl::string_view piece, absl::string_view time) {
  OrderedJson object;
  object["time"] = std::string(time);
  object["torn_bytes"] = piece.size();
  object["torn_sha256"] = Sha256Hex(piece);
  return object.dump();
}

absl::StatusOr<AuditReport> VerifyAudit(const std::vector<std::string>& files,
                                        absl::string_view kept_head) {
  Verifier verifier(kept_head);
  for (const std::string& file : files) STEER_RETURN_IF_ERROR(verifier.ReadFile(file));
  return verifier.Finish();
}

}  // namespace steer
