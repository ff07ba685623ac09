// A library to preload into a program under test: calls of the C library that fail as a sick machine makes them fail. Faults come from
// STEER_SHIM, separated by ";", each a list of key=value separated by ",":
//   call    open (for writing), write, fsync (and fdatasync), rename, socket, accept, thread, malloc, clock
//   path    only for files whose path contains this
//   errno   what the call fails with; for write, "short" as well: half of the bytes are written and counted first
//   after   passes that succeed before (for clock: milliseconds; for malloc: the least size in bytes)
//   times   passes that fail, default all
//   seconds for clock: how far the wall clock jumps
// A jump moves the wall clock and waits for a wall-clock time alike, as the kernel's own clock would.
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <atomic>

namespace {

enum Call { kOpen, kWrite, kFsync, kRename, kSocket, kAccept, kThread, kMalloc, kClock, kCalls };
constexpr const char* kNames[kCalls] = {"open",   "write",  "fsync",  "rename", "socket",
                                        "accept", "thread", "malloc", "clock"};

struct Fault {
  int call = -1;
  char path[128] = "";
  int error = EIO;
  bool cut = false;
  long after = 0, times = -1;
  double seconds = 0;
  std::atomic<long> passes{0};
};
constexpr int kMaxFaults = 8;
Fault faults[kMaxFaults];
int fault_count = 0;
// malloc runs before constructors do, and inside of dlsym.
std::atomic<bool> ready{false};
timespec started;

template <typename F>
F Next(const char* name) {
  return reinterpret_cast<F>(dlsym(RTLD_NEXT, name));
}

int RealClock(clockid_t clock, timespec* out) {
  static const auto next = Next<int (*)(clockid_t, timespec*)>("clock_gettime");
  return next(clock, out);
}

__attribute__((constructor)) void Read() {
  const char* text = getenv("STEER_SHIM");
  if (text == nullptr) return;
  static char copy[2048];
  snprintf(copy, sizeof(copy), "%s", text);
  char* outer = nullptr;
  for (char* item = strtok_r(copy, ";", &outer); item != nullptr && fault_count < kMaxFaults;
       item = strtok_r(nullptr, ";", &outer)) {
    Fault& fault = faults[fault_count++];
    char* inner = nullptr;
    for (char* pair = strtok_r(item, ",", &inner); pair != nullptr;
         pair = strtok_r(nullptr, ",", &inner)) {
      char* value = strchr(pair, '=');
      if (value == nullptr) continue;
      *value++ = 0;
      if (strcmp(pair, "call") == 0)
        for (int c = 0; c < kCalls; ++c)
          if (strcmp(value, kNames[c]) == 0) fault.call = c;
      if (strcmp(pair, "path") == 0) snprintf(fault.path, sizeof(fault.path), "%s", value);
      if (strcmp(pair, "errno") == 0) fault.error = atoi(value);
      if (strcmp(pair, "short") == 0) fault.cut = true;
      if (strcmp(pair, "after") == 0) fault.after = atol(value);
      if (strcmp(pair, "times") == 0) fault.times = atol(value);
      if (strcmp(pair, "seconds") == 0) fault.seconds = atof(value);
    }
    if (fault.call < 0) {
      fprintf(stderr, "shim: no such call in STEER_SHIM\n");
      abort();
    }
  }
  RealClock(CLOCK_MONOTONIC, &started);
  ready.store(true, std::memory_order_release);
}

// The fault of this pass, or null.
Fault* Strike(int call, const char* path) {
  if (!ready.load(std::memory_order_acquire)) return nullptr;
  for (int i = 0; i < fault_count; ++i) {
    Fault& fault = faults[i];
    if (fault.call != call) continue;
    if (fault.path[0] != 0 && (path == nullptr || strstr(path, fault.path) == nullptr)) continue;
    const long pass = fault.passes.fetch_add(1);
    if (pass >= fault.after && (fault.times < 0 || pass < fault.after + fault.times)) return &fault;
  }
  return nullptr;
}

bool Watched(int call) {
  if (!ready.load(std::memory_order_acquire)) return false;
  for (int i = 0; i < fault_count; ++i)
    if (faults[i].call == call) return true;
  return false;
}

const char* PathOf(int fd, char* buffer, size_t size) {
  char link[64];
  snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
  const ssize_t n = readlink(link, buffer, size - 1);
  buffer[n < 0 ? 0 : n] = 0;
  return buffer;
}

// Seconds that the wall clock has jumped by now.
double Jump() {
  if (!ready.load(std::memory_order_acquire)) return 0;
  double jump = 0;
  for (int i = 0; i < fault_count; ++i) {
    if (faults[i].call != kClock) continue;
    timespec now;
    RealClock(CLOCK_MONOTONIC, &now);
    const double passed = static_cast<double>(now.tv_sec - started.tv_sec) * 1e3 +
                          static_cast<double>(now.tv_nsec - started.tv_nsec) / 1e6;
    if (passed >= static_cast<double>(faults[i].after)) jump += faults[i].seconds;
  }
  return jump;
}

timespec Shifted(const timespec& time, double seconds) {
  timespec out = time;
  out.tv_sec += static_cast<time_t>(seconds);
  return out;
}

int FailOpen(const char* path, int flags) {
  if ((flags & O_ACCMODE) == O_RDONLY || !Watched(kOpen)) return 0;
  const Fault* fault = Strike(kOpen, path);
  if (fault == nullptr) return 0;
  errno = fault->error;
  return -1;
}

}  // namespace

