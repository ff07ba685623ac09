#include "server/process.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "common/files.h"
#include "common/json.h"

namespace steer {
namespace {

sigset_t StopSignals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  return set;
}

}  // namespace

void EnsurePassiveOpenMp(char** argv) {
  if (std::getenv("OMP_WAIT_POLICY") != nullptr) return;
  setenv("OMP_WAIT_POLICY", "passive", 1);
  execv("/proc/self/exe", argv);
}

SignalWatch::SignalWatch() {
  const sigset_t set = StopSignals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  // A client that leaves must not end the server.
  signal(SIGPIPE, SIG_IGN);
  // Detached: it waits for signals until the process ends.
  std::thread([this] { Run(); }).detach();
}

void SignalWatch::Run() {
  const sigset_t set = StopSignals();
  while (true) {
    int number = 0;
    sigwait(&set, &number);  // of a set that is right it does not fail
    absl::MutexLock lock(&mutex_);
    if (!armed_ || received_ != 0) _exit(128 + number);
    received_ = number;
  }
}

void SignalWatch::Arm() {
  absl::MutexLock lock(&mutex_);
  armed_ = true;
}

int SignalWatch::Wait() {
  absl::MutexLock lock(&mutex_);
  const auto received = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return received_ != 0 || interrupted_;
  };
  mutex_.Await(absl::Condition(&received));
  return received_;
}

void SignalWatch::Interrupt() {
  absl::MutexLock lock(&mutex_);
  interrupted_ = true;
}

absl::Status CheckPortFile(const std::string& path) {
  if (path.empty()) return absl::OkStatus();
  std::filesystem::path folder = std::filesystem::path(path).parent_path();
  if (folder.empty()) folder = ".";
  if (access(folder.c_str(), W_OK | X_OK) == 0) return absl::OkStatus();
  return absl::ErrnoToStatus(errno,
                             absl::StrCat("--port-file: cannot make a file in ", folder.string()));
}

absl::Status WritePortFile(const std::string& path, int grpc_port, int metrics_port) {
  const Json ports = {{"grpc_port", grpc_port},
                      {"metrics_port", metrics_port},
                      {"pid", static_cast<int>(getpid())}};
  return WriteFileAtomically(path, ports.dump() + "\n");
}

}  // namespace steer
