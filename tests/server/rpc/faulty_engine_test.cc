// What the engine answers on the way to a job (a prompt refused, a cost refused, an exception) ends the call with that
// reason, and nothing is submitted.
#include <new>
#include <stdexcept>

#include "absl/synchronization/notification.h"
#include "common/errors.h"
#include "gmock/gmock.h"
#include "server/rpc/handlers.h"
#include "server/rpc/prepare.h"
#include "tests/server/rpc/forwarding_engine.h"
#include "tests/server/rpc/service_fixture.h"

namespace steer {
namespace {

using ::testing::HasSubstr;

// The fake one, with answers of a test's own. Set before calls.
class FaultyEngine final : public ForwardingEngine {
 public:
  using ForwardingEngine::ForwardingEngine;
  absl::StatusOr<PreparedPrompt> Prepare(const std::string& user,
                                         const absl::optional<std::string>& system) const override {
    if (absl::Status status = prepare(user); !status.ok()) return status;
    return engine_->Prepare(user, system);
  }
  absl::StatusOr<std::shared_ptr<const CompiledIntervention>> Compile(
      const InterventionSpec& spec, const std::string& field,
      std::vector<DirectionStore::Lease>* leases) const override {
    if (!compile.ok()) return compile;
    return engine_->Compile(spec, field, leases);
  }
  absl::StatusOr<JobCost> Cost(const FitJob& job) const override { return CostOf(job); }
  absl::StatusOr<JobCost> Cost(const GenerateJob& job) const override { return CostOf(job); }
  absl::StatusOr<JobCost> Cost(const EvaluateJob& job) const override { return CostOf(job); }

  std::function<absl::Status(const std::string& user)> prepare = [](const std::string&) {
    return absl::OkStatus();
  };
  absl::Status compile, cost;
  int64_t tokens = 0;  // that any job needs besides

