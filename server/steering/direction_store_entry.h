// What the store holds of one set, and how its files are named. Used by the store's own files alone.
#ifndef STEER_SERVER_STEERING_DIRECTION_STORE_ENTRY_H_
#define STEER_SERVER_STEERING_DIRECTION_STORE_ENTRY_H_

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "server/steering/direction_set_file.h"
#include "server/steering/direction_store.h"

namespace steer {

// `facts`, `stored_bytes` and `has_states` never change. Lock order: store's files_mutex_, entry's
// ledger_mutex, store's mutex_.
struct DirectionStore::Entry {
  std::string set_id;
  std::shared_ptr<const DirectionSet> facts;  // without tensors
  int64_t stored_bytes = 0;
  bool has_states = false;
  int leases = 0;                              // guarded by the store's mutex_
  std::shared_ptr<const DirectionSet> loaded;  // likewise; null if not cached
  int64_t last_use = 0;                        // likewise
  mutable absl::Mutex ledger_mutex;
  std::set<std::string> selected ABSL_GUARDED_BY(ledger_mutex);

  StoredSet Describe(std::shared_ptr<const DirectionSet> set) const {
    absl::MutexLock lock(&ledger_mutex);
    return {std::move(set), stored_bytes, has_states, static_cast<int64_t>(selected.size())};
  }
};

inline constexpr char kSetEnding[] = ".safetensors";
inline constexpr char kLedgerEnding[] = ".selected";
inline constexpr char kDamagedEnding[] = ".damaged";

// The set's facts, for listings.
std::shared_ptr<const DirectionSet> WithoutTensors(const DirectionSet& set);
// OK too if there is no such file.
absl::Status RemoveFile(const std::string& path);
// What a failed write of the store says: FAILED_PRECONDITION (STORE_UNWRITABLE), since a disk that is full, read-only or failing is no
// matter of waiting a second, as RESOURCE_EXHAUSTED would tell a client. OK stays OK.
absl::Status StoreWritten(const absl::Status& written);
// A set's file; errors name it.
absl::StatusOr<ReadSet> ReadSetFile(const std::string& path, StatesUse use);

}  // namespace steer

#endif  // STEER_SERVER_STEERING_DIRECTION_STORE_ENTRY_H_
