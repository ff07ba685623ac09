// What is refused before any work: lanes, tokens, bytes, deadlines that cannot be met.
#include "tests/server/rpc/service_fixture.h"

namespace steer {
namespace {

class AdmissionTest : public ServiceFixture {
 protected:
  // A call that the engine blocks.
  struct Held {
    grpc::ClientContext context;
    std::unique_ptr<grpc::ClientReaderInterface<v1::EvaluateResponse>> evaluate;
    std::unique_ptr<grpc::ClientReaderInterface<v1::FitDirectionResponse>> fit;
    std::unique_ptr<grpc::ClientReaderInterface<v1::GenerateResponse>> generate;
  };
  void Hold(const std::function<void(Held*)>& start) {
    const int before = engine_->jobs_submitted();
    held_.push_back(std::make_unique<Held>());
    start(held_.back().get());
    ASSERT_TRUE(WaitFor([&] { return engine_->jobs_submitted() == before + 1; }));
  }
  void HoldEvaluate() {
    Hold([&](Held* h) { h->evaluate = stub_->Evaluate(&h->context, Fresh(EvaluateRequestOf(2))); });
  }
  void HoldFit() {
    Hold([&](Held* h) { h->fit = stub_->FitDirection(&h->context, Fresh(FitRequest())); });
  }
  void HoldGenerate() {
    Hold([&](Held* h) { h->generate = stub_->Generate(&h->context, GenerateRequestOf("a")); });
  }
  template <class Request>
  Request Fresh(Request request) {
    request.set_request_id(FreshUuid());
    return request;
  }
  // Refused as RESOURCE_EXHAUSTED with all that a client needs, and counted.
  void ExpectRefused(const grpc::Status& status, const std::string& reason,
                     const std::string& label) {
    const RpcError error = ErrorOf(status);
    EXPECT_EQ(error.code, grpc::RESOURCE_EXHAUSTED) << error.message;
    EXPECT_EQ(error.reason, reason) << error.message;
    EXPECT_GT(error.retry_seconds, 0);
    EXPECT_NE(metrics_->Text().find(
                  absl::StrCat("steer_admission_rejections_total{reason=\"", label, "\"} 1")),
              std::string::npos);
  }
  void TearDown() override {
    for (auto& h : held_) h->context.TryCancel();
    for (auto& h : held_) {
      if (h->evaluate != nullptr) h->evaluate->Finish();
      if (h->fit != nullptr) h->fit->Finish();
      if (h->generate != nullptr) h->generate->Finish();
    }
    ServiceFixture::TearDown();
  }
  void RestartWith(const std::function<void(ServiceOptions*)>& change) {
    RpcServerOptions options = Defaults();
    change(&options.service);
    Restart(options);
    engine_->Block(true);
  }

  std::vector<std::unique_ptr<Held>> held_;
};

TEST_F(AdmissionTest, FitsAndEvaluatesLeaveSlotsForOthers) {
  RestartWith([](ServiceOptions* o) { o->max_concurrent_calls = 4; });
  HoldFit();
  HoldFit();
  grpc::Status status;
  Fit(Fresh(FitRequest()), &status);
  ExpectRefused(status, "LANE_FULL", "lane_full");
  HoldGenerate();
  HoldEvaluate();
  Evaluate(Fresh(EvaluateRequestOf(1)), &status);
  ExpectRefused(status, "TOO_MANY_CALLS", "calls_full");
}

TEST_F(AdmissionTest, CallsThatWaitForTheirFirstStepAreBounded) {
  RestartWith([](ServiceOptions* o) { o->queue_calls = 2; });
  HoldEvaluate();
  HoldGenerate();
  grpc::Status status;
  Generate(GenerateRequestOf("a"), &status);
  ExpectRefused(status, "TOO_MANY_CALLS", "calls_full");
  // What needs no step is not in the queue.
  grpc::ClientContext context;
  v1::GetModelResponse model;
  EXPECT_TRUE(stub_->GetModel(&context, {}, &model).ok());
}

TEST_F(AdmissionTest, BytesOfRequestsAreBounded) {
  RestartWith([](ServiceOptions* o) {
    o->queue_bytes = static_cast<int64_t>(EvaluateRequestOf(2).ByteSizeLong()) * 5 / 2;
  });
  HoldEvaluate();
  HoldEvaluate();
  grpc::Status status;
  Evaluate(Fresh(EvaluateRequestOf(2)), &status);
  ExpectRefused(status, "QUEUE_BYTES", "queue_bytes");
}

TEST_F(AdmissionTest, TokensAreBoundedButACallAloneMayBeLarger) {
  RestartWith([](ServiceOptions* o) { o->queue_tokens = 10; });
  HoldEvaluate();  // needs 16
  grpc::Status status;
  Evaluate(Fresh(EvaluateRequestOf(2)), &status);
  ExpectRefused(status, "QUEUE_TOKENS", "queue_tokens");
  engine_->Block(false);
  ASSERT_TRUE(WaitFor([&] { return engine_->jobs_ended() == 1; }));
  EXPECT_TRUE(WaitFor([&] {
    Evaluate(Fresh(EvaluateRequestOf(2)), &status);
    return status.ok();
  })) << status.error_message();
}

TEST_F(AdmissionTest, ADeadlineThatCannotBeMetIsRefusedBeforeAnythingRuns) {
  RestartWith([](ServiceOptions*) {});
  engine_->SetLeastSeconds(50);
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + absl::Seconds(40)));
  auto reader = stub_->Evaluate(&context, Fresh(EvaluateRequestOf(2)));
  grpc::Status status;
  ReadAll(reader.get(), &status);
  EXPECT_EQ(ErrorOf(status).code, grpc::DEADLINE_EXCEEDED);
  EXPECT_EQ(ErrorOf(status).reason, "DEADLINE_TOO_SHORT");
  EXPECT_NE(metrics_->Text().find("steer_admission_rejections_total{reason=\"deadline\"} 1"),
            std::string::npos);
  EXPECT_EQ(engine_->jobs_submitted(), 0);
  engine_->SetLeastSeconds(30);
  engine_->Block(false);
  grpc::ClientContext enough;
  enough.set_deadline(absl::ToChronoTime(absl::Now() + absl::Seconds(40)));
  auto again = stub_->Evaluate(&enough, Fresh(EvaluateRequestOf(2)));
  ReadAll(again.get(), &status);
  EXPECT_TRUE(status.ok()) << status.error_message();
}

}  // namespace
}  // namespace steer