extern "C" {

int open(const char* path, int flags, ...) {
  va_list list;
  va_start(list, flags);
  const mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(list, mode_t) : 0;
  va_end(list);
  if (FailOpen(path, flags) != 0) return -1;
  return Next<int (*)(const char*, int, ...)>("open")(path, flags, mode);
}

int open64(const char* path, int flags, ...) {
  va_list list;
  va_start(list, flags);
  const mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(list, mode_t) : 0;
  va_end(list);
  if (FailOpen(path, flags) != 0) return -1;
  return Next<int (*)(const char*, int, ...)>("open64")(path, flags, mode);
}

ssize_t write(int fd, const void* data, size_t size) {
  static const auto next = Next<ssize_t (*)(int, const void*, size_t)>("write");
  if (Watched(kWrite)) {
    char buffer[512];
    if (const Fault* fault = Strike(kWrite, PathOf(fd, buffer, sizeof(buffer)))) {
      if (fault->cut) return next(fd, data, size > 1 ? size / 2 : size);
      errno = fault->error;
      return -1;
    }
  }
  return next(fd, data, size);
}

static int Sync(int fd, const char* name) {
  if (Watched(kFsync)) {
    char buffer[512];
    if (const Fault* fault = Strike(kFsync, PathOf(fd, buffer, sizeof(buffer)))) {
      errno = fault->error;
      return -1;
    }
  }
  return Next<int (*)(int)>(name)(fd);
}
int fsync(int fd) { return Sync(fd, "fsync"); }
int fdatasync(int fd) { return Sync(fd, "fdatasync"); }

int rename(const char* from, const char* to) {
  if (Watched(kRename)) {
    if (const Fault* fault = Strike(kRename, to)) {
      errno = fault->error;
      return -1;
    }
  }
  return Next<int (*)(const char*, const char*)>("rename")(from, to);
}

int socket(int domain, int type, int protocol) {
  if (Watched(kSocket) && (domain == AF_INET || domain == AF_INET6)) {
    if (const Fault* fault = Strike(kSocket, nullptr)) {
      errno = fault->error;
      return -1;
    }
  }
  return Next<int (*)(int, int, int)>("socket")(domain, type, protocol);
}

int accept4(int fd, sockaddr* address, socklen_t* size, int flags) {
  if (Watched(kAccept)) {
    if (const Fault* fault = Strike(kAccept, nullptr)) {
      errno = fault->error;
      return -1;
    }
  }
  return Next<int (*)(int, sockaddr*, socklen_t*, int)>("accept4")(fd, address, size, flags);
}

int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*run)(void*),
                   void* argument) {
  if (Watched(kThread)) {
    if (const Fault* fault = Strike(kThread, nullptr)) return fault->error;
  }
  return Next<int (*)(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*)>(
      "pthread_create")(thread, attributes, run, argument);
}

void* __libc_malloc(size_t size);
void* malloc(size_t size) {
  if (ready.load(std::memory_order_acquire)) {
    for (int i = 0; i < fault_count; ++i) {
      Fault& fault = faults[i];
      if (fault.call != kMalloc || static_cast<long>(size) < fault.after) continue;
      const long pass = fault.passes.fetch_add(1);
      if (fault.times < 0 || pass < fault.times) {
        errno = ENOMEM;
        return nullptr;
      }
    }
  }
  return __libc_malloc(size);
}

int clock_gettime(clockid_t clock, timespec* out) {
  const int result = RealClock(clock, out);
  if (result == 0 && clock == CLOCK_REALTIME) *out = Shifted(*out, Jump());
  return result;
}

time_t time(time_t* out) {
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (out != nullptr) *out = now.tv_sec;
  return now.tv_sec;
}

int gettimeofday(timeval* out, void*) {
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  out->tv_sec = now.tv_sec;
  out->tv_usec = now.tv_nsec / 1000;
  return 0;
}

int pthread_cond_timedwait(pthread_cond_t* condition, pthread_mutex_t* mutex,
                           const timespec* until) {
  static const auto next =
      Next<int (*)(pthread_cond_t*, pthread_mutex_t*, const timespec*)>("pthread_cond_timedwait");
  // Times of the monotonic clock are small.
  const bool wall = until->tv_sec > 1000000000;
  const timespec real = wall ? Shifted(*until, -Jump()) : *until;
  return next(condition, mutex, &real);
}

// abseil waits by futex(FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME).
long syscall(long number, ...) {
  va_list list;
  va_start(list, number);
  long a[6];
  for (long& value : a) value = va_arg(list, long);
  va_end(list);
  static const auto next = Next<long (*)(long, ...)>("syscall");
  timespec real;
  if (number == SYS_futex && (a[1] & FUTEX_CLOCK_REALTIME) != 0 && a[3] != 0) {
    real = Shifted(*reinterpret_cast<const timespec*>(a[3]), -Jump());
    a[3] = reinterpret_cast<long>(&real);
  }
  return next(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

}  // extern "C"
