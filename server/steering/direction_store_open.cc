// The part of DirectionStore that finds its folder as the last process left it: what is whole is
// adopted, what a crash cut short is removed, what is damaged is moved aside.
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/digest.h"
#include "common/errors.h"
#include "common/files.h"
#include "common/status_macros.h"
#include "server/steering/direction_store.h"
#include "server/steering/direction_store_entry.h"
#include "server/steering/ledger.h"

namespace steer {
namespace {

namespace fs = std::filesystem;

// Moves a file out of the store's sight. Returns what to tell the operator.
std::string MoveAside(const std::string& path, absl::string_view why) {
  const std::string aside = absl::StrCat(path, kDamagedEnding);
  std::error_code error;
  fs::rename(path, aside, error);
  return error ? absl::StrCat(why, "; it cannot be moved aside: ", error.message())
               : absl::StrCat(why, "; moved aside as ", aside);
}

// Writes a damaged ledger's hashes anew. The damaged file stays in its place until the new one
// stands there: were it moved away first, a write that fails or a crash between the two would leave
// no ledger at all, and the next start would take what was selected on for unseen.
std::string MendLedger(const std::string& path, const std::set<std::string>& hashes) {
  const std::string aside = absl::StrCat(path, kDamagedEnding);
  std::error_code error;
  fs::copy_file(path, aside, fs::copy_options::overwrite_existing, error);
  const absl::Status written = WriteLedger(path, hashes);
  return absl::StrCat(path, ": changed or cut short; the ", hashes.size(),
                      " hashes that can be read are kept",
                      error ? absl::StrCat("; it cannot be copied: ", error.message())
                            : absl::StrCat("; as it was: ", aside),
                      written.ok() ? "" : absl::StrCat("; not mended: ", written.message()));
}

}  // namespace

absl::StatusOr<std::unique_ptr<DirectionStore>> DirectionStore::Open(
    const std::string& folder, std::vector<std::string>* warnings) {
  STEER_RETURN_IF_ERROR(MakeFolders(folder));
  std::unique_ptr<DirectionStore> store(new DirectionStore(folder));
  const std::string lock_path = absl::StrCat(folder, "/.lock");
  store->lock_fd_ = open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
  if (store->lock_fd_ < 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot open ", lock_path));
  }
  if (flock(store->lock_fd_, LOCK_EX | LOCK_NB) != 0) {
    return MakeError(absl::StatusCode::kFailedPrecondition, "STORE_LOCKED",
                     absl::StrCat("another process uses the direction store ", folder,
                                  "; stop it or name another folder"));
  }
  std::error_code error;
  std::vector<std::string> names;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    names.push_back(it->path().filename().string());
  }
  if (error) {
    return absl::ErrnoToStatus(error.value(), absl::StrCat("cannot list ", folder));
  }
  std::sort(names.begin(), names.end());
  for (const std::string& name : names) {
    absl::string_view id = name;
    // A write that a crash cut short.
    if (absl::StrContains(name, ".tmp.") && IsSha256Hex(id.substr(0, 64))) {
      STEER_RETURN_IF_ERROR(RemoveFile(absl::StrCat(folder, "/", name)));
    } else if (absl::ConsumeSuffix(&id, kSetEnding) && IsSha256Hex(id)) {
      store->AdoptFile(std::string(id), warnings);
    }
  }
  for (const std::string& name : names) {
    absl::string_view id = name;
    if (!absl::ConsumeSuffix(&id, kLedgerEnding) || !IsSha256Hex(id)) continue;
    const std::string set_id(id);
    // A crash between the two removals of Delete leaves a ledger without a set. That of a damaged
    // set is kept: fitted again, the set has the same id, and what was selected on with it still
    // counts. So is that of a set that was left out because the ledger cannot be read.
    const std::string path = store->SetPath(set_id);
    if (!fs::exists(path, error) && !fs::exists(absl::StrCat(path, kDamagedEnding), error)) {
      STEER_RETURN_IF_ERROR(RemoveFile(absl::StrCat(folder, "/", name)));
    }
  }
  return store;
}

DirectionStore::~DirectionStore() {
  if (lock_fd_ >= 0) close(lock_fd_);
}

void DirectionStore::AdoptFile(const std::string& set_id, std::vector<std::string>* warnings) {
  const std::string path = SetPath(set_id);
  const auto warn = [warnings](std::string text) {
    if (warnings != nullptr) warnings->push_back(std::move(text));
  };
  std::error_code ignored;
  if (fs::is_symlink(path, ignored)) {
    warn(MoveAside(path, absl::StrCat(path, ": is a link; the store holds its files itself")));
    return;
  }
  auto read = ReadSetFile(path, StatesUse::kCheckOnly);
  if (read.ok() && read->set.set_id != set_id) {
    read = absl::InvalidArgumentError(absl::StrCat(path, ": it holds the set ", read->set.set_id));
  }
  if (!read.ok()) {
    warn(MoveAside(path, read.status().message()));
    return;
  }
  auto entry = std::make_shared<Entry>();
  entry->set_id = set_id;
  entry->facts = WithoutTensors(read->set);
  entry->has_states = read->has_states;
  std::error_code error;
  entry->stored_bytes = static_cast<int64_t>(fs::file_size(path, error));
  auto ledger = ReadLedger(LedgerPath(set_id));
  if (ledger.ok() && ledger->damaged) {
    warn(MendLedger(LedgerPath(set_id), ledger->hashes));
  }
  if (!ledger.ok()) {
    // Without its ledger the set could pass a selected prompt as unseen.
    warn(absl::StrCat(ledger.status().message(), "; direction set ", set_id, " is left out"));
    return;
  }
  {
    absl::MutexLock lock(&entry->ledger_mutex);
    entry->selected = std::move(ledger->hashes);
  }
  absl::MutexLock lock(&mutex_);
  entries_[set_id] = std::move(entry);
}

}  // namespace steer
