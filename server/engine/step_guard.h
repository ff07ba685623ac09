// What libtorch and the allocators throw, as a status. The one place that catches them.
#ifndef STEER_SERVER_ENGINE_STEP_GUARD_H_
#define STEER_SERVER_ENGINE_STEP_GUARD_H_

#include <functional>

#include "absl/status/status.h"

namespace steer {

// Runs `body` without autograd. RESOURCE_EXHAUSTED (OUT_OF_MEMORY) with a retry delay where device
// or host memory is short: everything of `body` is gone when it returns. UNAVAILABLE
// (DEVICE_FAILED) for errors of the device that last until the process ends. INTERNAL
// (ENGINE_FAILED) for the rest. The message never carries a stack trace.
absl::Status GuardStep(const std::function<void()>& body);

// Gives back what libtorch's allocator of the device keeps for later. Nothing on a CPU.
void EmptyDeviceCache(bool on_cpu);

bool IsOutOfMemory(const absl::Status& status);
bool IsDeviceFailure(const absl::Status& status);

// Failpoints "engine.step_oom" (throws as a device's allocator would, for more than one row),
// "engine.host_oom" (as the host's would, likewise), "engine.device_error" (as a lost device would)
// and "engine.hang" (never returns). Call inside GuardStep.
void ThrowFailpoints(size_t rows);

}  // namespace steer

#endif  // STEER_SERVER_ENGINE_STEP_GUARD_H_
