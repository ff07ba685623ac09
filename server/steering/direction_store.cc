#include "server/steering/direction_store.h"

#include <sys/statvfs.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/digest.h"
#include "common/errors.h"
#include "common/files.h"
#include "common/status_macros.h"
#include "server/steering/direction_store_entry.h"
#include "server/steering/ledger.h"

namespace steer {
namespace {

int64_t TensorBytes(const DirectionSet& set) {
  return static_cast<int64_t>((set.directions.size() + set.harmful_means.size() +
                               set.harmless_means.size() + set.harmful_mean_norms.size() +
                               set.harmless_mean_norms.size()) *
                              sizeof(float));
}

// The file that was there when the store took it up, or DATA_LOSS: with another content the
// receipts of calls that use the set would name what they did not use.
absl::StatusOr<ReadSet> ReadUnchanged(const std::string& path, const DirectionSet& facts,
                                      StatesUse use) {
  auto read = ReadSetFile(path, use);
  if (!read.ok()) {
    return MakeError(absl::StatusCode::kDataLoss, "STORED_SET_DAMAGED", read.status().message());
  }
  if (read->set.content_digest != facts.content_digest) {
    return MakeError(absl::StatusCode::kDataLoss, "STORED_SET_DAMAGED",
                     absl::StrCat(path, ": replaced while the store was open"));
  }
  return read;
}

}  // namespace

std::string DirectionStore::SetPath(const std::string& set_id) const {
  return absl::StrCat(folder_, "/", set_id, kSetEnding);
}

std::string DirectionStore::LedgerPath(const std::string& set_id) const {
  return absl::StrCat(folder_, "/", set_id, kLedgerEnding);
}

absl::StatusOr<DirectionStore::EntryPtr> DirectionStore::Find(const std::string& set_id) const {
  absl::MutexLock lock(&mutex_);
  return FindLocked(set_id);
}

absl::StatusOr<DirectionStore::EntryPtr> DirectionStore::FindLocked(
    const std::string& set_id) const {
  const auto it = entries_.find(set_id);
  if (it == entries_.end()) {
    return absl::NotFoundError(absl::StrCat("there is no direction set ", set_id.substr(0, 80)));
  }
  return it->second;
}

void DirectionStore::Remember(const EntryPtr& entry,
                              std::shared_ptr<const DirectionSet> set) const {
  entry->loaded = std::move(set);
  entry->last_use = ++uses_;
  int64_t bytes = 0;
  std::vector<EntryPtr> cached;
  for (const auto& item : entries_) {
    if (item.second->loaded == nullptr || item.second == entry) continue;
    cached.push_back(item.second);
    bytes += TensorBytes(*item.second->loaded);
  }
  bytes += TensorBytes(*entry->loaded);
  std::sort(cached.begin(), cached.end(),
            [](const EntryPtr& a, const EntryPtr& b) { return a->last_use < b->last_use; });
  for (size_t i = 0; i < cached.size() && bytes > cache_bytes_; ++i) {
    bytes -= TensorBytes(*cached[i]->loaded);
    cached[i]->loaded = nullptr;
  }
}

absl::StatusOr<std::shared_ptr<const DirectionSet>> DirectionStore::Loaded(
    const EntryPtr& entry) const {
  {
    absl::MutexLock lock(&mutex_);
    if (entry->loaded != nullptr) {
      entry->last_use = ++uses_;
      return entry->loaded;
    }
  }
  STEER_ASSIGN_OR_RETURN(
      ReadSet read, ReadUnchanged(SetPath(entry->set_id), *entry->facts, StatesUse::kCheckOnly));
  auto set = std::make_shared<const DirectionSet>(std::move(read.set));
  absl::MutexLock lock(&mutex_);
  Remember(entry, set);
  return set;
}

absl::Status DirectionStore::CheckRoom(const std::string& set_id) const {
  absl::MutexLock lock(&mutex_);
  if (entries_.count(set_id) > 0 || static_cast<int64_t>(entries_.size()) < max_sets_) {
    return absl::OkStatus();
  }
  // Without a retry delay: room comes from a decision, not from waiting.
  return MakeError(absl::StatusCode::kResourceExhausted, "TOO_MANY_DIRECTIONS",
                   absl::StrCat("the store holds ", entries_.size(), " direction sets and ",
                                max_sets_, " (--max-directions) are allowed; delete some, or ",
                                "start the server with a higher limit"));
}

absl::Status DirectionStore::Put(const DirectionSet& set) {
  if (!IsSha256Hex(set.set_id)) {
    return absl::InvalidArgumentError("set_id: not 64 lower-case hex digits");
  }
  absl::MutexLock files(&files_mutex_);
  const auto existing = Find(set.set_id);
  if (existing.ok()) {
    if ((*existing)->facts->content_digest != set.content_digest) {
      return absl::AlreadyExistsError(
          absl::StrCat("direction set ", set.set_id, " exists with other content (",
                       (*existing)->facts->content_digest, ", not ", set.content_digest, ")"));
    }
    if (ReadSetFile(SetPath(set.set_id), StatesUse::kCheckOnly).ok()) return absl::OkStatus();
  }
  STEER_RETURN_IF_ERROR(CheckRoom(set.set_id));
  DirectionSet stored = set;
  // What is mended keeps its place in listings.
  if (existing.ok()) stored.create_time = (*existing)->facts->create_time;
  STEER_ASSIGN_OR_RETURN(const std::string bytes,
                         SerializeDirectionSet(stored, /*with_states=*/true));
  // A ledger may be there already: that of a set of this id whose file was damaged.
  STEER_ASSIGN_OR_RETURN(Ledger ledger, ReadLedger(LedgerPath(set.set_id)));
  STEER_RETURN_IF_ERROR(StoreWritten(WriteFileAtomically(SetPath(set.set_id), bytes, "store.put")));
  std::vector<float>().swap(stored.states);
  auto loaded = std::make_shared<const DirectionSet>(std::move(stored));
  EntryPtr entry = existing.ok() ? *existing : std::make_shared<Entry>();
  if (!existing.ok()) {
    entry->set_id = set.set_id;
    entry->facts = WithoutTensors(*loaded);
    entry->stored_bytes = static_cast<int64_t>(bytes.size());
    entry->has_states = !set.states.empty();
    absl::MutexLock lock(&entry->ledger_mutex);
    entry->selected = std::move(ledger.hashes);
  }
  absl::MutexLock lock(&mutex_);
  entries_[set.set_id] = entry;
  Remember(entry, std::move(loaded));
  return absl::OkStatus();
}

absl::StatusOr<StoredSet> DirectionStore::Get(const std::string& set_id) const {
  STEER_ASSIGN_OR_RETURN(const EntryPtr entry, Find(set_id));
  STEER_ASSIGN_OR_RETURN(auto set, Loaded(entry));
  return entry->Describe(std::move(set));
}

absl::StatusOr<std::shared_ptr<const DirectionSet>> DirectionStore::GetWithStates(
    const std::string& set_id) const {
  STEER_ASSIGN_OR_RETURN(const EntryPtr entry, Find(set_id));
  if (!entry->has_states) {
    return MakeError(absl::StatusCode::kFailedPrecondition, "STATES_NOT_KEPT",
                     absl::StrCat("direction set ", set_id,
                                  " was stored without per-prompt states; fit it again with them"));
  }
  STEER_ASSIGN_OR_RETURN(ReadSet read,
                         ReadUnchanged(SetPath(set_id), *entry->facts, StatesUse::kLoad));
  return std::make_shared<const DirectionSet>(std::move(read.set));
}

absl::StatusOr<std::vector<StoredSet>> DirectionStore::List(const std::string& model_fingerprint,
                                                            const std::string& after,
                                                            size_t limit) const {
  std::vector<EntryPtr> all;
  {
    absl::MutexLock lock(&mutex_);
    if (!after.empty() && entries_.count(after) == 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("the page starts after direction set ", after.substr(0, 80),
                       ", which is not there; list from the beginning"));
    }
    for (const auto& item : entries_) all.push_back(item.second);
  }
  // entries_ is in the order of ids, so equal times stay so.
  std::stable_sort(all.begin(), all.end(), [](const EntryPtr& a, const EntryPtr& b) {
    return a->facts->create_time > b->facts->create_time;
  });
  bool seen = after.empty();
  std::vector<StoredSet> page;
  for (const EntryPtr& entry : all) {
    if (page.size() == limit) break;
    if (seen &&
        (model_fingerprint.empty() || entry->facts->model_fingerprint == model_fingerprint)) {
      page.push_back(entry->Describe(entry->facts));
    }
    seen = seen || entry->set_id == after;
  }
  return page;
}

