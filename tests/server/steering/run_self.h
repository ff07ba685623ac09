// Runs a function of this binary in a child process with failpoints set: they are read once a
// process.
#ifndef STEER_TESTS_SERVER_STEERING_RUN_SELF_H_
#define STEER_TESTS_SERVER_STEERING_RUN_SELF_H_

#include <string>

namespace steer {

// Names a function that children may run; its EXPECTs decide the child's exit code.
//   const Child kPut("put", [] { ... });
class Child {
 public:
  Child(const std::string& name, void (*function)());
};

// Wait status of a child that runs `name`. `folder` is handed to it as environment variable
// STEER_TEST_FOLDER.
int RunSelf(const std::string& name, const std::string& failpoints, const std::string& folder = "");

bool Passed(int status);
bool Killed(int status);

}  // namespace steer

#endif  // STEER_TESTS_SERVER_STEERING_RUN_SELF_H_
