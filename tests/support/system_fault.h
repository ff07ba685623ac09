// Calls of the C library that fail inside of a test's own process, as on a sick machine. A program that links this has its calls pass
// through here; without a fault they go on to the library. For faults in the programs themselves see tests/faults/shim.cc.
#ifndef STEER_TESTS_SUPPORT_SYSTEM_FAULT_H_
#define STEER_TESTS_SUPPORT_SYSTEM_FAULT_H_

namespace steer {

// As long as it lives, calls that this thread makes of `call` fail: "close", "fdatasync", "flock", "fstat", "fsync", "ftruncate",
// "mmap", "pwrite", "RAND_bytes", "read", "readdir", "write". Several may live at once, and end in the opposite order.
class SystemFault {
 public:
  // The first `after` calls succeed, then `times` fail with `error` (each further one if negative). error 0: the call does
  // nothing and returns 0. A close that fails closes nonetheless, as Linux does.
  explicit SystemFault(const char* call, int error, int after = 0, int times = 1);
  ~SystemFault();
  SystemFault(const SystemFault&) = delete;
  SystemFault& operator=(const SystemFault&) = delete;
  // How often it struck.
  int struck() const { return struck_; }

 private:
  friend const SystemFault* Strike(const char* call);
  SystemFault* const outer_;
  const char* const call_;
  const int error_;
  int after_;
  int times_;
  int struck_ = 0;
};

}  // namespace steer

#endif  // STEER_TESTS_SUPPORT_SYSTEM_FAULT_H_
