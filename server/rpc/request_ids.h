// Which request a request_id stood for (https://google.aip.dev/155): the same id may name only one
// request for as long as it is remembered, whether its reply is still kept or not.
#ifndef STEER_SERVER_RPC_REQUEST_IDS_H_
#define STEER_SERVER_RPC_REQUEST_IDS_H_

#include <deque>
#include <map>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"

namespace steer {

// Thread-safe. Remembers the last kRemembered ids.
class RequestIds {
 public:
  static constexpr size_t kRemembered = 4096;
  // ALREADY_EXISTS (REQUEST_ID_REUSED) if `id` (any case) was claimed with another digest.
  absl::Status Claim(const std::string& id, const std::string& digest);

 private:
  absl::Mutex mutex_;
  std::map<std::string, std::string> digests_ ABSL_GUARDED_BY(mutex_);
  std::deque<std::string> order_ ABSL_GUARDED_BY(mutex_);  // oldest first
};

}  // namespace steer

#endif  // STEER_SERVER_RPC_REQUEST_IDS_H_
