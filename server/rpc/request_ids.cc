#include "server/rpc/request_ids.h"

#include "absl/strings/ascii.h"
#include "common/errors.h"

namespace steer {

absl::Status RequestIds::Claim(const std::string& id, const std::string& digest) {
  const std::string key = absl::AsciiStrToLower(id);
  absl::MutexLock lock(&mutex_);
  auto [entry, added] = digests_.try_emplace(key, digest);
  if (!added) {
    if (entry->second == digest) return absl::OkStatus();
    return MakeError(
        absl::StatusCode::kAlreadyExists, "REQUEST_ID_REUSED",
        absl::StrCat("request_id ", key, " was used for a different request; make a new UUID"));
  }
  order_.push_back(key);
  if (order_.size() > kRemembered) {
    digests_.erase(order_.front());
    order_.pop_front();
  }
  return absl::OkStatus();
}

}  // namespace steer
