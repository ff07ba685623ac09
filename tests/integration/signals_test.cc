// SIGTERM and SIGINT to the real programs: the first one ends what is in hand, the second stops at
// once, and neither leaves anything half-written.
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <functional>
#include <thread>
#include <utility>

#include <gmock/gmock.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "client/api/channel.h"
#include "client/api/client.h"
#include "client/commands/exit_code.h"
#include "common/errors.h"
#include "common/files.h"
#include "server/rpc/health_probe.h"
#include "tests/integration/scenario.h"
#include "tests/support/paths.h"

namespace steer {
namespace {

using testing::HasSubstr;
using testing::Not;

bool Soon(const std::function<bool()>& condition) {
  for (const absl::Time end = absl::Now() + absl::Seconds(30); absl::Now() < end;) {
    if (condition()) return true;
    absl::SleepFor(absl::Milliseconds(5));
  }
  return false;
}

class CountingSink : public OutcomeSink {
 public:
  absl::Status OnOutcome(const v1::Outcome&) override {
    ++outcomes;
    return absl::OkStatus();
  }
  absl::Status OnArm(const v1::ArmResult&) override { return absl::OkStatus(); }
  std::atomic<int> outcomes{0};
};

class ServerSignals : public testing::TestWithParam<int> {
 protected:
  static constexpr int kPrompts = 240;

  // One row at a time: an Evaluate of all prompts takes some seconds.
  void Serve(const std::string& drain_seconds = "60") {
    ASSERT_TRUE(scenario_.StartServer(
        {}, {"--threads", "1", "--decode-rows", "1", "--drain-seconds", drain_seconds}))
        << scenario_.server_log();
    absl::StatusOr<v1::GetModelResponse> model = MakeClient()->GetModel();
    ASSERT_TRUE(model.ok()) << model.status();
    fingerprint_ = model->model_fingerprint();
  }

  // A client that asks once.
  std::unique_ptr<Client> MakeClient() {
    ChannelOptions channel;
    channel.server = scenario_.address();
    ClientOptions options;
    options.patience = absl::ZeroDuration();
    return std::make_unique<Client>(*OpenChannel(channel), options);
  }

  v1::EvaluateRequest Request() {
    v1::EvaluateRequest request;
    request.set_request_id(NewRequestId());
    request.set_expected_model_fingerprint(fingerprint_);
    request.set_purpose(v1::PURPOSE_EXPLORE);
    request.set_readout("post-1");
    request.set_decode_full_window(true);
    request.mutable_decoding()->set_max_new_tokens(32);
    v1::Arm* arm = request.add_arms();
    arm->set_name("baseline");
    for (int i = 0; i < kPrompts; ++i) {
      request.add_prompts()->set_user(absl::StrCat("Explain round ladrel ", i));
      arm->add_prompts(i);
    }
    return request;
  }

  v1::FitDirectionRequest Fit() {
    v1::FitDirectionRequest request;
    request.set_request_id(NewRequestId());
    request.set_expected_model_fingerprint(fingerprint_);
    for (int i = 0; i < 400; ++i) {
      request.add_harmful()->set_user(absl::StrCat("Explain round ladrel ", i));
      request.add_harmless()->set_user(absl::StrCat("Explain round lavorn ", i));
    }
    return request;
  }

  // Starts an Evaluate and returns once its first outcome is there.
  void StartEvaluate() {
    running_ = std::thread([this] {
      result_ = MakeClient()->Evaluate(Request(), Unfinished::kHold, &sink_).status();
      ended_ = true;
    });
    ASSERT_TRUE(Soon([&] { return sink_.outcomes > 0 || ended_; }));
    ASSERT_FALSE(ended_) << result_;
  }

  // In this process: starting a probe may take longer than the call that keeps the server alive.
  absl::Status Health() {
    ChannelOptions channel;
    channel.server = scenario_.address();
    return ProbeHealth(*OpenChannel(channel), "", absl::Seconds(10));
  }

