// SIGTERM at seeded moments under many calls: each call ends in a reply or in a status that says
// what to do, one that has begun to be answered ends well, and the program ends in time.
#include <signal.h>

#include <atomic>
#include <cstdlib>
#include <random>
#include <thread>
#include <vector>

#include <gmock/gmock.h>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "client/api/channel.h"
#include "client/api/client.h"
#include "common/errors.h"
#include "tests/integration/scenario.h"

namespace steer {
namespace {

struct Begun : OutcomeSink {
  absl::Status OnOutcome(const v1::Outcome&) override {
    ++outcomes;
    return absl::OkStatus();
  }
  absl::Status OnArm(const v1::ArmResult&) override { return absl::OkStatus(); }
  int outcomes = 0;
};

class Drain : public testing::Test {
 protected:
  static constexpr int kCallers = 8;
  static constexpr int kDrainSeconds = 20;

  void OneMoment(int seed) {
    SCOPED_TRACE(absl::StrCat("STEER_DRAIN_FIRST=", seed, " STEER_DRAIN_MOMENTS=1"));
    std::mt19937 random(static_cast<uint32_t>(seed));
    ASSERT_TRUE(
        scenario_.StartServer({}, {"--threads", "1", "--decode-rows", "4", "--drain-seconds",
                                   absl::StrCat(kDrainSeconds), "--drain-window-seconds", "0.2"}))
        << scenario_.server_log();
    ChannelOptions channel;
    channel.server = scenario_.address();
    ClientOptions once;
    once.patience = absl::ZeroDuration();
    auto model = Client(*OpenChannel(channel), once).GetModel();
    ASSERT_TRUE(model.ok()) << model.status();
    std::vector<std::thread> callers;
    for (int caller = 0; caller < kCallers; ++caller) {
      callers.emplace_back([&, caller] {
        Client client(*OpenChannel(channel), once);
        for (int i = 0; i < 200; ++i) {
          Begun sink;
          absl::Status status = client
                                    .Evaluate(Request(model->model_fingerprint(), caller, i),
                                              Unfinished::kHold, &sink)
                                    .status();
          if (status.ok()) {
            ++ended_well_;
            continue;
          }
          absl::MutexLock lock(&mutex_);
          if (sink.outcomes > 0) wrong_.push_back(absl::StrCat("begun: ", status.ToString()));
          if (status.code() != absl::StatusCode::kUnavailable) wrong_.push_back(status.ToString());
          return;
        }
      });
    }
    absl::SleepFor(absl::Microseconds(std::uniform_int_distribution<int>(0, 700000)(random)));
    const absl::Time start = absl::Now();
    scenario_.server().Signal(SIGTERM);
    const ProcessEnd end = scenario_.server().Wait(absl::Seconds(kDrainSeconds + 1));
    EXPECT_FALSE(end.timed_out);
    EXPECT_EQ(end.exit_code, 0);
    EXPECT_LT(absl::Now() - start, absl::Seconds(kDrainSeconds + 1));
    for (std::thread& caller : callers) caller.join();
    EXPECT_THAT(wrong_, testing::IsEmpty()) << scenario_.server_log();
    EXPECT_THAT(scenario_.server_log(), testing::Not(testing::HasSubstr("were cancelled")));
  }

  static v1::EvaluateRequest Request(const std::string& fingerprint, int caller, int i) {
    v1::EvaluateRequest request;
    request.set_request_id(NewRequestId());
    request.set_expected_model_fingerprint(fingerprint);
    request.set_purpose(v1::PURPOSE_EXPLORE);
    request.set_readout("post-1");
    request.set_decode_full_window(true);
    request.mutable_decoding()->set_max_new_tokens(4 + caller);
    v1::Arm* arm = request.add_arms();
    arm->set_name("baseline");
    for (int p = 0; p < 1 + caller % 3 * 4; ++p) {
      request.add_prompts()->set_user(absl::StrCat("Explain round ladrel ", caller, " ", i, p));
      arm->add_prompts(p);
    }
    return request;
  }

  static int FromEnvironment(const char* name, int otherwise) {
    const char* value = std::getenv(name);
    return value == nullptr ? otherwise : std::atoi(value);
  }

  Scenario scenario_{"default"};
  absl::Mutex mutex_;
  std::vector<std::string> wrong_;
  std::atomic<int> ended_well_{0};
};

TEST_F(Drain, NoAcceptedCallIsLostAtManyMoments) {
  const int first = FromEnvironment("STEER_DRAIN_FIRST", 0);
  const int moments = FromEnvironment("STEER_DRAIN_MOMENTS", 10);
  for (int seed = first; seed < first + moments && !HasFailure(); ++seed) OneMoment(seed);
  EXPECT_GT(ended_well_, 0);
}

class DeviceFailure : public testing::Test {
 protected:
  Scenario scenario_{"default"};
};

TEST_F(DeviceFailure, EndsTheServerWithItsOwnCodeAndTheRunGoesOnAfterARestart) {
  const std::vector<std::string> flags = {"--threads", "1", "--decode-rows", "4"};
  ASSERT_TRUE(scenario_.StartServer({}, flags)) << scenario_.server_log();
  const std::string lock = scenario_.FreezeSmallPlan("small", 12, 4, 6, "[0]");
  ASSERT_FALSE(lock.empty());
  CommandResult clean = scenario_.Ctl(scenario_.RunArguments(lock, scenario_.Path("clean")));
  ASSERT_EQ(clean.end.exit_code, 0) << clean.err;
  EXPECT_THAT(scenario_.Ctl({"doctor", "--output", scenario_.folder()}).out,
              testing::ContainsRegex("weights [0-9]+ MiB . KV arena [0-9]+ MiB"));
  scenario_.StopServer();
  ASSERT_TRUE(scenario_.StartServer({{"STEER_FAILPOINTS", "engine.device_error=skip@60"}}, flags))
      << scenario_.server_log();
  auto run = scenario_.StartCtl(scenario_.RunArguments(lock, scenario_.Path("run")), "run");
  EXPECT_EQ(scenario_.server().Wait(absl::Seconds(60)).exit_code, 70);
  EXPECT_THAT(scenario_.server_log(), testing::HasSubstr("the device is lost, by failpoint"));
  EXPECT_TRUE(run->running()) << MustRead(scenario_.Path("run.err"));
  ASSERT_TRUE(scenario_.StartServer({}, flags)) << scenario_.server_log();
  EXPECT_EQ(run->Wait(absl::Seconds(90)).exit_code, 0) << MustRead(scenario_.Path("run.err"));
  for (const char* name : {"/summary.json", "/verdict.json"}) {
    EXPECT_EQ(MustRead(scenario_.Path("run") + name), MustRead(scenario_.Path("clean") + name));
  }
}

TEST_F(DeviceFailure, AModelWhoseCanaryRowIsWrongNeverServes) {
  EXPECT_FALSE(scenario_.StartServer({{"STEER_FAILPOINTS", "engine.canary=error@2"}}));
  EXPECT_THAT(scenario_.server_log(), testing::HasSubstr("canary row"));
}

TEST_F(DeviceFailure, AModelThatDoesNotFitIsRefusedWithTheArithmetic) {
  EXPECT_FALSE(scenario_.StartServer({}, {"--memory-limit", "100MiB"}));
  for (const char* part : {"does not fit", "KV arena", "work space", "--memory-limit is 100 MiB"}) {
    EXPECT_THAT(scenario_.server_log(), testing::HasSubstr(part));
  }
}

}  // namespace
}  // namespace steer
