#include "server/rpc/tokens_file.h"

#include <openssl/crypto.h>
#include <sys/stat.h>

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/bearer_token.h"
#include "common/digest.h"
#include "common/errors.h"
#include "common/files.h"
#include "common/status_macros.h"
#include "spdlog/spdlog.h"

namespace steer {
namespace {

constexpr int64_t kMaxFileBytes = 1 << 20;
constexpr Role kRoles[] = {Role::kRead, Role::kRun, Role::kAdmin};

std::array<uint8_t, 32> BytesOf(absl::string_view hex) {
  std::array<uint8_t, 32> out = {};
  const std::string bytes = absl::HexStringToBytes(hex);
  std::copy(bytes.begin(), bytes.end(), out.begin());
  return out;
}

// Permissions first: what anybody may have written is not read at all.
absl::StatusOr<std::string> ReadTokens(const std::string& path) {
  struct stat facts = {};
  if (stat(path.c_str(), &facts) == 0 && (facts.st_mode & S_IWOTH) != 0) {
    return MakeError(absl::StatusCode::kFailedPrecondition, "TOKENS_FILE_PERMISSIONS",
                     absl::StrCat("--tokens-file: anyone may write '", path,
                                  "'; take that right away (chmod o-w)"));
  }
  absl::StatusOr<std::string> text = ReadFile(path, kMaxFileBytes);
  if (!text.ok()) return Annotate(text.status(), "--tokens-file");
  return text;
}

}  // namespace

absl::string_view RoleName(Role role) {
  return role == Role::kRead ? "read" : role == Role::kRun ? "run" : "admin";
}

absl::StatusOr<std::vector<TokenEntry>> ParseTokens(absl::string_view text,
                                                    absl::string_view file) {
  std::vector<TokenEntry> entries;
  std::set<std::string> names, digests;
  int number = 0;
  const auto bad = [&](absl::string_view what) {
    return MakeError(absl::StatusCode::kInvalidArgument, "BAD_TOKENS_FILE",
                     absl::StrCat("--tokens-file: ", file, ":", number, ": ", what));
  };
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    absl::ConsumeSuffix(&line, "\r");
    if (line.empty() || line[0] == '#') continue;
    const std::vector<std::string> words = absl::StrSplit(line, ' ');
    if (words.size() != 3) {
      return bad("is not 'ROLE SHA256 NAME' with single spaces");
    }
    TokenEntry entry;
    const auto role = std::find_if(std::begin(kRoles), std::end(kRoles),
                                   [&](Role r) { return words[0] == RoleName(r); });
    if (role == std::end(kRoles)) return bad("the role is not read, run or admin");
    if (!IsSha256Hex(words[1])) {
      return bad(
          "the digest is not 64 lower-case hex digits (it is the token's SHA-256, not the "
          "token)");
    }
    if (!IsTokenName(words[2])) return bad("the name is not 1 to 64 of A-Z a-z 0-9 . _ -");
    if (!digests.insert(words[1]).second) return bad("the same token stands in a line above");
    if (!names.insert(words[2]).second) return bad("the same name stands in a line above");
    entry.role = *role;
    entry.digest = BytesOf(words[1]);
    entry.name = words[2];
    entries.push_back(std::move(entry));
  }
  if (entries.empty()) return bad("the file names no token");
  return entries;
}

const TokenEntry* FindToken(const std::vector<TokenEntry>& entries, absl::string_view token) {
  const std::array<uint8_t, 32> digest = BytesOf(Sha256Hex(token));
  const TokenEntry* found = nullptr;
  for (const TokenEntry& entry : entries) {
    // To the end, whatever has been found.
    if (CRYPTO_memcmp(entry.digest.data(), digest.data(), digest.size()) == 0) found = &entry;
  }
  return found;
}

absl::StatusOr<std::unique_ptr<TokensFile>> TokensFile::Open(const std::string& path) {
  STEER_ASSIGN_OR_RETURN(std::string text, ReadTokens(path));
  STEER_ASSIGN_OR_RETURN(std::vector<TokenEntry> entries, ParseTokens(text, path));
  if (ReadableByOthers(path)) {
    spdlog::warn("tokens file '{}': any user of this machine may read it", path);
  }
  std::unique_ptr<TokensFile> file(new TokensFile(path));
  file->tried_ = std::move(text);
  absl::MutexLock lock(&file->mutex_);
  file->entries_ = std::make_shared<const std::vector<TokenEntry>>(std::move(entries));
  return file;
}

absl::optional<TokenEntry> TokensFile::Find(absl::string_view token) const {
  Entries entries;
  {
    absl::MutexLock lock(&mutex_);
    entries = entries_;
  }
  const TokenEntry* found = FindToken(*entries, token);
  return found == nullptr ? absl::nullopt : absl::optional<TokenEntry>(*found);
}

void TokensFile::Poll() {
  absl::StatusOr<std::string> text = ReadTokens(path_);
  const std::string seen = text.ok() ? *text : std::string(text.status().message());
  if (seen == tried_) return;
  tried_ = seen;
  absl::StatusOr<std::vector<TokenEntry>> entries =
      text.ok() ? ParseTokens(*text, path_) : text.status();
  if (!entries.ok()) {
    spdlog::error("tokens were not read again, those before stay: {}",
                  std::string(entries.status().message()));
    return;
  }
  spdlog::info("tokens read again: {} entries", entries->size());
  absl::MutexLock lock(&mutex_);
  entries_ = std::make_shared<const std::vector<TokenEntry>>(*std::move(entries));
}

}  // namespace steer