  // The exit code of steerd --healthcheck.
  int HealthcheckCode() {
    Process probe({BuildPath("server/steerd"), "--healthcheck", "--listen", scenario_.address()},
                  {}, scenario_.Path("health.out"), scenario_.Path("health.err"));
    return probe.Wait(absl::Seconds(30)).exit_code;
  }

  std::vector<std::string> StoredFiles() {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(scenario_.Path("directions"))) {
      const std::string name = entry.path().filename().string();
      if (absl::StrContains(name, ".safetensors")) names.push_back(name);
    }
    return names;
  }

  void TearDown() override {
    if (running_.joinable()) running_.join();
  }

  Scenario scenario_{"default"};
  std::string fingerprint_;
  CountingSink sink_;
  std::thread running_;
  absl::Status result_;
  std::atomic<bool> ended_{false};
};

TEST_P(ServerSignals, TheFirstLetsRunningCallsEndAndRefusesNewOnes) {
  Serve();
  EXPECT_TRUE(Health().ok());
  EXPECT_EQ(HealthcheckCode(), 0);
  StartEvaluate();
  scenario_.server().Signal(GetParam());
  absl::Status refused;
  ASSERT_TRUE(Soon([&] {
    refused = MakeClient()->GetModel().status();
    return !refused.ok();
  }));
  EXPECT_EQ(refused.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(ReasonOf(refused), "DRAINING");
  ASSERT_TRUE(RetryDelayOf(refused).has_value());
  EXPECT_GT(*RetryDelayOf(refused), absl::ZeroDuration());
  // Said by the server: one that is gone gives no answer.
  EXPECT_THAT(std::string(Health().message()), HasSubstr("NOT_SERVING"));
  EXPECT_FALSE(ended_) << "the call was over before anything could be seen of the drain";
  running_.join();
  EXPECT_TRUE(result_.ok()) << result_;
  EXPECT_EQ(sink_.outcomes, kPrompts);
  const ProcessEnd end = scenario_.server().Wait(absl::Seconds(20));
  EXPECT_EQ(end.exit_code, 0);
  EXPECT_EQ(HealthcheckCode(), 1);
  EXPECT_THAT(scenario_.server_log(), HasSubstr("stopped"));
  EXPECT_THAT(scenario_.server_log(), Not(HasSubstr("calls were cancelled")));
}

TEST_P(ServerSignals, WhatDoesNotEndInTheDrainTimeIsToldToComeBack) {
  Serve("0.2");
  StartEvaluate();
  scenario_.server().Signal(GetParam());
  EXPECT_EQ(scenario_.server().Wait(absl::Seconds(20)).exit_code, 0);
  running_.join();
  EXPECT_EQ(result_.code(), absl::StatusCode::kUnavailable) << result_;
  EXPECT_EQ(ReasonOf(result_), "DRAINING");
  EXPECT_TRUE(RetryDelayOf(result_).has_value());
  EXPECT_LT(sink_.outcomes, kPrompts);
  EXPECT_THAT(scenario_.server_log(), HasSubstr("calls were cancelled"));
}

TEST_P(ServerSignals, TheSecondStopsAtOnceAndNothingIsHalfWritten) {
  Serve();
  std::atomic<int64_t> rows{0};
  std::atomic<bool> over{false};
  absl::Status fitted;
  running_ = std::thread([&] {
    fitted =
        MakeClient()->FitDirection(Fit(), [&](int64_t done, int64_t) { rows = done; }).status();
    over = true;
  });
  ASSERT_TRUE(Soon([&] { return rows > 0 || over; }));
  ASSERT_FALSE(over) << fitted;
  scenario_.server().Signal(GetParam());
  ASSERT_TRUE(Soon([&] { return absl::StrContains(scenario_.server_log(), "draining"); }));
  ASSERT_TRUE(scenario_.server().running());
  const absl::Time second = absl::Now();
  scenario_.server().Signal(GetParam());
  const ProcessEnd end = scenario_.server().Wait(absl::Seconds(20));
  EXPECT_LT(absl::Now() - second, absl::Seconds(2));
  EXPECT_EQ(end.exit_code, 128 + GetParam());
  running_.join();
  EXPECT_EQ(fitted.code(), absl::StatusCode::kUnavailable) << fitted;
  EXPECT_THAT(StoredFiles(), testing::IsEmpty());

  ASSERT_TRUE(scenario_.StartServer()) << scenario_.server_log();
  EXPECT_THAT(scenario_.server_log(), Not(HasSubstr("direction store:")));
  auto again = MakeClient()->FitDirection(Fit(), nullptr);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(StoredFiles().size(), 1u);
}

INSTANTIATE_TEST_SUITE_P(Both, ServerSignals, testing::Values(SIGTERM, SIGINT),
                         [](const auto& info) {
                           return std::string(info.param == SIGTERM ? "Term" : "Int");
                         });

class RunSignals : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(scenario_.StartServer({}, {"--threads", "1", "--decode-rows", "4"}))
        << scenario_.server_log();
    lock_ = scenario_.FreezeSmallPlan("small", 12, 4, 6, "[0]");
    ASSERT_FALSE(lock_.empty());
    CommandResult clean = scenario_.Ctl(scenario_.RunArguments(lock_, scenario_.Path("clean")));
    ASSERT_EQ(clean.end.exit_code, 0) << clean.err;
  }

