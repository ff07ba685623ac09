#include "tests/server/steering/run_self.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <map>

namespace steer {
namespace {

std::map<std::string, void (*)()>& Children() {
  static auto* const children = new std::map<std::string, void (*)()>();
  return *children;
}

}  // namespace

Child::Child(const std::string& name, void (*function)()) { Children()[name] = function; }

int RunSelf(const std::string& name, const std::string& failpoints, const std::string& folder) {
  const pid_t child = fork();
  if (child == 0) {
    setenv("STEER_TEST_CHILD", name.c_str(), 1);
    setenv("STEER_FAILPOINTS", failpoints.c_str(), 1);
    setenv("STEER_TEST_FOLDER", folder.c_str(), 1);
    unsetenv("GTEST_OUTPUT");
    execl("/proc/self/exe", "child", static_cast<char*>(nullptr));
    _exit(127);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return status;
}

bool Passed(int status) { return WIFEXITED(status) && WEXITSTATUS(status) == 0; }
bool Killed(int status) { return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL; }

}  // namespace steer

int main(int argc, char** argv) {
  testing::InitGoogleMock(&argc, argv);
  const char* child = getenv("STEER_TEST_CHILD");
  if (child == nullptr) return RUN_ALL_TESTS();
  const auto it = steer::Children().find(child);
  if (it == steer::Children().end()) return 126;
  it->second();
  return testing::UnitTest::GetInstance()->Failed() ? 1 : 0;
}
