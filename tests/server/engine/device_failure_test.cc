// A device that is lost in a step ends every call, and the engine for good.
#include <c10/util/Exception.h>

#include <atomic>

#include <gmock/gmock.h>

#include "common/errors.h"
#include "tests/server/engine/engine_fixture.h"

namespace steer {
namespace {

struct DeviceErrors : EngineObserver {
  void OnDeviceError() override { ++errors; }
  std::atomic<int> errors{0};
};

class DeviceFailure : public EngineTest {
 protected:
  // The device of the engine made here is lost in the first step once `armed_`; `before` is called then.
  std::unique_ptr<Engine> Make(std::function<void(const absl::Status&)> on_fatal,
                               std::function<void()> before) {
    EngineOptions options = engine().options();
    options.on_fatal = std::move(on_fatal);
    options.canary_period = absl::Hours(1);
    options.step_fault = [this, before = std::move(before)](size_t) {
      if (!armed_) return;
      before();
      throw c10::AcceleratorError({"f", "f.cc", 1}, 700, "the device is lost");
    };
    auto made = Engine::Create(options, &store(), &observer_);
    EXPECT_TRUE(made.ok()) << made.status();
    return made.ok() ? *std::move(made) : nullptr;
  }
  static EvaluateJob Job() { return MakeEvaluate(HeldOut(harmful(), 4), {nullptr, Ablate(1)}); }
  static std::shared_ptr<EvaluateCollector> SubmitTo(Engine& engine) {
    auto sink = std::make_shared<EvaluateCollector>();
    EXPECT_TRUE(engine.Submit(Job(), std::make_shared<CallControl>(), sink).ok());
    return sink;
  }
  static void ExpectLost(const absl::Status& status) {
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
    EXPECT_EQ(ReasonOf(status), "DEVICE_FAILED");
    EXPECT_TRUE(RetryDelayOf(status).has_value());
    EXPECT_THAT(std::string(status.message()), testing::HasSubstr("the device is lost"));
  }
  DeviceErrors observer_;
  std::atomic<bool> armed_{false};
};

TEST_F(DeviceFailure, EndsCallsThatRunThatWaitAndThatComeLater) {
  std::atomic<Engine*> lost{nullptr};
  std::shared_ptr<EvaluateCollector> second;
  std::vector<absl::Status> told;
  absl::Notification fatal;
  const auto own = Make(
      [&](const absl::Status& status) {
        told.push_back(status);
        fatal.Notify();
      },
      // It comes in the step that fails, and waits.
      [&] { second = SubmitTo(*lost.load()); });
  ASSERT_NE(own, nullptr);
  lost = own.get();
  armed_ = true;
  const auto first = SubmitTo(*own);
  fatal.WaitForNotification();
  ExpectLost(first->result.status());
  ASSERT_NE(second, nullptr);
  ExpectLost(second->result.status());
  ASSERT_EQ(told.size(), 1u);
  ExpectLost(told[0]);
  ExpectLost(own->health());
  ExpectLost(own->Submit(Job(), std::make_shared<CallControl>(), second));
  EXPECT_EQ(observer_.errors, 1);
}

TEST_F(DeviceFailure, EndsCallsWhereNobodyAsksToBeTold) {
  const auto own = Make(nullptr, [] {});
  ASSERT_NE(own, nullptr);
  armed_ = true;
  const auto sink = SubmitTo(*own);
  sink->done.WaitForNotification();
  ExpectLost(sink->result.status());
}

}  // namespace
}  // namespace steer
