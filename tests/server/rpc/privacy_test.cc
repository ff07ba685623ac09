// No text of prompts or completions in logs, the audit log or metrics, whatever field it is sent
// in.
#include <sstream>

#include "common/json.h"
#include "spdlog/sinks/ostream_sink.h"
#include "spdlog/spdlog.h"
#include "tests/server/rpc/service_fixture.h"

namespace steer {
namespace {

class PrivacyTest : public ServiceFixture {
 protected:
  void SetUp() override {
    before_ = spdlog::default_logger();
    auto sink = std::make_shared<spdlog::sinks::ostream_sink_mt>(logged_);
    auto logger = std::make_shared<spdlog::logger>("test", sink);
    logger->set_level(spdlog::level::trace);
    spdlog::set_default_logger(logger);
    ServiceFixture::SetUp();
  }
  void TearDown() override {
    ServiceFixture::TearDown();
    spdlog::set_default_logger(before_);
  }
  std::ostringstream logged_;
  std::shared_ptr<spdlog::logger> before_;
};

TEST_F(PrivacyTest, CanariesStayInside) {
  const std::string marked = "zqxprompt";
  grpc::Status status;
  Generate(GenerateRequestOf(marked), &status);
  EXPECT_TRUE(status.ok());
  // In every field that takes a string.
  v1::EvaluateRequest evaluate = EvaluateRequestOf(1);
  evaluate.mutable_prompts(0)->set_user(marked);
  evaluate.mutable_arms(0)->set_name(marked);
  Evaluate(evaluate, &status);
  EXPECT_TRUE(status.ok());
  evaluate.set_request_id(marked);
  evaluate.set_plan_digest(marked);
  evaluate.set_readout(marked);
  evaluate.set_expected_model_fingerprint(marked);
  evaluate.set_expected_numeric_fingerprint(marked);
  evaluate.mutable_arms(0)->set_name(marked + " ?");
  *evaluate.mutable_arms(0)->mutable_intervention() = AblateWith(marked);
  Evaluate(evaluate, &status);
  EXPECT_EQ(status.error_code(), grpc::INVALID_ARGUMENT);
  v1::FitDirectionRequest fit = FitRequest();
  fit.mutable_harmful(0)->set_user(marked);
  fit.mutable_harmful(1)->set_user(marked);
  Fit(fit, &status);
  EXPECT_EQ(status.error_code(), grpc::INVALID_ARGUMENT);
  // A fault whose message quotes the prompt.
  engine_->FailWith(absl::InternalError("cannot handle " + marked));
  Generate(GenerateRequestOf(marked), &status);
  EXPECT_EQ(status.error_code(), grpc::INTERNAL);
  v1::DeleteDirectionRequest remove;
  remove.set_set_id(marked);
  v1::DeleteDirectionResponse removed;
  grpc::ClientContext context;
  EXPECT_EQ(stub_->DeleteDirection(&context, remove, &removed).error_code(),
            grpc::INVALID_ARGUMENT);
  server_->Shutdown();

  const std::string audit = AuditText();
  const std::string log = logged_.str();
  EXPECT_NE(audit, "");
  EXPECT_NE(log.find("Generate failed: Internal"), std::string::npos) << log;
  for (const std::string& text : {audit, log, metrics_->Text()}) {
    EXPECT_EQ(text.find("zqx"), std::string::npos) << text;
  }
}

TEST_F(PrivacyTest, TheAuditLogSaysWhoDidWhat) {
  v1::EvaluateRequest request = EvaluateRequestOf(2);
  request.set_purpose(v1::PURPOSE_SELECT);
  request.set_plan_digest(std::string(64, '5'));
  for (const bool control : {false, true}) {
    v1::Arm* arm = request.add_arms();
    arm->set_name(control ? "control" : "ablate");
    arm->add_prompts(1);
    *arm->mutable_intervention() = AblateWith(PutSet('a'), control);
  }
  grpc::Status status;
  Evaluate(request, &status);
  ASSERT_TRUE(status.ok());
  const auto line = ParseJson(AuditText());
  ASSERT_TRUE(line.ok()) << line.status() << AuditText();
  EXPECT_EQ((*line)["method"], "Evaluate");
  EXPECT_EQ((*line)["request_id"], kUuid);
  EXPECT_EQ((*line)["plan_digest"], std::string(64, '5'));
  EXPECT_EQ((*line)["purpose"], "select");
  EXPECT_EQ((*line)["code"], "OK");
  EXPECT_EQ((*line)["counts"]["prompts"], 2);
  EXPECT_EQ((*line)["counts"]["arms"], 3);
  EXPECT_EQ((*line)["counts"]["rows"], 4);
  EXPECT_EQ((*line)["counts"]["outcomes"], 4);
  EXPECT_EQ((*line)["interventions"]["ablate"], 2);
  EXPECT_EQ((*line)["interventions"]["control"], 1);
  EXPECT_EQ((*line)["peer"].get<std::string>().rfind("ipv4:127.0.0.1:", 0), 0u);
  EXPECT_GE((*line)["seconds"].get<double>(), 0);
}

TEST_F(PrivacyTest, MetricsCountCallsRowsAndOutcomes) {
  grpc::Status status;
  Evaluate(EvaluateRequestOf(3), &status);
  ASSERT_TRUE(status.ok());
  Evaluate(v1::EvaluateRequest(), &status);
  const std::string text = metrics_->Text();
  const std::string labels =
      "grpc_method=\"Evaluate\",grpc_service=\"steer.v1.SteerService\",grpc_type=\"server_stream\"";
  const std::string arm = "arm_kind=\"ablate\",direction=\"fitted\"";
  for (const std::string& line :
       {"grpc_server_started_total{" + labels + "} 2",
        "grpc_server_handled_total{grpc_code=\"OK\"," + labels + "} 1",
        "grpc_server_handled_total{grpc_code=\"InvalidArgument\"," + labels + "} 1",
        "grpc_server_handling_seconds_count{" + labels + "} 2",
        std::string("steer_requests_in_flight{method=\"Evaluate\"} 0"),
        std::string("steer_rows_total{kind=\"evaluate\"} 3"), "steer_edits_total{" + arm + "} 33",
        std::string("steer_generated_tokens_total 21"),
        "steer_outcomes_total{" + arm + ",quality=\"not_judged\",refused=\"yes\"} 1",
        "steer_outcomes_total{" + arm + ",quality=\"not_judged\",refused=\"no\"} 2"}) {
    EXPECT_NE(text.find(line + "\n"), std::string::npos) << line << "\n" << text;
  }
}

}  // namespace
}  // namespace steer
