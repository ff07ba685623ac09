#include <map>
#include <set>
#include <string>

#include "absl/time/clock.h"
#include "client/api/channel.h"
#include "client/api/client.h"
#include "common/errors.h"
#include "gtest/gtest.h"
#include "tests/client/api/fake_service.h"

namespace steer {
namespace {

class Recorder : public OutcomeSink {
 public:
  absl::Status OnOutcome(const v1::Outcome& outcome) override {
    EXPECT_TRUE(rows[outcome.arm()].insert(outcome.prompt()).second);
    return absl::OkStatus();
  }
  absl::Status OnArm(const v1::ArmResult& result) override {
    EXPECT_TRUE(results.emplace(result.arm(), result).second);
    return absl::OkStatus();
  }
  void OnArmRestart(int arm) override {
    ++restarts;
    rows[arm].clear();
  }
  std::map<int, std::set<int>> rows;
  std::map<int, v1::ArmResult> results;
  int restarts = 0;
};

v1::EvaluateRequest Request(int prompts, int arms) {
  v1::EvaluateRequest request;
  for (int p = 0; p < prompts; ++p) request.add_prompts()->set_user("prompt " + std::to_string(p));
  for (int a = 0; a < arms; ++a) {
    v1::Arm* arm = request.add_arms();
    arm->set_name("arm-" + std::to_string(a));
    for (int p = 0; p < prompts; ++p) arm->add_prompts(p);
  }
  return request;
}

class EvaluateStream : public ::testing::Test {
 protected:
  absl::Status Run(const v1::EvaluateRequest& request, Unfinished unfinished) {
    service_.Start();
    ChannelOptions channel;
    channel.server = service_.address();
    ClientOptions options;
    options.retry.initial = absl::Milliseconds(5);
    options.stall = stall_;
    Client client(*OpenChannel(channel), options);
    return client.Evaluate(request, unfinished, &recorder_).status();
  }
  FakeService service_;
  Recorder recorder_;
  absl::Duration stall_ = absl::Seconds(20);
};

TEST_F(EvaluateStream, ContinuesABrokenStreamWithHeldRows) {
  service_.behaviour.broken_streams = 1;
  service_.behaviour.break_after = 7;  // arm 0 (5 rows) is whole, arm 1 has 2 of 5
  ASSERT_TRUE(Run(Request(5, 3), Unfinished::kHold).ok());
  auto requests = service_.evaluate_requests();
  ASSERT_EQ(requests.size(), 2u);
  EXPECT_EQ(requests[0].held_size(), 0);
  EXPECT_EQ(requests[1].held_size(), 7);
  EXPECT_EQ(recorder_.restarts, 0);
  for (int a = 0; a < 3; ++a) EXPECT_EQ(recorder_.rows[a].size(), 5u);
  EXPECT_EQ(recorder_.results[1].receipt().rows(), 3);
}

TEST_F(EvaluateStream, RestartsTheArmInHandSoThatItsReceiptIsWhole) {
  service_.behaviour.broken_streams = 3;
  service_.behaviour.break_after = 7;
  ASSERT_TRUE(Run(Request(5, 4), Unfinished::kRestart).ok());
  auto requests = service_.evaluate_requests();
  ASSERT_EQ(requests.size(), 4u);
  EXPECT_EQ(requests[1].held_size(), 5);
  EXPECT_EQ(requests[2].held_size(), 10);
  EXPECT_EQ(recorder_.restarts, 3);
  ASSERT_EQ(recorder_.results.size(), 4u);
  for (int a = 0; a < 4; ++a) {
    EXPECT_EQ(recorder_.rows[a].size(), 5u);
    EXPECT_EQ(recorder_.results[a].receipt().rows(), 5);
  }
}

TEST_F(EvaluateStream, RefusesARowThatCameTwice) {
  service_.behaviour.edit_outcome = [](v1::Outcome* o) { o->set_prompt(0); };
  EXPECT_EQ(ReasonOf(Run(Request(3, 1), Unfinished::kRestart)), "PROTOCOL");
}

TEST_F(EvaluateStream, RefusesAnUnknownArm) {
  service_.behaviour.edit_outcome = [](v1::Outcome* o) { o->set_arm(9); };
  EXPECT_EQ(ReasonOf(Run(Request(3, 1), Unfinished::kRestart)), "PROTOCOL");
}

TEST_F(EvaluateStream, RefusesAGapInTheSequence) {
  service_.behaviour.edit_outcome = [](v1::Outcome* o) { o->set_sequence(o->sequence() * 2); };
  EXPECT_EQ(ReasonOf(Run(Request(3, 1), Unfinished::kRestart)), "PROTOCOL");
}

TEST_F(EvaluateStream, RefusesAResultUnderAnotherName) {
  service_.behaviour.edit_receipt = [](v1::ArmResult* r) { r->set_name("other"); };
  EXPECT_EQ(ReasonOf(Run(Request(3, 1), Unfinished::kRestart)), "PROTOCOL");
}

TEST_F(EvaluateStream, ASilentServerIsNoticed) {
  service_.behaviour.row_milliseconds = 3000;
  stall_ = absl::Milliseconds(300);
  absl::Time start = absl::Now();
  absl::Status status = Run(Request(4, 1), Unfinished::kRestart);
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
  EXPECT_LT(absl::Now() - start, absl::Seconds(60));
}

TEST_F(EvaluateStream, TheSinksErrorEndsTheCall) {
  class Refusing : public Recorder {
    absl::Status OnOutcome(const v1::Outcome&) override { return absl::DataLossError("disk"); }
  } sink;
  service_.Start();
  ChannelOptions channel;
  channel.server = service_.address();
  Client client(*OpenChannel(channel), ClientOptions());
  EXPECT_EQ(client.Evaluate(Request(3, 1), Unfinished::kRestart, &sink).status().code(),
            absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace steer