 private:
  template <typename Job>
  absl::StatusOr<JobCost> CostOf(const Job& job) const {
    if (!cost.ok()) return cost;
    auto result = engine_->Cost(job);
    if (result.ok()) result->prompt_tokens += tokens;
    return result;
  }
};

class FaultyEngineTest : public ServiceFixture {
 protected:
  void SetUp() override {
    ServiceFixture::SetUp();
    faulty_ = std::make_unique<FaultyEngine>(engine_.get());
    Serve(Defaults());
  }
  void TearDown() override {
    server_ = nullptr;  // before what it serves
    ServiceFixture::TearDown();
  }
  void Serve(const RpcServerOptions& options) {
    Restart(options, /*serve=*/false);
    server_->Serve(faulty_.get());
  }
  void Prepare(std::function<absl::Status(const std::string&)> prepare) {
    faulty_->prepare = std::move(prepare);
  }
  // How each method ends that prepares prompts, with its name.
  std::vector<std::pair<std::string, RpcError>> EndOfEach() {
    std::vector<std::pair<std::string, RpcError>> ends;
    grpc::Status status;
    v1::FitDirectionRequest fit = FitRequest();
    v1::GenerateRequest generate = GenerateRequestOf("prompt 0");
    v1::EvaluateRequest evaluate = EvaluateRequestOf(2);
    fit.set_request_id(FreshUuid());
    evaluate.set_request_id(FreshUuid());
    Fit(fit, &status);
    ends.emplace_back("Fit", ErrorOf(status));
    Generate(generate, &status);
    ends.emplace_back("Generate", ErrorOf(status));
    Evaluate(evaluate, &status);
    ends.emplace_back("Evaluate", ErrorOf(status));
    v1::TokenizeRequest request;
    request.add_prompts()->set_user("prompt 0");
    v1::TokenizeResponse response;
    grpc::ClientContext context;
    ends.emplace_back("Tokenize", ErrorOf(stub_->Tokenize(&context, request, &response)));
    return ends;
  }
  std::unique_ptr<FaultyEngine> faulty_;
};

// A limit of the template or the tokenizer, which the prompt exceeds every time.
TEST_F(FaultyEngineTest, APromptThatTheTokenizerRefusesIsAViolationOfItsField) {
  const std::map<std::string, std::string> fields = {{"Fit", "harmful[0]"},
                                                     {"Generate", "prompt"},
                                                     {"Evaluate", "prompts[0]"},
                                                     {"Tokenize", "prompts[0]"}};
  Prepare([](const std::string&) { return absl::ResourceExhaustedError("too many loops"); });
  for (const auto& [method, end] : EndOfEach()) {
    EXPECT_EQ(end.code, grpc::INVALID_ARGUMENT) << method;
    ASSERT_FALSE(end.violations.empty()) << method;
    EXPECT_EQ(end.violations[0].field, fields.at(method));
    EXPECT_EQ(end.violations[0].description, "too many loops");
  }
}

TEST_F(FaultyEngineTest, AFaultWhileAPromptIsPreparedNamesTheFirst) {
  Prepare([](const std::string&) { return absl::InternalError("broken"); });
  for (const auto& [method, end] : EndOfEach()) {
    EXPECT_EQ(end.code, grpc::INTERNAL) << method;
    EXPECT_THAT(end.message, HasSubstr("broken")) << method;
  }
  Prepare([](const std::string& user) {
    return user == "name three hills" ? absl::InternalError("broken") : absl::OkStatus();
  });
  grpc::Status status;
  Fit(FitRequest(), &status);
  EXPECT_THAT(status.error_message(), HasSubstr("harmless[1]"));
  EXPECT_EQ(engine_->jobs_submitted(), 0);
}

TEST_F(FaultyEngineTest, AnExceptionIsAStatusWithoutItsText) {
  Prepare([](const std::string&) -> absl::Status { throw std::bad_alloc(); });
  for (const auto& [method, end] : EndOfEach()) {
    EXPECT_EQ(end.code, grpc::RESOURCE_EXHAUSTED) << method;
    EXPECT_EQ(end.reason, "OUT_OF_MEMORY") << method;
  }
  Prepare([](const std::string& user) -> absl::Status { throw std::runtime_error(user); });
  for (const auto& [method, end] : EndOfEach()) {
    EXPECT_EQ(end.code, grpc::INTERNAL) << method;
    EXPECT_EQ(end.reason, "UNEXPECTED_EXCEPTION") << method;
    EXPECT_EQ(end.message.find("prompt 0"), std::string::npos) << method;
  }
  EXPECT_EQ(engine_->jobs_submitted(), 0);
}

TEST_F(FaultyEngineTest, ACostThatIsRefusedEndsTheCall) {
  faulty_->cost = MakeError(absl::StatusCode::kResourceExhausted, "TOO_MANY_DIRECTIONS", "full");
  for (const auto& [method, end] : EndOfEach()) {
    if (method == "Tokenize") continue;  // it has no cost
    EXPECT_EQ(end.code, grpc::RESOURCE_EXHAUSTED) << method;
    EXPECT_EQ(end.reason, "TOO_MANY_DIRECTIONS") << method;
  }
  EXPECT_EQ(engine_->jobs_submitted(), 0);
}

// While one call holds tokens, others may hold no more than the rest.
TEST_F(FaultyEngineTest, WorkBeyondTheTokensOfTheQueueIsRefused) {
  RpcServerOptions options = Defaults();
  options.service.queue_tokens = 1000;
  Serve(options);
  faulty_->tokens = 900;
  engine_->Block(true);
  grpc::ClientContext context;
  v1::EvaluateRequest held = EvaluateRequestOf(1);
  held.set_request_id(FreshUuid());
  auto reader = stub_->Evaluate(&context, held);
  ASSERT_TRUE(WaitFor([&] { return engine_->jobs_submitted() == 1; }));
  for (const auto& [method, end] : EndOfEach()) {
    if (method == "Tokenize") continue;
    EXPECT_EQ(end.code, grpc::RESOURCE_EXHAUSTED) << method;
    EXPECT_EQ(end.reason, "QUEUE_TOKENS") << method;
    EXPECT_GT(end.retry_seconds, 0) << method;
  }
  engine_->Block(false);
  grpc::Status status;
  ReadAll(reader.get(), &status);
  EXPECT_TRUE(status.ok()) << status.error_message();
}

// Looked at before each prompt and each arm.
TEST_F(FaultyEngineTest, ACallThatIsLateIsNotPreparedToItsEnd) {
  Prepare([](const std::string&) {
    absl::SleepFor(absl::Milliseconds(300));
    return absl::OkStatus();
  });
  const auto late = [&](int prompts) {
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(absl::Now() + absl::Milliseconds(150)));
    v1::EvaluateRequest request = EvaluateRequestOf(prompts);
    grpc::Status status;
    ReadAll(stub_->Evaluate(&context, request).get(), &status);
    return status.error_code();
  };
  for (int prompts : {1, 8}) {
    const absl::Time start = absl::Now();
    EXPECT_EQ(late(prompts), grpc::DEADLINE_EXCEEDED);
    EXPECT_TRUE(WaitFor([&] {
      return metrics_->Text().find("steer_requests_in_flight{method=\"Evaluate\"} 0\n") !=
             std::string::npos;
    }));
    EXPECT_LT(absl::Now() - start, absl::Milliseconds(7 * 300));
  }
  EXPECT_EQ(engine_->jobs_submitted(), 0);
}

// Of a call that its caller left before a thread of the edge pool was free for it.
TEST_F(FaultyEngineTest, ACallThatIsLateInTheQueueIsNotBegun) {
  RpcServerOptions options = Defaults();
  options.service.edge_threads = 1;
  Serve(options);
  absl::Notification busy, go_on;
  Prepare([&](const std::string&) {
    if (!busy.HasBeenNotified()) busy.Notify();
    go_on.WaitForNotification();
    return absl::OkStatus();
  });
  grpc::ClientContext first;
  auto reader = stub_->Evaluate(&first, EvaluateRequestOf(1));
  busy.WaitForNotification();
  const auto soon = [] { return absl::ToChronoTime(absl::Now() + absl::Milliseconds(500)); };
  grpc::ClientContext unary, stream;
  unary.set_deadline(soon());
  v1::GetModelResponse model;
  EXPECT_EQ(stub_->GetModel(&unary, {}, &model).error_code(), grpc::DEADLINE_EXCEEDED);
  grpc::Status status;
  stream.set_deadline(soon());
  ReadAll(stub_->Generate(&stream, GenerateRequestOf("a")).get(), &status);
  EXPECT_EQ(status.error_code(), grpc::DEADLINE_EXCEEDED);
  // The server counts from a call's arrival, and so is later than the caller.
  absl::SleepFor(absl::Seconds(1));
  go_on.Notify();
  ReadAll(reader.get(), &status);
  EXPECT_TRUE(status.ok()) << status.error_message();
  // They came, and are over.
  for (const char* method : {"GetModel", "Generate"}) {
    EXPECT_TRUE(WaitFor([&] {
      const std::string page = metrics_->Text();
      return page.find(absl::StrCat("steer_requests_in_flight{method=\"", method, "\"} 0\n")) !=
             std::string::npos;
    }));
    EXPECT_THAT(metrics_->Text(),
                testing::ContainsRegex(
                    absl::StrCat("grpc_server_started_total.grpc_method=\"", method, "\".* 1\n")));
  }
  EXPECT_EQ(engine_->jobs_submitted(), 1);
}

TEST_F(FaultyEngineTest, TooManyPromptsOrArmsAreRefusedUnread) {
  int prepared = 0;
  Prepare([&](const std::string&) {
    ++prepared;
    return absl::OkStatus();
  });
  grpc::Status status;
  Evaluate(EvaluateRequestOf(9), &status);
  EXPECT_EQ(FieldsOf(status), "prompts");
  EXPECT_EQ(prepared, 0);
  v1::EvaluateRequest request = EvaluateRequestOf(1);
  faulty_->compile = absl::InternalError("compiled");
  for (int arm = 0; arm < 4; ++arm) {
    *request.add_arms() = request.arms(0);
    request.mutable_arms(arm + 1)->set_name(absl::StrCat("arm ", arm));
    *request.mutable_arms(arm + 1)->mutable_intervention() = AblateWith(std::string(64, 'a'));
  }
  Evaluate(request, &status);
  EXPECT_EQ(FieldsOf(status), "arms");
}

TEST_F(FaultyEngineTest, OfSetsThatCannotBeUsedTheFirstIsNamedAndAllAreCounted) {
  v1::EvaluateRequest request = EvaluateRequestOf(1);
  for (const char* name : {"one", "two"}) {
    v1::Arm* arm = request.add_arms();
    *arm = request.arms(0);
    arm->set_name(name);
    *arm->mutable_intervention() = AblateWith(std::string(64, 'a'));
  }
  grpc::Status status;
  Evaluate(request, &status);
  EXPECT_EQ(status.error_code(), grpc::NOT_FOUND);
  EXPECT_THAT(status.error_message(), HasSubstr("arms[1].intervention"));
  faulty_->compile = MakeError(absl::StatusCode::kFailedPrecondition, "MODEL_MISMATCH", "other");
  Evaluate(request, &status);
  EXPECT_EQ(ErrorOf(status).reason, "MODEL_MISMATCH");
  faulty_->compile = absl::InvalidArgumentError("no such layer");
  Evaluate(request, &status);
  EXPECT_EQ(FieldsOf(status), "arms[1].intervention arms[2].intervention");
  const std::string page = metrics_->Text();
  for (const char* reason : {"unknown_set", "other_model", "violation"}) {
    EXPECT_THAT(page, HasSubstr(absl::StrCat("steer_refused_interventions_total{reason=\"", reason,
                                             "\"} 2\n")));
  }
}

// A reader that takes nothing: what comes after the end of the call is not kept.
TEST_F(FaultyEngineTest, NothingIsSentOfACallThatWasEnded) {
  RpcServerOptions options = Defaults();
  options.service.max_pending_bytes = 1;
  Serve(options);
  grpc::Status status;
  const auto messages = Evaluate(EvaluateRequestOf(1), &status);
  EXPECT_EQ(ErrorOf(status).reason, "SLOW_READER");
  for (const v1::EvaluateResponse& m : messages) EXPECT_FALSE(m.has_summary());
}

TEST_F(FaultyEngineTest, APositionThatIsNoneIsRefusedOnce) {
  v1::FitDirectionRequest request = FitRequest();
  request.add_positions(0);
  grpc::Status status;
  Fit(request, &status);
  EXPECT_EQ(FieldsOf(status), "positions[0]");
}

TEST(InFieldTest, ViolationsAndOtherErrorsStayAsTheyAre) {
  const absl::Status violated = ViolationsError({{"a.b", "is odd"}});
  EXPECT_EQ(InField(violated, "field"), violated);
  EXPECT_EQ(InField(absl::NotFoundError("x"), "field"), absl::NotFoundError("x"));
  const auto found = ViolationsOf(InField(absl::InvalidArgumentError("is odd"), "field"));
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].field, "field");
  EXPECT_EQ(found[0].description, "is odd");
}

