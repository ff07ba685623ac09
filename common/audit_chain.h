// The hash chain of the audit log. A line is one JSON object whose last two fields are the hash of
// the line before it and its own:
//
//   {..., "previous":"<64 hex>","hash":"<64 hex>"}
//
// `hash` is the SHA-256 of the line's bytes before `,"hash"`, so it covers `previous` and with it
// everything before. The first line of a new chain has kAuditChainStart. A file that follows a
// rotated one goes on with its chain.
//
// What it shows: a changed, removed, inserted or reordered line, and a cut inside a line. What no
// chain without a secret can show: lines missing at the end (a shorter chain is a chain), or a whole
// chain written anew. Who keeps a head elsewhere finds both (VerifyAudit's `kept_head`).
#ifndef STEER_COMMON_AUDIT_CHAIN_H_
#define STEER_COMMON_AUDIT_CHAIN_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"

namespace steer {

inline constexpr char kAuditChainStart[] =
    "0000000000000000000000000000000000000000000000000000000000000000";

struct AuditLink {
  std::string previous;
  std::string hash;
};

// `object` is a JSON object on one line, "{...}", with at least one field. The line, without a
// newline; `*head` is the previous hash and becomes this one's.
std::string SealAuditLine(absl::string_view object, std::string* head);

// The link of a line (without its newline) if its own hash is right.
absl::optional<AuditLink> ReadAuditLink(absl::string_view line);

// What stands for a line that a crash or a full disk cut off; it follows the piece in the file.
std::string TornAuditObject(absl::string_view piece, absl::string_view time);

struct AuditReport {
  int64_t lines = 0;
  int64_t torn = 0;   // pieces of cut lines that the server found and recorded
  std::string first;  // `previous` of the first line: kAuditChainStart, or a head of an older file
  std::string head;   // hash of the last line; `first` of what comes next
};

// Reads `files` in the order given as one chain. DATA_LOSS (AUDIT_LOG_DAMAGED) names file and line
// of the first thing that is wrong; if `kept_head` is given, also where no line has that hash.
absl::StatusOr<AuditReport> VerifyAudit(const std::vector<std::string>& files,
                                        absl::string_view kept_head = "");

}  // namespace steer

#endif  // STEER_COMMON_AUDIT_CHAIN_H_
