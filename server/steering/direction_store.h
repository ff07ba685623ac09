// Direction sets on disk and in memory. One folder, one safetensors file and one ledger of selected
// prompts a set, each written atomically; what a crash leaves half-written is ignored and removed
// at the next open. Thread-safe. No torch.
#ifndef STEER_SERVER_STEERING_DIRECTION_STORE_H_
#define STEER_SERVER_STEERING_DIRECTION_STORE_H_

#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/span.h"
#include "server/steering/direction_set.h"

namespace steer {

// What the store knows of a set. Get fills the set's tensors but for `states`; List leaves all
// tensors out.
struct StoredSet {
  std::shared_ptr<const DirectionSet> set;
  int64_t stored_bytes = 0;
  bool has_states = false;
  int64_t selected_prompts = 0;
};

struct StoreUsage {
  int64_t sets = 0;
  int64_t bytes = 0;        // of their files
  int64_t free_bytes = -1;  // of the file system; -1: it does not tell
};

class DirectionStore {
 public:
  // Makes the folder if absent; reads every set's metadata and checks its digest. A damaged file is
  // reported through `warnings`, moved aside as "<name>.damaged", and does not stop the start. So
  // is a link: no name leads out of the folder.
  // FAILED_PRECONDITION if another process holds the folder's lock.
  static absl::StatusOr<std::unique_ptr<DirectionStore>> Open(const std::string& folder,
                                                              std::vector<std::string>* warnings);
  ~DirectionStore();

  // Stores a set under set.set_id (which must be IsSha256Hex). An existing set of that id with the
  // same content digest is left as it is, unless its file is damaged or gone, which this mends;
  // with another, ALREADY_EXISTS. INVALID_ARGUMENT for a set that breaks a rule of
  // CheckDirectionSet; as CheckRoom for one set too many. Durable when it returns. Failpoints
  // "store.put.before_rename" and ".after_rename".
  absl::Status Put(const DirectionSet& set);

  // How many sets there may be; those of Open stay, even if they are more. Before other threads
  // use the store. Default: no limit.
  void set_max_sets(int64_t max_sets) { max_sets_ = max_sets; }
  // Bytes of tensors kept in memory, but for those of the set used last; the least recently used are
  // read again when asked for. Before other threads use the store.
  void set_cache_bytes(int64_t cache_bytes) { cache_bytes_ = cache_bytes; }
  // RESOURCE_EXHAUSTED (TOO_MANY_DIRECTIONS) if a set of this id is not there and would be one too
  // many.
  absl::Status CheckRoom(const std::string& set_id) const;

  // NOT_FOUND naming the id; DATA_LOSS if the file no longer matches its digest.
  absl::StatusOr<StoredSet> Get(const std::string& set_id) const;
  // With per-prompt states, read from disk; FAILED_PRECONDITION if the set has none.
  absl::StatusOr<std::shared_ptr<const DirectionSet>> GetWithStates(
      const std::string& set_id) const;

  // Newest first, ties by id; `after` is the id of the last one seen or empty. An unknown `after`
  // is INVALID_ARGUMENT.
  absl::StatusOr<std::vector<StoredSet>> List(const std::string& model_fingerprint,
                                              const std::string& after, size_t limit) const;

  StoreUsage usage() const;

  // NOT_FOUND; FAILED_PRECONDITION (DIRECTION_IN_USE) while a Lease is held.
  absl::Status Delete(const std::string& set_id);

  // Keeps a set from being deleted. Movable.
  class Lease {
   public:
    Lease() = default;
    Lease(Lease&& other) noexcept { *this = std::move(other); }
    Lease& operator=(Lease&& other) noexcept;
    ~Lease();

   private:
    friend class DirectionStore;
    DirectionStore* store_ = nullptr;
    std::string set_id_;
  };
  absl::StatusOr<Lease> Acquire(const std::string& set_id);

  // The split (design.md section 1, "The server keeps the split"). Hashes are PromptHash values.
  // Adds to the set's ledger; durable when it returns; already known hashes cost nothing.
  absl::Status RecordSelected(const std::string& set_id,
                              absl::Span<const std::string> prompt_hashes);
  // FAILED_PRECONDITION (PROMPT_WAS_FITTED_OR_SELECTED_ON), saying how many and the index of the
  // first, never the prompt.
  absl::Status CheckUnseen(const std::string& set_id,
                           absl::Span<const std::string> prompt_hashes) const;

 private:
  struct Entry;
  using EntryPtr = std::shared_ptr<Entry>;
  explicit DirectionStore(std::string folder) : folder_(std::move(folder)) {}
  std::string SetPath(const std::string& set_id) const;
  std::string LedgerPath(const std::string& set_id) const;
  absl::StatusOr<EntryPtr> Find(const std::string& set_id) const ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<EntryPtr> FindLocked(const std::string& set_id) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Reads one file into a new entry; a damaged one is moved aside with a warning.
  void AdoptFile(const std::string& set_id, std::vector<std::string>* warnings)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // The set with its tensors but for states, from the cache or the file.
  absl::StatusOr<std::shared_ptr<const DirectionSet>> Loaded(const EntryPtr& entry) const
      ABSL_LOCKS_EXCLUDED(mutex_);
  void Remember(const EntryPtr& entry, std::shared_ptr<const DirectionSet> set) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::string folder_;
  int64_t max_sets_ = std::numeric_limits<int64_t>::max();
  int64_t cache_bytes_ = int64_t{256} << 20;
  int lock_fd_ = -1;
  // Held while a set's file or ledger is written or removed, so that mutex_ is never held over a
  // disk write, and no set goes away while its ledger is written.
  // Taken before mutex_.
  absl::Mutex files_mutex_;
  mutable absl::Mutex mutex_;
  std::map<std::string, EntryPtr> entries_ ABSL_GUARDED_BY(mutex_);
  mutable int64_t uses_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace steer

#endif  // STEER_SERVER_STEERING_DIRECTION_STORE_H_
