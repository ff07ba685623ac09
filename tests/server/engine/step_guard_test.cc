// What libtorch and the allocators throw, as a status.
#include "server/engine/step_guard.h"

#include <c10/core/CachingDeviceAllocator.h>
#include <c10/util/Exception.h>

#include <cstdlib>
#include <new>
#include <stdexcept>

#include "common/errors.h"
#include "gmock/gmock.h"
#include "server/engine/cuda_runtime.h"
#include "tests/server/engine/fake_device_allocator.h"

namespace steer {
namespace {

const c10::SourceLocation kHere = {"function", "file", 1};

TEST(StepGuard, EachExceptionHasItsReasonAndNoTraceOfTheStack) {
  struct Case {
    std::function<void()> body;
    absl::StatusCode code;
    const char* reason;
    bool retry;
    const char* said;
  };
  using Code = absl::StatusCode;
  const Case cases[] = {
      {[] {}, Code::kOk, "", false, ""},
      {[] { throw c10::OutOfMemoryError(kHere, "the card is full"); }, Code::kResourceExhausted,
       "OUT_OF_MEMORY", true, "the card is full"},
      // 2: cudaErrorMemoryAllocation. 700: cudaErrorIllegalAddress.
      {[] { throw c10::AcceleratorError(kHere, 2, "no memory"); }, Code::kResourceExhausted,
       "OUT_OF_MEMORY", true, "no memory"},
      {[] { throw c10::AcceleratorError(kHere, 700, "illegal address"); }, Code::kUnavailable,
       "DEVICE_FAILED", true, "illegal address"},
      {[] { throw c10::Error(kHere, "shapes differ"); }, Code::kInternal, "ENGINE_FAILED", false,
       "shapes differ"},
      {[] { throw std::bad_alloc(); }, Code::kResourceExhausted, "OUT_OF_MEMORY", true,
       "the host has no memory"},
      {[] { throw std::runtime_error("odd"); }, Code::kInternal, "ENGINE_FAILED", false, "odd"},
  };
  for (const Case& c : cases) {
    const absl::Status status = GuardStep(c.body);
    EXPECT_EQ(status.code(), c.code) << status;
    EXPECT_EQ(ReasonOf(status), c.reason);
    EXPECT_EQ(RetryDelayOf(status).has_value(), c.retry) << status;
    EXPECT_THAT(std::string(status.message()), testing::HasSubstr(c.said));
    EXPECT_EQ(status.message().find("frame #"), absl::string_view::npos) << status;
    EXPECT_EQ(IsOutOfMemory(status), std::string(c.reason) == "OUT_OF_MEMORY");
    EXPECT_EQ(IsDeviceFailure(status), std::string(c.reason) == "DEVICE_FAILED");
  }
}

// In a program of its own: failpoints are read once.
TEST(StepGuardDeathTest, TheFailpointOfALostDeviceIsItsFailure) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  const auto fails = [] {
    setenv("STEER_FAILPOINTS", "engine.device_error=skip", 1);
    const absl::Status status = GuardStep([] { ThrowFailpoints(1); });
    exit(IsDeviceFailure(status) ? 0 : 1);
  };
  EXPECT_EXIT(fails(), testing::ExitedWithCode(0), "");
}

TEST(StepGuard, EmptiesTheCacheOfADeviceAndOfNoneWithoutHarm) {
  EmptyDeviceCache(/*on_cpu=*/false);  // there is no such allocator
  FakeDeviceAllocator allocator;
  EmptyDeviceCache(/*on_cpu=*/true);
  EXPECT_EQ(allocator.emptied(), 0);
  EmptyDeviceCache(/*on_cpu=*/false);
  EXPECT_EQ(allocator.emptied(), 1);
}

TEST(CudaAllocatorBytes, AreThoseOfTheDevicesAllocatorWhereThereIsOne) {
  EXPECT_FALSE(CudaAllocatorBytes());
  FakeDeviceAllocator allocator;
  const auto bytes = CudaAllocatorBytes();
  ASSERT_TRUE(bytes);
  EXPECT_EQ(bytes->allocated, FakeDeviceAllocator::kAllocated);
  EXPECT_EQ(bytes->reserved, FakeDeviceAllocator::kReserved);
}

}  // namespace
}  // namespace steer
