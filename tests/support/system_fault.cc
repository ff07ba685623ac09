#include "tests/support/system_fault.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace steer {
namespace {

thread_local SystemFault* active = nullptr;

template <typename F>
F Next(const char* name) {
  return reinterpret_cast<F>(dlsym(RTLD_NEXT, name));
}

}  // namespace

SystemFault::SystemFault(const char* call, int error, int after, int times)
    : outer_(active), call_(call), error_(error), after_(after), times_(times) {
  active = this;
}

SystemFault::~SystemFault() { active = outer_; }

// The fault of this call with errno set, or null.
const SystemFault* Strike(const char* call) {
  SystemFault* fault = active;
  while (fault != nullptr && strcmp(fault->call_, call) != 0) fault = fault->outer_;
  if (fault == nullptr) return nullptr;
  if (fault->after_-- > 0 || fault->times_ == 0) return nullptr;
  --fault->times_;
  ++fault->struck_;
  errno = fault->error_;
  return fault;
}

namespace {
// What a call that was struck returns.
int Failure() { return errno == 0 ? 0 : -1; }
}  // namespace
}  // namespace steer

// Parameters and exception specifications are those of the library's headers.
extern "C" {

int close(int fd) {
  static const auto next = steer::Next<int (*)(int)>("close");
  const int result = next(fd);
  return steer::Strike("close") != nullptr ? steer::Failure() : result;
}

int fdatasync(int fd) {
  static const auto next = steer::Next<int (*)(int)>("fdatasync");
  return steer::Strike("fdatasync") != nullptr ? steer::Failure() : next(fd);
}

int fsync(int fd) {
  static const auto next = steer::Next<int (*)(int)>("fsync");
  return steer::Strike("fsync") != nullptr ? steer::Failure() : next(fd);
}

int flock(int fd, int operation) noexcept {
  static const auto next = steer::Next<int (*)(int, int)>("flock");
  return steer::Strike("flock") != nullptr ? steer::Failure() : next(fd, operation);
}

int fstat(int fd, struct stat* facts) noexcept {
  static const auto next = steer::Next<int (*)(int, struct stat*)>("fstat");
  return steer::Strike("fstat") != nullptr ? steer::Failure() : next(fd, facts);
}

int ftruncate(int fd, off_t size) noexcept {
  static const auto next = steer::Next<int (*)(int, off_t)>("ftruncate");
  return steer::Strike("ftruncate") != nullptr ? steer::Failure() : next(fd, size);
}

void* mmap(void* place, size_t size, int protection, int flags, int fd, off_t offset) noexcept {
  static const auto next = steer::Next<void* (*)(void*, size_t, int, int, int, off_t)>("mmap");
  if (steer::Strike("mmap") != nullptr) return MAP_FAILED;
  return next(place, size, protection, flags, fd, offset);
}

ssize_t pwrite(int fd, const void* bytes, size_t size, off_t offset) {
  static const auto next = steer::Next<ssize_t (*)(int, const void*, size_t, off_t)>("pwrite");
  return steer::Strike("pwrite") != nullptr ? steer::Failure() : next(fd, bytes, size, offset);
}

ssize_t read(int fd, void* bytes, size_t size) {
  static const auto next = steer::Next<ssize_t (*)(int, void*, size_t)>("read");
  return steer::Strike("read") != nullptr ? steer::Failure() : next(fd, bytes, size);
}

struct dirent* readdir(DIR* folder) {
  static const auto next = steer::Next<struct dirent* (*)(DIR*)>("readdir");
  return steer::Strike("readdir") != nullptr ? nullptr : next(folder);
}

ssize_t write(int fd, const void* bytes, size_t size) {
  static const auto next = steer::Next<ssize_t (*)(int, const void*, size_t)>("write");
  return steer::Strike("write") != nullptr ? steer::Failure() : next(fd, bytes, size);
}

int RAND_bytes(unsigned char* bytes, int size) {
  static const auto next = steer::Next<int (*)(unsigned char*, int)>("RAND_bytes");
  return steer::Strike("RAND_bytes") != nullptr ? steer::Failure() : next(bytes, size);
}

}  // extern "C"
