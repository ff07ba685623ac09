// A request id stands for one execution: repeats join it or get its reply, over any connection.
#include <future>

#include "tests/server/rpc/service_fixture.h"

namespace steer {
namespace {

class ReplaysTest : public ServiceFixture {
 protected:
  // Serialised messages of a stream, progress aside.
  template <class Response>
  static std::vector<std::string> Bytes(const std::vector<Response>& messages) {
    std::vector<std::string> bytes;
    for (const Response& message : messages) {
      if (!message.has_progress()) bytes.push_back(message.SerializeAsString());
    }
    return bytes;
  }

  // An Evaluate of its own connection, under way.
  struct Running {
    std::unique_ptr<v1::SteerService::Stub> stub;
    grpc::ClientContext context;
    std::unique_ptr<grpc::ClientReader<v1::EvaluateResponse>> reader;
    std::vector<std::string> End(grpc::Status* status) {
      return Bytes(ReadAll(reader.get(), status));
    }
  };
  std::unique_ptr<Running> Start(const v1::EvaluateRequest& request) {
    auto running = std::make_unique<Running>();
    running->stub = v1::SteerService::NewStub(Connect());
    running->reader = running->stub->Evaluate(&running->context, request);
    return running;
  }
  // True once `count` calls of Evaluate wait for another one.
  bool InFlight(int count) {
    return WaitFor([&] {
      return metrics_->Text().find(absl::StrCat("steer_requests_in_flight{method=\"Evaluate\"} ",
                                                count, "\n")) != std::string::npos;
    });
  }
};

TEST_F(ReplaysTest, AFinishedCallIsAnsweredWithTheSameBytesAndRunsOnce) {
  grpc::Status status;
  const auto first = Bytes(Evaluate(EvaluateRequestOf(4), &status));
  ASSERT_TRUE(status.ok());
  ASSERT_EQ(first.size(), 6u);
  for (int i = 0; i < 3; ++i) {
    auto again = Start(EvaluateRequestOf(4));
    EXPECT_EQ(again->End(&status), first);
    EXPECT_TRUE(status.ok());
  }
  EXPECT_EQ(engine_->jobs_submitted(), 1);
  EXPECT_NE(AuditText().find("\"replayed\":1"), std::string::npos) << AuditText();
}

TEST_F(ReplaysTest, AFinishedFitIsAnsweredWithTheSameBytesUnlessItsSetIsGone) {
  grpc::Status status;
  const auto messages = Fit(FitRequest(), &status);
  ASSERT_TRUE(status.ok());
  EXPECT_EQ(Bytes(Fit(FitRequest(), &status)), Bytes(messages));
  EXPECT_EQ(engine_->jobs_submitted(), 1);
  v1::DeleteDirectionRequest gone;
  gone.set_set_id(messages.back().result().set().set_id());
  v1::DeleteDirectionResponse deleted;
  grpc::ClientContext context;
  ASSERT_TRUE(stub_->DeleteDirection(&context, gone, &deleted).ok());
  Fit(FitRequest(), &status);
  EXPECT_TRUE(status.ok());
  EXPECT_EQ(engine_->jobs_submitted(), 2);
}

TEST_F(ReplaysTest, ARunningCallIsJoined) {
  engine_->Block(true);
  std::vector<std::unique_ptr<Running>> calls;
  for (int i = 0; i < 4; ++i) calls.push_back(Start(EvaluateRequestOf(4)));
  ASSERT_TRUE(InFlight(4));
  ASSERT_TRUE(WaitFor([&] { return engine_->jobs_submitted() == 1; }));
  engine_->Block(false);
  grpc::Status status;
  const auto first = calls[0]->End(&status);
  EXPECT_EQ(first.size(), 6u);
  for (int i = 1; i < 4; ++i) {
    EXPECT_EQ(calls[i]->End(&status), first);
    EXPECT_TRUE(status.ok());
  }
  EXPECT_EQ(engine_->jobs_submitted(), 1);
}

TEST_F(ReplaysTest, AJoinedCallRunsItselfWhenTheFirstIsCancelled) {
  engine_->Block(true);
  auto first = Start(EvaluateRequestOf(4));
  ASSERT_TRUE(WaitFor([&] { return engine_->jobs_submitted() == 1; }));
  auto second = Start(EvaluateRequestOf(4));
  auto third = Start(EvaluateRequestOf(4));
  ASSERT_TRUE(InFlight(3));
  first->context.TryCancel();
  ASSERT_TRUE(WaitFor([&] { return engine_->jobs_submitted() == 2; }));
  engine_->Block(false);
  grpc::Status status;
  const auto bytes = second->End(&status);
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(bytes.size(), 6u);
  EXPECT_EQ(third->End(&status), bytes);
  EXPECT_TRUE(status.ok());
  EXPECT_EQ(engine_->jobs_submitted(), 2);
}

TEST_F(ReplaysTest, AJoinedCallThatMayNotRunItselfEndsWithThatReason) {
  engine_->Block(true);
  auto first = Start(EvaluateRequestOf(4));
  ASSERT_TRUE(WaitFor([&] { return engine_->jobs_submitted() == 1; }));
  engine_->SetLeastSeconds(1000);  // of which the second has fewer
  Running second;
  second.context.set_deadline(absl::ToChronoTime(absl::Now() + absl::Seconds(100)));
  second.stub = v1::SteerService::NewStub(Connect());
  second.reader = second.stub->Evaluate(&second.context, EvaluateRequestOf(4));
  ASSERT_TRUE(InFlight(2));
  absl::SleepFor(absl::Milliseconds(50));  // it waits for the first just after it is counted
  first->context.TryCancel();
  grpc::Status status;
  EXPECT_TRUE(second.End(&status).empty());
  EXPECT_EQ(ErrorOf(status).reason, "DEADLINE_TOO_SHORT") << status.error_message();
  EXPECT_EQ(engine_->jobs_submitted(), 1);
}

TEST_F(ReplaysTest, AJoinedCallThatLeavesOrIsLateEndsAloneAndSoon) {
  engine_->Block(true);
  auto first = Start(EvaluateRequestOf(4));
  ASSERT_TRUE(WaitFor([&] { return engine_->jobs_submitted() == 1; }));
  auto second = Start(EvaluateRequestOf(4));
  ASSERT_TRUE(InFlight(2));
  second->context.TryCancel();
  EXPECT_TRUE(InFlight(1));
  engine_->Block(false);
  grpc::Status status;
  EXPECT_EQ(first->End(&status).size(), 6u);
  EXPECT_TRUE(status.ok());
}

TEST_F(ReplaysTest, FailuresReachThoseThatWaitAndAreNotKept) {
  engine_->Block(true);
  auto first = Start(EvaluateRequestOf(4));
  ASSERT_TRUE(WaitFor([&] { return engine_->jobs_submitted() == 1; }));
  auto second = Start(EvaluateRequestOf(4));
  ASSERT_TRUE(InFlight(2));
  engine_->FailWith(MakeError(absl::StatusCode::kInternal, "ENGINE_FAILED", "it broke"));
  grpc::Status status;
  first->End(&status);
  EXPECT_EQ(ErrorOf(status).reason, "ENGINE_FAILED");
  second->End(&status);
  EXPECT_EQ(ErrorOf(status).reason, "ENGINE_FAILED");
  engine_->FailWith(absl::OkStatus());
  engine_->Block(false);
  const int before = engine_->jobs_submitted();
  EXPECT_EQ(Evaluate(EvaluateRequestOf(4), &status).back().summary().outcomes(), 4);
  EXPECT_EQ(engine_->jobs_submitted(), before + 1);
}

TEST_F(ReplaysTest, OtherContentUnderTheIdIsRefusedButContinuationsRun) {
  grpc::Status status;
  Evaluate(EvaluateRequestOf(4), &status);
  ASSERT_TRUE(status.ok());
  Evaluate(EvaluateRequestOf(5), &status);
  EXPECT_EQ(ErrorOf(status).code, grpc::ALREADY_EXISTS);
  EXPECT_EQ(ErrorOf(status).reason, "REQUEST_ID_REUSED");
  Fit(FitRequest(), &status);  // one id, two methods
  EXPECT_EQ(ErrorOf(status).code, grpc::ALREADY_EXISTS);
  v1::EvaluateRequest rest = EvaluateRequestOf(4);
  rest.add_held()->set_prompt(2);
  EXPECT_EQ(Evaluate(rest, &status).back().summary().outcomes(), 3);
  v1::EvaluateRequest changed = EvaluateRequestOf(5);
  changed.add_held()->set_prompt(2);
  Evaluate(changed, &status);
  EXPECT_EQ(ErrorOf(status).reason, "REQUEST_ID_REUSED");
  EXPECT_EQ(Evaluate(EvaluateRequestOf(4), &status).back().summary().outcomes(), 4);
  EXPECT_EQ(engine_->jobs_submitted(), 2);
}

TEST_F(ReplaysTest, WhatIsKeptIsBoundedByCountAndBytes) {
  RpcServerOptions options = Defaults();
  options.service.replay_calls = 1;
  Restart(options);
  grpc::Status status;
  v1::EvaluateRequest other = EvaluateRequestOf(4);
  other.set_request_id(kOtherUuid);
  for (const auto& request : {EvaluateRequestOf(4), other, EvaluateRequestOf(4)}) {
    EXPECT_EQ(Evaluate(request, &status).back().summary().outcomes(), 4);
  }
  EXPECT_EQ(engine_->jobs_submitted(), 3);
  // What is older makes room for what ends later.
  int64_t bytes = 0;
  for (const std::string& message : Bytes(Evaluate(EvaluateRequestOf(4), &status)))
    bytes += static_cast<int64_t>(message.size());
  options.service.replay_calls = 1024;
  options.service.replay_bytes = bytes + bytes / 2;
  Restart(options);
  const int before = engine_->jobs_submitted();
  for (const auto& request : {EvaluateRequestOf(4), other, other}) Evaluate(request, &status);
  EXPECT_EQ(engine_->jobs_submitted(), before + 2);
  Evaluate(EvaluateRequestOf(4), &status);
  EXPECT_EQ(engine_->jobs_submitted(), before + 3);
  // Each replies more than fits: nothing is kept, and whoever waited runs its own.
  options.service.replay_bytes = 100;
  Restart(options);
  engine_->Block(true);
  auto first = Start(EvaluateRequestOf(4));
  auto second = Start(EvaluateRequestOf(4));
  ASSERT_TRUE(InFlight(2));
  engine_->Block(false);
  EXPECT_EQ(first->End(&status).size(), 6u);
  EXPECT_EQ(second->End(&status).size(), 6u);
  EXPECT_TRUE(status.ok());
}

}  // namespace
}  // namespace steer
