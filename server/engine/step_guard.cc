#include "server/engine/step_guard.h"

#include <c10/core/CachingDeviceAllocator.h>
#include <c10/core/InferenceMode.h>
#include <c10/util/Exception.h>
#include <unistd.h>

#include <exception>
#include <new>

#include "common/errors.h"
#include "common/failpoint.h"

namespace steer {
namespace {

absl::Status OutOfMemory(const char* what) {
  return WithRetryDelay(MakeError(absl::StatusCode::kResourceExhausted, "OUT_OF_MEMORY", what),
                        absl::Seconds(5));
}

}  // namespace

absl::Status GuardStep(const std::function<void()>& body) {
  c10::InferenceMode no_autograd;
  try {
    body();
    return absl::OkStatus();
  } catch (const c10::OutOfMemoryError& e) {
    return OutOfMemory(e.what_without_backtrace());
  } catch (const c10::AcceleratorError& e) {
    // cudaErrorMemoryAllocation is the one that does not last.
    if (e.get_error_code() == 2) return OutOfMemory(e.what_without_backtrace());
    return WithRetryDelay(
        MakeError(absl::StatusCode::kUnavailable, "DEVICE_FAILED", e.what_without_backtrace()),
        absl::Seconds(10));
  } catch (const c10::Error& e) {
    return MakeError(absl::StatusCode::kInternal, "ENGINE_FAILED", e.what_without_backtrace());
  } catch (const std::bad_alloc&) {
    return OutOfMemory("the host has no memory for this step");
  } catch (const std::exception& e) {
    return MakeError(absl::StatusCode::kInternal, "ENGINE_FAILED", e.what());
  }
}

void EmptyDeviceCache(bool on_cpu) {
  if (on_cpu) return;
  // A failure here is told by the step that follows.
  (void)GuardStep([] { c10::getDeviceAllocator(c10::DeviceType::CUDA)->emptyCache(); });
}

bool IsOutOfMemory(const absl::Status& status) { return ReasonOf(status) == "OUT_OF_MEMORY"; }

bool IsDeviceFailure(const absl::Status& status) { return ReasonOf(status) == "DEVICE_FAILED"; }

void ThrowFailpoints(size_t rows) {
  if (rows > 1 && FailpointSkips("engine.step_oom")) {
    throw c10::OutOfMemoryError(
        c10::SourceLocation{__func__, __FILE__, static_cast<uint32_t>(__LINE__)},
        "out of memory, by failpoint");
  }
  if (rows > 1 && FailpointSkips("engine.host_oom")) throw std::bad_alloc();
  if (FailpointSkips("engine.hang")) {
    while (true) pause();
  }
  if (FailpointSkips("engine.device_error")) {
    throw c10::AcceleratorError(
        c10::SourceLocation{__func__, __FILE__, static_cast<uint32_t>(__LINE__)}, 700,
        "the device is lost, by failpoint");
  }
}

}  // namespace steer
