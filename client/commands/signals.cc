#include "client/commands/signals.h"

#include <signal.h>
#include <time.h>

#include <atomic>

namespace steer {
namespace {

constexpr int64_t kGraceSeconds = 15;

// Handlers can reach nothing else; lock-free atomics are what they may touch.
std::atomic<int> signals_seen{0};
std::atomic<int64_t> first_seen{0};

int64_t MonotonicSeconds() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec;
}

void OnSignal(int) {
  if (signals_seen.fetch_add(1) == 0) first_seen.store(MonotonicSeconds());
}

}  // namespace

void CatchStopSignals() {
  struct sigaction action = {};
  action.sa_handler = OnSignal;
  action.sa_flags = SA_RESTART;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

int StopSignals() { return signals_seen.load(); }

bool StopNow() { return StopsNow(signals_seen.load(), MonotonicSeconds() - first_seen.load()); }

bool StopsNow(int signals, int64_t seconds) {
  return signals > 1 || (signals == 1 && seconds > kGraceSeconds);
}

}  // namespace steer