StoreUsage DirectionStore::usage() const {
  StoreUsage usage;
  {
    absl::MutexLock lock(&mutex_);
    usage.sets = static_cast<int64_t>(entries_.size());
    for (const auto& [id, entry] : entries_) usage.bytes += entry->stored_bytes;
  }
  struct statvfs system;
  if (statvfs(folder_.c_str(), &system) == 0) {
    usage.free_bytes =
        static_cast<int64_t>(system.f_bavail) * static_cast<int64_t>(system.f_frsize);
  }
  return usage;
}

absl::Status DirectionStore::Delete(const std::string& set_id) {
  absl::MutexLock files(&files_mutex_);
  STEER_ASSIGN_OR_RETURN(const EntryPtr entry, Find(set_id));
  {
    absl::MutexLock lock(&mutex_);
    if (entry->leases > 0) {
      return MakeError(absl::StatusCode::kFailedPrecondition, "DIRECTION_IN_USE",
                       absl::StrCat("direction set ", set_id, " is used by ", entry->leases,
                                    " running calls; try again when they have ended"));
    }
    entries_.erase(set_id);
  }
  // The set first: a ledger without a set is removed at the next Open.
  const absl::Status removed = RemoveFile(SetPath(set_id));
  if (!removed.ok()) {
    absl::MutexLock lock(&mutex_);
    entries_[set_id] = entry;
    return removed;
  }
  STEER_RETURN_IF_ERROR(SyncFolder(folder_));
  STEER_RETURN_IF_ERROR(RemoveFile(LedgerPath(set_id)));
  return SyncFolder(folder_);
}

}  // namespace steer
