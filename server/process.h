// What steerd asks of its process: OpenMP's environment, signals, the port file.
#ifndef STEER_SERVER_PROCESS_H_
#define STEER_SERVER_PROCESS_H_

#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"

namespace steer {

// libgomp reads OMP_WAIT_POLICY when it is loaded, before main: spinning teams turn small products
// into scheduler quanta beside a busy neighbour. Where it is unset this starts the program anew
// with "passive". Returns if it is set, or if exec fails. First thing in main.
void EnsurePassiveOpenMp(char** argv);

// SIGTERM and SIGINT without handlers: blocked in every thread, received by one of ours.
class SignalWatch {
 public:
  // Before any other thread exists.
  SignalWatch();
  // The first signal from now on ends Wait instead of the process. Before, it exits with 128 + n:
  // no call can be running yet.
  void Arm();
  // Blocks until a signal, or Interrupt (then 0); a second signal exits at once with 128 + n.
  int Wait();
  // Any thread: the process is to end without a signal.
  void Interrupt();

 private:
  [[noreturn]] void Run();
  absl::Mutex mutex_;
  bool armed_ ABSL_GUARDED_BY(mutex_) = false;
  int received_ ABSL_GUARDED_BY(mutex_) = 0;
  bool interrupted_ ABSL_GUARDED_BY(mutex_) = false;
};

// Whether a file may be made there, so that a start fails before a model is loaded. An empty path is none.
absl::Status CheckPortFile(const std::string& path);

// {"grpc_port": ..., "metrics_port": ..., "pid": ...}, atomically. Ports are 0 where there is none.
absl::Status WritePortFile(const std::string& path, int grpc_port, int metrics_port);

}  // namespace steer

#endif  // STEER_SERVER_PROCESS_H_
