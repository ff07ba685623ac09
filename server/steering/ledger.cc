#include "server/steering/ledger.h"

#include <filesystem>
#include <system_error>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/digest.h"
#include "common/failpoint.h"
#include "common/files.h"
#include "common/status_macros.h"

namespace steer {
namespace {

constexpr char kTitle[] = "steer-selected-prompts-1\n";

std::string Render(const std::set<std::string>& hashes) {
  std::string text = kTitle;
  for (const std::string& hash : hashes) absl::StrAppend(&text, hash, "\n");
  absl::StrAppend(&text, "sha256 ", Sha256Hex(text), "\n");
  return text;
}

}  // namespace

absl::StatusOr<Ledger> ReadLedger(const std::string& path) {
  std::error_code error;
  if (std::filesystem::is_symlink(path, error)) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, ": is a link; the store holds its files itself"));
  }
  auto text = ReadFile(path);
  if (absl::IsNotFound(text.status())) return Ledger{};
  if (!text.ok()) return text.status();
  Ledger ledger;
  for (absl::string_view line : absl::StrSplit(*text, '\n')) {
    if (IsSha256Hex(line)) ledger.hashes.emplace(line);
  }
  ledger.damaged = Render(ledger.hashes) != *text;
  return ledger;
}

absl::Status WriteLedger(const std::string& path, const std::set<std::string>& hashes) {
  STEER_RETURN_IF_ERROR(Failpoint("store.ledger.before_write"));
  STEER_RETURN_IF_ERROR(WriteFileAtomically(path, Render(hashes)));
  return Failpoint("store.ledger.after_write");
}

}  // namespace steer
