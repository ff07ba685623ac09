// A TCP proxy on loopback between a client and a server, with the faults of a network.
#ifndef STEER_TESTS_FAULTS_PROXY_H_
#define STEER_TESTS_FAULTS_PROXY_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace steer {

enum class NetworkFault {
  kNone,
  kRefuse,     // new connections are reset at once
  kStall,      // nothing moves while this lasts; nothing is lost, as TCP would see to
  kBlackHole,  // connections of this time never move a byte again and are never closed
  kDelay,      // 60 ms a read
  kReset,      // connections are reset, old and new, while this lasts
  kHalfOpen,   // likewise, but the server's bytes still arrive
  kSlow,       // 4 KiB a 20 ms towards the client
};

// Thread-safe.
class Proxy {
 public:
  // Listens on a free port and forwards to `target_port` of loopback.
  explicit Proxy(int target_port);
  ~Proxy();
  Proxy(const Proxy&) = delete;
  Proxy& operator=(const Proxy&) = delete;
  int port() const { return port_; }
  void Set(NetworkFault fault);
  int64_t connections() const { return connections_.load(); }

 private:
  struct Link {
    int client = -1, server = -1;
    std::atomic<bool> dead{false};  // towards the server; both ways for a black hole
    std::atomic<bool> deaf{false};  // towards the client
  };
  void Accept();
  void Forward(std::shared_ptr<Link> link, bool to_client);
  const int target_port_;
  int listener_ = -1, port_ = 0;
  std::atomic<NetworkFault> fault_{NetworkFault::kNone};
  std::atomic<bool> stopping_{false};
  std::atomic<int64_t> connections_{0};
  absl::Mutex mutex_;
  std::vector<std::shared_ptr<Link>> links_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::thread> threads_ ABSL_GUARDED_BY(mutex_);
  std::thread accepting_;
};

}  // namespace steer

#endif  // STEER_TESTS_FAULTS_PROXY_H_
