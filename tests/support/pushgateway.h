// A real Pushgateway as a child process, where Debian's is installed.
#ifndef STEER_TESTS_SUPPORT_PUSHGATEWAY_H_
#define STEER_TESTS_SUPPORT_PUSHGATEWAY_H_

#include <sys/types.h>

#include <string>

namespace steer {

class Pushgateway {
 public:
  // Whether it is installed. A test without it is skipped.
  static bool Installed();
  // Starts one on a free port of loopback, with nothing in it, and waits until it answers.
  Pushgateway();
  ~Pushgateway();
  Pushgateway(const Pushgateway&) = delete;
  Pushgateway& operator=(const Pushgateway&) = delete;
  // False if it did not come up.
  bool up() const { return up_; }
  int port() const { return port_; }
  std::string url() const;

 private:
  pid_t pid_ = 0;
  int port_ = 0;
  bool up_ = false;
};

}  // namespace steer

#endif  // STEER_TESTS_SUPPORT_PUSHGATEWAY_H_