template <class Response>
bool Merges(bool (*merge)(Response&, Response&), Response last, Response next, Response* merged) {
  const bool result = merge(last, next);
  *merged = last;
  return result;
}

TEST(MergeTest, ProgressReplacesProgressAndTextExtendsText) {
  v1::FitDirectionResponse early, late, result, fit;
  early.mutable_progress()->set_rows_done(1);
  late.mutable_progress()->set_rows_done(2);
  result.mutable_result()->set_cached(true);
  EXPECT_TRUE(Merges(MergeFit, early, late, &fit));
  EXPECT_EQ(fit.progress().rows_done(), 2);
  EXPECT_FALSE(Merges(MergeFit, early, result, &fit));
  EXPECT_FALSE(Merges(MergeFit, result, early, &fit));

  v1::EvaluateResponse progress, later, outcome, evaluation;
  progress.mutable_progress()->set_rows_done(1);
  later.mutable_progress()->set_rows_done(2);
  outcome.mutable_outcome()->set_arm(1);
  EXPECT_TRUE(Merges(MergeEvaluate, progress, later, &evaluation));
  EXPECT_EQ(evaluation.progress().rows_done(), 2);
  EXPECT_FALSE(Merges(MergeEvaluate, progress, outcome, &evaluation));
  EXPECT_FALSE(Merges(MergeEvaluate, outcome, progress, &evaluation));

  v1::GenerateResponse one, two, end, generation;
  one.set_text("one ");
  two.set_text("two");
  end.mutable_result()->set_generated_tokens(2);
  EXPECT_TRUE(Merges(MergeGenerate, one, two, &generation));
  EXPECT_EQ(generation.text(), "one two");
  EXPECT_FALSE(Merges(MergeGenerate, one, end, &generation));
  EXPECT_FALSE(Merges(MergeGenerate, end, one, &generation));
}

}  // namespace
}  // namespace steer
