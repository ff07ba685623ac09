#include "server/telemetry/metrics.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace steer {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr MethodName kMethods[] = {{"Look", CallKind::kUnary}, {"Run", CallKind::kServerStream}};

TEST(MetricsTest, KnownLabelsStartAtZero) {
  const Metrics metrics("pkg.Service", kMethods, "9.9");
  const std::string text = metrics.Text();
  for (const char* line :
       {"grpc_server_started_total{grpc_method=\"Run\",grpc_service=\"pkg.Service\",grpc_type="
        "\"server_stream\"} 0\n",
        "grpc_server_handled_total{grpc_code=\"DataLoss\",grpc_method=\"Look\",grpc_service=\"pkg."
        "Service\",grpc_type=\"unary\"} 0\n",
        "steer_requests_in_flight{method=\"Look\"} 0\n",
        "steer_admission_rejections_total{reason=\"draining\"} 0\n",
        "steer_rows_total{kind=\"reference\"} 0\n", "steer_steps_total{kind=\"prefill\"} 0\n",
        "steer_step_seconds_count{kind=\"decode\"} 0\n",
        "steer_outcomes_total{quality=\"degenerate\",refused=\"yes\"} 0\n",
        "steer_nonfinite_total{where=\"logits\"} 0\n", "steer_ready 0\n",
        "steer_build_info{version=\"9.9\"} 1\n"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
}

TEST(MetricsTest, Calls) {
  Metrics metrics("s", kMethods, "v");
  metrics.CallStarted("Run");
  metrics.CallStarted("Run");
  EXPECT_THAT(metrics.Text(), HasSubstr("steer_requests_in_flight{method=\"Run\"} 2\n"));
  metrics.CallHandled("Run", absl::StatusCode::kCancelled, absl::Milliseconds(300));
  metrics.CallStarted("Unheard");
  metrics.Rejected(Rejection::kTooLarge);
  const std::string text = metrics.Text();
  EXPECT_THAT(text, HasSubstr("steer_requests_in_flight{method=\"Run\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("steer_requests_in_flight{method=\"other\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("{grpc_code=\"Canceled\",grpc_method=\"Run\",grpc_service=\"s\",grpc_"
                              "type=\"server_stream\"} 1\n"));
  EXPECT_THAT(text,
              HasSubstr("grpc_server_handling_seconds_bucket{grpc_method=\"Run\",grpc_service="
                        "\"s\",grpc_type=\"server_stream\",le=\"0.1\"} 0\n"));
  EXPECT_THAT(text,
              HasSubstr("grpc_server_handling_seconds_bucket{grpc_method=\"Run\",grpc_service="
                        "\"s\",grpc_type=\"server_stream\",le=\"0.5\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("steer_admission_rejections_total{reason=\"too_large\"} 1\n"));
}

TEST(MetricsTest, Engine) {
  Metrics metrics("s", kMethods, "v");
  EngineObserver& observer = metrics;
  observer.OnStep(StepKind::kDecode, 3, 3, 32, absl::Milliseconds(20));
  observer.OnStep(StepKind::kDecode, 2, 2, 32, absl::Milliseconds(20));
  observer.OnRow(RowKind::kGenerate, 10, 4, 6);
  observer.OnOutcome(true, true, false);
  observer.OnOutcome(false, true, true);
  observer.OnOutcome(false, false, false);
  observer.OnLoad(5, 6, 7);
  observer.OnNonFinite("NON_FINITE_STATES");
  observer.OnNonFinite("elsewhere");
  const std::string text = metrics.Text();
  for (const char* line :
       {"steer_steps_total{kind=\"decode\"} 2\n", "steer_step_rows_total{kind=\"decode\"} 5\n",
        "steer_step_tokens_total{kind=\"decode\"} 5\n",
        "steer_step_shape_tokens_total{kind=\"decode\"} 64\n",
        "steer_step_seconds_count{kind=\"decode\"} 2\n", "steer_rows_total{kind=\"generate\"} 1\n",
        "steer_prompt_tokens_total 10\n", "steer_generated_tokens_total 4\n",
        "steer_edits_total 6\n", "steer_outcomes_total{quality=\"ok\",refused=\"yes\"} 1\n",
        "steer_outcomes_total{quality=\"degenerate\",refused=\"no\"} 1\n",
        "steer_outcomes_total{quality=\"not_judged\",refused=\"no\"} 1\n", "steer_rows_waiting 5\n",
        "steer_rows_running 6\n", "steer_kv_tokens_used 7\n",
        "steer_nonfinite_total{where=\"states\"} 1\n",
        "steer_nonfinite_total{where=\"elsewhere\"} 1\n"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
}

TEST(MetricsTest, State) {
  Metrics metrics("s", kMethods, "v");
  EXPECT_THAT(metrics.Text(), Not(HasSubstr("steer_model_info{")));
  metrics.SetModel("first", "llama", "cpu", "float32", "f1");
  metrics.SetModel("second", "qwen2", "cpu", "bfloat16", "f2");
  metrics.SetReady(true);
  metrics.SetHeartbeat(absl::FromUnixMillis(1500));
  const std::string text = metrics.Text();
  EXPECT_THAT(text, HasSubstr("model=\"second\"} 1\n"));
  EXPECT_THAT(text, Not(HasSubstr("model=\"first\"")));
  EXPECT_THAT(text, HasSubstr("steer_ready 1\n"));
  EXPECT_THAT(text, HasSubstr("steer_engine_heartbeat_timestamp_seconds 1.5\n"));
}

}  // namespace
}  // namespace steer