  // Starts a run and returns once some cells are in its log and some are missing.
  std::unique_ptr<Process> StartRun() {
    auto run = scenario_.StartCtl(scenario_.RunArguments(lock_, scenario_.Path("run")), "run");
    EXPECT_TRUE(Soon([&] { return Records() >= 3 || !run->running(); }));
    EXPECT_TRUE(run->running());
    return run;
  }

  // Whole lines of the result log so far; -1 if its last line has no end.
  int64_t Records() {
    auto log = ReadFile(scenario_.Path("run/cells.jsonl"));
    if (!log.ok() || log->empty()) return 0;
    if (log->back() != '\n') return -1;
    return std::count(log->begin(), log->end(), '\n');
  }

  void ExpectGoesOn() {
    CommandResult again = scenario_.Ctl(scenario_.RunArguments(lock_, scenario_.Path("run")));
    ASSERT_EQ(again.end.exit_code, 0) << again.err;
    EXPECT_THAT(again.err, HasSubstr("cells are there already"));
    for (const char* name : {"/summary.json", "/verdict.json"}) {
      EXPECT_EQ(MustRead(scenario_.Path("run") + name), MustRead(scenario_.Path("clean") + name));
    }
  }

  Scenario scenario_{"default"};
  std::string lock_;
};

TEST_F(RunSignals, TheFirstStopsAfterTheCellInHand) {
  auto run = StartRun();
  run->Signal(SIGINT);
  EXPECT_EQ(run->Wait(absl::Seconds(30)).exit_code, kExitInterrupted);
  EXPECT_THAT(MustRead(scenario_.Path("run.err")),
              HasSubstr("the same command goes on from there"));
  EXPECT_FALSE(std::filesystem::exists(scenario_.Path("run/verdict.json")));
  EXPECT_GE(Records(), 3);
  ExpectGoesOn();
}

TEST_F(RunSignals, TheSecondStopsAtOnceThoughTheCellDoesNotEnd) {
  auto run = StartRun();
  // A server that neither answers nor leaves.
  scenario_.server().Signal(SIGSTOP);
  // What is on its way still arrives.
  int64_t records = -1;
  ASSERT_TRUE(Soon([&] {
    absl::SleepFor(absl::Milliseconds(300));
    return records == std::exchange(records, Records());
  }));
  run->Signal(SIGINT);
  absl::SleepFor(absl::Milliseconds(500));
  EXPECT_TRUE(run->running()) << "the first signal waits for the cell in hand";
  const absl::Time second = absl::Now();
  run->Signal(SIGINT);
  EXPECT_EQ(run->Wait(absl::Seconds(10)).exit_code, kExitInterrupted);
  EXPECT_LT(absl::Now() - second, absl::Seconds(2));
  EXPECT_GE(Records(), 3);
  scenario_.server().Signal(SIGCONT);
  ExpectGoesOn();
}

}  // namespace
}  // namespace steer
