// The parts of DirectionStore that calls hold or ask about a set: leases, and which prompts it has
// seen.
#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/digest.h"
#include "common/errors.h"
#include "common/status_macros.h"
#include "server/steering/direction_store.h"
#include "server/steering/direction_store_entry.h"
#include "server/steering/ledger.h"

namespace steer {

DirectionStore::Lease& DirectionStore::Lease::operator=(Lease&& other) noexcept {
  std::swap(store_, other.store_);
  std::swap(set_id_, other.set_id_);
  return *this;
}

DirectionStore::Lease::~Lease() {
  if (store_ == nullptr) return;
  absl::MutexLock lock(&store_->mutex_);
  --store_->entries_.at(set_id_)->leases;  // Delete leaves what is leased
}

absl::StatusOr<DirectionStore::Lease> DirectionStore::Acquire(const std::string& set_id) {
  absl::MutexLock lock(&mutex_);
  STEER_ASSIGN_OR_RETURN(const EntryPtr entry, FindLocked(set_id));
  ++entry->leases;
  Lease lease;
  lease.store_ = this;
  lease.set_id_ = set_id;
  return lease;
}

absl::Status DirectionStore::RecordSelected(const std::string& set_id,
                                            absl::Span<const std::string> prompt_hashes) {
  absl::MutexLock files(&files_mutex_);
  STEER_ASSIGN_OR_RETURN(const EntryPtr entry, Find(set_id));
  for (size_t i = 0; i < prompt_hashes.size(); ++i) {
    if (!IsSha256Hex(prompt_hashes[i])) {
      return absl::InvalidArgumentError(absl::StrCat("prompt hash ", i, " is not 64 hex digits"));
    }
  }
  absl::MutexLock lock(&entry->ledger_mutex);
  std::set<std::string> selected = entry->selected;
  selected.insert(prompt_hashes.begin(), prompt_hashes.end());
  if (selected.size() == entry->selected.size()) return absl::OkStatus();
  STEER_RETURN_IF_ERROR(StoreWritten(WriteLedger(LedgerPath(set_id), selected)));
  entry->selected = std::move(selected);
  return absl::OkStatus();
}

absl::Status DirectionStore::CheckUnseen(const std::string& set_id,
                                         absl::Span<const std::string> prompt_hashes) const {
  STEER_ASSIGN_OR_RETURN(const EntryPtr entry, Find(set_id));
  const std::vector<std::string>& fitted = entry->facts->fit_prompt_hashes;
  size_t seen = 0, first = 0;
  absl::MutexLock lock(&entry->ledger_mutex);
  for (size_t i = 0; i < prompt_hashes.size(); ++i) {
    if (!std::binary_search(fitted.begin(), fitted.end(), prompt_hashes[i]) &&
        entry->selected.count(prompt_hashes[i]) == 0) {
      continue;
    }
    if (seen++ == 0) first = i;
  }
  if (seen == 0) return absl::OkStatus();
  return MakeError(absl::StatusCode::kFailedPrecondition, "PROMPT_WAS_FITTED_OR_SELECTED_ON",
                   absl::StrCat(seen, " of ", prompt_hashes.size(), " prompts, the first at index ",
                                first, ", were fitted or selected on with direction set ", set_id,
                                "; a test needs prompts that the set has not seen"));
}

}  // namespace steer
