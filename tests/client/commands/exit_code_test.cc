// How steerctl ends, by what went wrong and who said it.
#include "client/commands/exit_code.h"

#include "absl/status/status.h"
#include "client/commands/signals.h"
#include "common/errors.h"
#include "gtest/gtest.h"

namespace steer {
namespace {

TEST(ExitCode, ByStatusAndSource) {
  const struct {
    absl::Status status;
    int input;   // exit code if it is about what was given
    int server;  // if the server said it
  } cases[] = {
      {absl::OkStatus(), kExitOk, kExitOk},
      {absl::CancelledError("x"), kExitInterrupted, kExitInterrupted},
      {absl::UnavailableError("x"), kExitUnreachable, kExitUnreachable},
      {absl::DeadlineExceededError("x"), kExitUnreachable, kExitUnreachable},
      // Full for now, or beyond what it takes.
      {WithRetryDelay(absl::ResourceExhaustedError("x"), absl::Seconds(1)), kExitUnreachable,
       kExitUnreachable},
      {absl::ResourceExhaustedError("x"), kExitInput, kExitServer},
      {absl::InternalError("x"), kExitFailure, kExitServer},
      {absl::UnknownError("x"), kExitFailure, kExitServer},
      {absl::InvalidArgumentError("x"), kExitInput, kExitServer},
      // A reason says more than a code.
      {MakeError(absl::StatusCode::kInternal, "DISK", "x"), kExitDisk, kExitDisk},
      {MakeError(absl::StatusCode::kUnavailable, "GATEWAY_FAILED", "x"), kExitGateway,
       kExitGateway},
      {MakeError(absl::StatusCode::kInternal, "NEVER_HEARD_OF", "x"), kExitFailure, kExitServer},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(ExitCodeOf(c.status, Source::kInput), c.input) << c.status;
    EXPECT_EQ(ExitCodeOf(c.status, Source::kServer), c.server) << c.status;
  }
}

TEST(StopSignal, TheSecondStopsAtOnceAndTheFirstAfterAWhile) {
  const struct {
    int signals;
    int64_t seconds;
    bool stops;
  } cases[] = {{0, 1000, false}, {1, 0, false}, {1, 15, false}, {1, 16, true}, {2, 0, true}};
  for (const auto& c : cases) {
    EXPECT_EQ(StopsNow(c.signals, c.seconds), c.stops) << c.signals << ", " << c.seconds;
  }
}

}  // namespace
}  // namespace steer
