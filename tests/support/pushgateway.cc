#include "tests/support/pushgateway.h"

#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/support/loopback.h"

extern char** environ;

namespace steer {
namespace {
constexpr char kProgram[] = "/usr/bin/prometheus-pushgateway";
}  // namespace

bool Pushgateway::Installed() { return access(kProgram, X_OK) == 0; }

Pushgateway::Pushgateway() : port_(FreePort()) {
  std::string address = absl::StrCat("--web.listen-address=127.0.0.1:", port_);
  std::string level = "--log.level=error";
  // Debian's default keeps what was pushed in /var/lib, for every later start.
  std::string memory = "--persistence.file=";
  char* argv[] = {const_cast<char*>(kProgram), address.data(), level.data(), memory.data(),
                  nullptr};
  if (posix_spawn(&pid_, kProgram, nullptr, nullptr, argv, environ) != 0) {
    pid_ = 0;
    return;
  }
  for (int i = 0; i < 600 && !up_; ++i) {
    up_ = !HttpGet(port_, "/-/ready").empty();
    if (!up_) absl::SleepFor(absl::Milliseconds(50));
  }
}

Pushgateway::~Pushgateway() {
  if (pid_ == 0) return;
  kill(pid_, SIGTERM);
  waitpid(pid_, nullptr, 0);
}

std::string Pushgateway::url() const { return absl::StrCat("http://127.0.0.1:", port_); }

}  // namespace steer
