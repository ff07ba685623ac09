// Sockets on loopback for tests, and an HTTP server as broken as a test wants it.
#ifndef STEER_TESTS_SUPPORT_LOOPBACK_H_
#define STEER_TESTS_SUPPORT_LOOPBACK_H_

#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace steer {

// An HTTP server that answers every request with one status line ("200 OK", further header lines after it),
// or never (""); byte by byte, if `pause` is more than zero. Thread-safe.
class Answerer {
 public:
  explicit Answerer(std::string status_line, absl::Duration pause = absl::ZeroDuration());
  ~Answerer();
  Answerer(const Answerer&) = delete;
  Answerer& operator=(const Answerer&) = delete;
  int port() const { return port_; }
  std::string url() const;
  // Those that were read whole or in part, headers and body; "" for one that is never answered.
  std::vector<std::string> requests() const;
  // The body of the last one.
  std::string last_body() const;

 private:
  void Serve();
  const std::string status_line_;
  const absl::Duration pause_;
  int listener_ = -1, port_ = 0;
  mutable absl::Mutex mutex_;
  std::vector<std::string> requests_ ABSL_GUARDED_BY(mutex_);
  std::vector<int> kept_ ABSL_GUARDED_BY(mutex_);  // never answered
  std::thread thread_;
};

// False if the peer is gone.
bool SendAll(int fd, const char* data, size_t size);
// A connection to loopback, or -1.
int Dial(int port);
// The body of GET `path` on loopback; empty if there is no whole answer or its status is not 200.
std::string HttpGet(int port, const std::string& path);
// A port of loopback that was free a moment ago.
int FreePort();
// A listener on a free port of loopback.
int ListenAnywhere(int* port);
// Closes with a reset instead of a farewell.
void CloseHard(int fd);

}  // namespace steer

#endif  // STEER_TESTS_SUPPORT_LOOPBACK_H_
