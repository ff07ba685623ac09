// Loading, health, heartbeat, drain, shutdown, reflection.
#include <future>

#include "grpcpp/generic/generic_stub.h"
#include "server/rpc/health_probe.h"
#include "tests/server/rpc/service_fixture.h"

namespace steer {
namespace {

class LifecycleTest : public ServiceFixture {
 protected:
  bool Serving(const std::string& service = "") {
    return ProbeHealth(Connect(), service, absl::Seconds(5)).ok();
  }
  RpcError GetModel() {
    grpc::ClientContext context;
    v1::GetModelResponse model;
    return ErrorOf(stub_->GetModel(&context, {}, &model));
  }
};

TEST_F(LifecycleTest, NotServingUntilTheModelIsThere) {
  Restart(Defaults(), /*serve=*/false);
  EXPECT_FALSE(Serving());
  EXPECT_FALSE(Serving(kServiceName));
  const RpcError error = GetModel();
  EXPECT_EQ(error.code, grpc::UNAVAILABLE);
  EXPECT_EQ(error.reason, "MODEL_LOADING");
  EXPECT_GT(error.retry_seconds, 0);
  EXPECT_NE(metrics_->Text().find("steer_ready 0"), std::string::npos);
  server_->Serve(engine_.get());
  EXPECT_TRUE(Serving());
  EXPECT_TRUE(Serving(kServiceName));
  EXPECT_FALSE(Serving("another.Service"));
  EXPECT_EQ(GetModel().code, grpc::OK);
  EXPECT_NE(metrics_->Text().find("steer_ready 1"), std::string::npos);
}

TEST_F(LifecycleTest, AStaleHeartbeatTurnsHealthOffUntilItBeatsAgain) {
  EXPECT_TRUE(Serving());
  engine_->SetHeartbeatAge(absl::Seconds(29));
  absl::SleepFor(absl::Milliseconds(100));
  EXPECT_TRUE(Serving());
  engine_->SetHeartbeatAge(absl::Seconds(31));
  EXPECT_TRUE(WaitFor([&] { return !Serving() && !Serving(kServiceName); }));
  engine_->SetHeartbeatAge(absl::ZeroDuration());
  EXPECT_TRUE(WaitFor([&] { return Serving() && Serving(kServiceName); }));
}

TEST_F(LifecycleTest, AnEngineWithSlowStepsHasTwentyOfThem) {
  engine_->SetSlowestStep(absl::Seconds(3));
  engine_->SetHeartbeatAge(absl::Seconds(58));
  absl::SleepFor(absl::Milliseconds(100));
  EXPECT_TRUE(Serving());
  engine_->SetHeartbeatAge(absl::Seconds(61));
  EXPECT_TRUE(WaitFor([&] { return !Serving(); }));
}

TEST_F(LifecycleTest, AWrongCanaryRowTurnsHealthOffUntilOneIsRight) {
  engine_->SetSound(false);
  EXPECT_TRUE(WaitFor([&] { return !Serving() && !Serving(kServiceName); }));
  EXPECT_NE(metrics_->Text().find("steer_ready 0"), std::string::npos);
  engine_->SetSound(true);
  EXPECT_TRUE(WaitFor([&] { return Serving(); }));
}

TEST_F(LifecycleTest, DrainRefusesNewWorkAndLetsRunningWorkEnd) {
  engine_->Block(true);
  grpc::ClientContext context;
  auto reader = stub_->Evaluate(&context, EvaluateRequestOf(2));
  ASSERT_TRUE(WaitFor([&] { return engine_->jobs_submitted() == 1; }));
  auto drained = std::async(std::launch::async, [&] { return server_->Drain(absl::Seconds(30)); });
  ASSERT_TRUE(WaitFor([&] { return !Serving(); }));
  RpcError error;
  ASSERT_TRUE(WaitFor([&] {
    error = GetModel();
    return error.reason == "DRAINING";
  }));
  EXPECT_EQ(error.code, grpc::UNAVAILABLE);
  EXPECT_GT(error.retry_seconds, 0);
  engine_->Block(false);
  grpc::Status status;
  const auto messages = ReadAll(reader.get(), &status);
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_TRUE(messages.back().has_summary());
  EXPECT_TRUE(drained.get());
}

TEST_F(LifecycleTest, DrainCancelsWhatDoesNotEndInTime) {
  engine_->Block(true);
  grpc::ClientContext context;
  auto reader = stub_->Evaluate(&context, EvaluateRequestOf(2));
  ASSERT_TRUE(WaitFor([&] { return engine_->jobs_submitted() == 1; }));
  EXPECT_FALSE(server_->Drain(absl::Milliseconds(100)));
  grpc::Status status;
  ReadAll(reader.get(), &status);
  EXPECT_EQ(ErrorOf(status).code, grpc::UNAVAILABLE);
  EXPECT_EQ(ErrorOf(status).reason, "DRAINING");
  EXPECT_GT(ErrorOf(status).retry_seconds, 0);
  server_->Shutdown();
  EXPECT_EQ(GetModel().code, grpc::UNAVAILABLE);
}

TEST_F(LifecycleTest, ShutdownWithoutDrainEndsRunningCalls) {
  engine_->Block(true);
  grpc::ClientContext context;
  auto reader = stub_->Generate(&context, GenerateRequestOf("a"));
  ASSERT_TRUE(WaitFor([&] { return engine_->jobs_submitted() == 1; }));
  const absl::Time start = absl::Now();
  server_->Shutdown();
  EXPECT_LT(absl::Now() - start, absl::Seconds(5));
  grpc::Status status;
  ReadAll(reader.get(), &status);
  EXPECT_EQ(status.error_code(), grpc::UNAVAILABLE);
  EXPECT_NE(metrics_->Text().find("steer_ready 0"), std::string::npos);
}

TEST_F(LifecycleTest, ABusyPortIsAClearError) {
  RpcServerOptions options = Defaults();
  options.listen.address = absl::StrCat("127.0.0.1:", server_->port());
  const auto second = RpcServer::Start(options, metrics_.get(), nullptr);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(ReasonOf(second.status()), "ADDRESS_UNAVAILABLE");
  EXPECT_NE(second.status().message().find(options.listen.address), std::string::npos);
}

TEST_F(LifecycleTest, ASocketThatCannotBeMadeIsAClearError) {
  RpcServerOptions options = Defaults();
  options.listen.address = absl::StrCat("unix:", folder_);  // a folder lies there
  const auto second = RpcServer::Start(options, metrics_.get(), nullptr);
  EXPECT_EQ(ReasonOf(second.status()), "ADDRESS_UNAVAILABLE");
  EXPECT_NE(second.status().message().find(options.listen.address), std::string::npos);
}

TEST_F(LifecycleTest, AModelThatComesDuringADrainIsNotServed) {
  Restart(Defaults(), /*serve=*/false);
  absl::SleepFor(absl::Milliseconds(60));  // watched without an engine
  EXPECT_TRUE(server_->Drain(absl::ZeroDuration()));
  server_->Serve(engine_.get());
  EXPECT_FALSE(Serving());
  EXPECT_EQ(GetModel().reason, "DRAINING");
  EXPECT_NE(metrics_->Text().find("steer_ready 0"), std::string::npos);
}

TEST_F(LifecycleTest, ADrainAfterTheEndFindsNothingToDo) {
  server_->Shutdown();
  EXPECT_TRUE(server_->Drain(absl::Seconds(1)));
  server_->Shutdown();
  EXPECT_EQ(GetModel().code, grpc::UNAVAILABLE);
}

TEST_F(LifecycleTest, AUnixSocketServes) {
  RpcServerOptions options = Defaults();
  options.listen.address = absl::StrCat("unix:", folder_, "/socket");
  Restart(options);
  EXPECT_EQ(server_->port(), 0);
  const auto channel =
      grpc::CreateChannel(options.listen.address, grpc::InsecureChannelCredentials());
  EXPECT_TRUE(ProbeHealth(channel, kServiceName, absl::Seconds(5)).ok());
}

TEST_F(LifecycleTest, ReflectionIsOffUnlessAskedFor) {
  const auto code = [&] {
    grpc::ClientContext context;
    grpc::CompletionQueue queue;
    grpc::GenericStub stub(Connect());
    auto call = stub.PrepareCall(
        &context, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", &queue);
    void* tag = nullptr;
    bool ok = false;
    call->StartCall(nullptr);
    queue.Next(&tag, &ok);
    call->WritesDone(nullptr);
    queue.Next(&tag, &ok);
    grpc::Status status;
    call->Finish(&status, nullptr);
    queue.Next(&tag, &ok);
    return status.error_code();
  };
  EXPECT_EQ(code(), grpc::UNIMPLEMENTED);
  RpcServerOptions options = Defaults();
  options.reflection = true;
  Restart(options);
  EXPECT_EQ(code(), grpc::OK);
}

}  // namespace
}  // namespace steer
