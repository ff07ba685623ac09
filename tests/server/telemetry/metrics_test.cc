#include "server/telemetry/metrics.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace steer {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr MethodName kMethods[] = {{"Look", CallKind::kUnary}, {"Run", CallKind::kServerStream}};

TEST(MetricsTest, KnownLabelsStartAtZero) {
  const Metrics metrics("pkg.Service", kMethods, {"9.9", "c0ffee", "2.1", "13.0"});
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
        "steer_outcomes_total{arm_kind=\"add\",direction=\"control\",quality=\"degenerate\","
        "refused="
        "\"yes\"} 0\n",
        "steer_dose_ratio_count{arm_kind=\"ablate\",direction=\"fitted\"} 0\n",
        "steer_row_finish_total{kind=\"generate\",reason=\"deadline\"} 0\n",
        "steer_refused_interventions_total{reason=\"violation\"} 0\n",
        "steer_fits_total{result=\"cached\"} 0\n", "steer_canary_runs_total{result=\"failed\"} 0\n",
        "steer_nonfinite_total{where=\"logits\"} 0\n", "steer_ready 0\n",
        "steer_build_info{commit=\"c0ffee\",cuda=\"13.0\",libtorch=\"2.1\",version=\"9.9\"} 1\n"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
}

TEST(MetricsTest, Calls) {
  Metrics metrics("s", kMethods, {"v"});
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

constexpr InterventionClass kAblateFitted = {ArmKind::kAblate, DirectionKind::kFitted};
constexpr InterventionClass kAddControl = {ArmKind::kAdd, DirectionKind::kControl};

RowReport EditedRow(const InterventionClass& intervention) {
  RowReport row;
  row.kind = RowKind::kGenerate;
  row.finish = RowFinish::kLength;
  row.intervention = intervention;
  row.prompt_tokens = 10;
  row.generated_tokens = 4;
  row.edits = 6;
  row.sites = 3;
  row.dose = 0.05;
  row.prefill = absl::Milliseconds(20);
  row.decode = absl::Milliseconds(60);
  return row;
}

TEST(MetricsTest, Steps) {
  Metrics metrics("s", kMethods, {"v"});
  EngineObserver& observer = metrics;
  observer.OnStep({StepKind::kDecode, 3, 3, 32, 2, absl::Milliseconds(20)});
  observer.OnStep({StepKind::kDecode, 2, 2, 32, 0, absl::Milliseconds(20)});
  observer.OnStep({StepKind::kDecode, 1, 1, 32, 1, absl::Milliseconds(-20)});  // a clock set back
  observer.OnLoad(5, 6, 7);
  observer.OnQueueWait(RowKind::kReference, absl::Milliseconds(40));
  observer.OnQueueWait(RowKind::kFit, absl::Milliseconds(40));
  const std::string text = metrics.Text();
  for (const char* line :
       {"steer_steps_total{kind=\"decode\"} 3\n", "steer_step_rows_total{kind=\"decode\"} 6\n",
        "steer_step_tokens_total{kind=\"decode\"} 6\n",
        "steer_step_shape_tokens_total{kind=\"decode\"} 96\n",
        "steer_step_seconds_count{kind=\"decode\"} 3\n",
        "steer_step_seconds_sum{kind=\"decode\"} 0.04\n",
        "steer_rows_per_step_bucket{kind=\"decode\",le=\"2\"} 2\n",
        "steer_interventions_per_step_bucket{kind=\"decode\",le=\"0\"} 1\n",
        "steer_interventions_per_step_sum{kind=\"decode\"} 3\n", "steer_rows_waiting 5\n",
        "steer_rows_running 6\n", "steer_kv_tokens_used 7\n",
        "steer_queue_wait_seconds_bucket{method=\"Evaluate\",le=\"0.05\"} 1\n",
        "steer_queue_wait_seconds_count{method=\"FitDirection\"} 1\n"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
}

TEST(MetricsTest, Rows) {
  Metrics metrics("s", kMethods, {"v"});
  EngineObserver& observer = metrics;
  RowReport ablated = EditedRow(kAblateFitted);
  ablated.residual = 3e-7;
  observer.OnRow(ablated);
  ablated.residual = 0.0 / 0.0;  // its sum must stay a number
  observer.OnRow(ablated);
  observer.OnRow(EditedRow(kAddControl));
  RowReport plain;
  plain.kind = RowKind::kReference;
  plain.prompt_tokens = 5;
  observer.OnRow(plain);
  observer.OnRowDropped(RowKind::kEvaluate, RowFinish::kCancelled);
  observer.OnToken(kAddControl, absl::Milliseconds(7));
  observer.OnFirstToken({}, absl::Milliseconds(30));
  const std::string text = metrics.Text();
  for (const char* line :
       {"steer_rows_total{kind=\"generate\"} 3\n",
        "steer_rows_total{kind=\"reference\"} 1\n",
        "steer_rows_total{kind=\"evaluate\"} 0\n",
        "steer_prompt_tokens_total 35\n",
        "steer_generated_tokens_total 12\n",
        "steer_row_finish_total{kind=\"generate\",reason=\"length\"} 3\n",
        "steer_row_finish_total{kind=\"reference\",reason=\"prompt_end\"} 1\n",
        "steer_row_finish_total{kind=\"evaluate\",reason=\"cancelled\"} 1\n",
        "steer_edited_rows_total{arm_kind=\"ablate\",direction=\"fitted\"} 2\n",
        "steer_edited_sites_total{arm_kind=\"ablate\",direction=\"fitted\"} 6\n",
        "steer_edits_total{arm_kind=\"ablate\",direction=\"fitted\"} 12\n",
        "steer_edits_total{arm_kind=\"add\",direction=\"control\"} 6\n",
        "steer_dose_ratio_bucket{arm_kind=\"add\",direction=\"control\",le=\"0.04\"} 0\n",
        "steer_dose_ratio_bucket{arm_kind=\"add\",direction=\"control\",le=\"0.08\"} 1\n",
        "steer_ablation_residual_ratio_count 1\n",
        "steer_ablation_residual_ratio_sum 3e-07\n",
        "steer_row_prefill_seconds_count{arm_kind=\"none\"} 1\n",
        "steer_row_decode_seconds_count{arm_kind=\"none\"} 0\n",
        "steer_row_decode_seconds_sum{arm_kind=\"add\"} 0.06\n",
        "steer_inter_token_seconds_bucket{arm_kind=\"add\",le=\"0.008\"} 1\n",
        "steer_time_to_first_token_seconds_sum{arm_kind=\"none\"} 0.03\n"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
}

TEST(MetricsTest, OutcomesAndFaults) {
  Metrics metrics("s", kMethods, {"v"});
  EngineObserver& observer = metrics;
  observer.OnOutcome({{}, true, true, false, absl::nullopt});
  observer.OnOutcome({kAblateFitted, false, true, true, 0.02});
  observer.OnOutcome({kAddControl, false, false, false, absl::nullopt});
  observer.OnFit(FitOutcome::kCached);
  observer.OnFitPhase(FitPhase::kForward, absl::Seconds(2));
  observer.OnCanary(false);
  observer.OnOutOfMemory();
  observer.OnHalved();
  observer.OnDeviceError();
  observer.OnNonFinite("NON_FINITE_STATES");
  observer.OnNonFinite("any word\n{at=\"all\"}");
  const std::string text = metrics.Text();
  for (const char* line :
       {"steer_outcomes_total{arm_kind=\"none\",direction=\"none\",quality=\"ok\",refused=\"yes\"} "
        "1\n",
        "steer_outcomes_total{arm_kind=\"ablate\",direction=\"fitted\",quality=\"degenerate\","
        "refused="
        "\"no\"} 1\n",
        "steer_outcomes_total{arm_kind=\"add\",direction=\"control\",quality=\"not_judged\","
        "refused="
        "\"no\"} 1\n",
        "steer_baseline_kl_nats_bucket{arm_kind=\"ablate\",direction=\"fitted\",le=\"0.01\"} 0\n",
        "steer_baseline_kl_nats_bucket{arm_kind=\"ablate\",direction=\"fitted\",le=\"0.03\"} 1\n",
        "steer_baseline_kl_nats_count{arm_kind=\"add\",direction=\"control\"} 0\n",
        "steer_fits_total{result=\"cached\"} 1\n", "steer_fits_total{result=\"fitted\"} 0\n",
        "steer_fit_phase_seconds_sum{phase=\"forward\"} 2\n",
        "steer_canary_runs_total{result=\"failed\"} 1\n", "steer_out_of_memory_total 1\n",
        "steer_batch_halvings_total 1\n", "steer_device_errors_total 1\n",
        "steer_nonfinite_total{where=\"states\"} 1\n",
        "steer_nonfinite_total{where=\"other\"} 1\n"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
}

TEST(MetricsTest, Queue) {
  Metrics metrics("s", kMethods, {"v"});
  metrics.SetQueueCapacity({64, 1000, 2000});
  metrics.SetQueue({1, 2, 3, 40, 50});
  metrics.Replayed("Evaluate");
  metrics.Replayed("Look");  // cannot be replayed: no series
  metrics.InterventionRefused(SpecRefusal::kOtherModel);
  const std::string text = metrics.Text();
  for (const char* line :
       {"steer_queue_calls_capacity 64\n", "steer_queue_tokens_capacity 1000\n",
        "steer_queue_bytes_capacity 2000\n", "steer_queued_calls{method=\"FitDirection\"} 1\n",
        "steer_queued_calls{method=\"Evaluate\"} 2\n",
        "steer_queued_calls{method=\"Generate\"} 3\n", "steer_queued_tokens 40\n",
        "steer_queued_bytes 50\n", "steer_idempotent_replays_total{method=\"Evaluate\"} 1\n",
        "steer_refused_interventions_total{reason=\"other_model\"} 1\n"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
  EXPECT_THAT(text, Not(HasSubstr("replays_total{method=\"Look\"}")));
}

TEST(MetricsTest, State) {
  Metrics metrics("s", kMethods, {"v"});
  EXPECT_THAT(metrics.Text(), Not(HasSubstr("steer_model_info{")));
  metrics.SetModel("first", "llama", "cpu", "float32", "f1");
  metrics.SetModel("second", "qwen2", "cpu", "bfloat16", "f2");
  metrics.SetReady(true);
  metrics.SetHeartbeat(absl::FromUnixMillis(1500));
  metrics.SetClock(absl::FromUnixMillis(2500));
  metrics.SetModelLoad(absl::Seconds(3));
  metrics.SetMemory({100, 20, 3, 200}, 16);
  metrics.SetDraining(true);
  metrics.SetStore({2, 300, -1});
  EXPECT_THAT(metrics.Text(), Not(HasSubstr("steer_store_free_bytes ")));
  metrics.SetStore({2, 300, 4000});
  const std::string text = metrics.Text();
  for (const char* line :
       {"steer_clock_timestamp_seconds 2.5\n", "steer_model_load_seconds 3\n",
        "steer_memory_bytes{kind=\"weights\"} 100\n", "steer_memory_bytes{kind=\"kv_arena\"} 20\n",
        "steer_memory_bytes{kind=\"work\"} 3\n", "steer_memory_bytes{kind=\"limit\"} 200\n",
        "steer_kv_tokens_capacity 16\n", "steer_draining 1\n", "steer_directions 2\n",
        "steer_direction_store_bytes 300\n", "steer_store_free_bytes 4000\n"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
  EXPECT_THAT(text, HasSubstr("model=\"second\"} 1\n"));
  EXPECT_THAT(text, Not(HasSubstr("model=\"first\"")));
  EXPECT_THAT(text, HasSubstr("steer_ready 1\n"));
  EXPECT_THAT(text, HasSubstr("steer_engine_heartbeat_timestamp_seconds 1.5\n"));
}

// A sum that holds a NaN is lost for good, and an edit that met no token is none.
TEST(MetricsTest, WhatIsNotFiniteOrDidNotHappenIsInNoSum) {
  Metrics metrics("s", kMethods, {"v"});
  EngineObserver& observer = metrics;
  RowReport row = EditedRow(kAblateFitted);
  row.dose = 0.0 / 0.0;
  observer.OnRow(row);
  row.edits = 0;
  observer.OnRow(row);
  OutcomeReport outcome;
  outcome.intervention = kAblateFitted;
  outcome.kl = 1.0 / 0.0;
  observer.OnOutcome(outcome);
  const std::string text = metrics.Text();
  for (const char* line :
       {"steer_rows_total{kind=\"generate\"} 2\n",
        "steer_edited_rows_total{arm_kind=\"ablate\",direction=\"fitted\"} 1\n",
        "steer_dose_ratio_count{arm_kind=\"ablate\",direction=\"fitted\"} 0\n"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
  for (const char* odd : {" Nan\n", " +Inf\n", " NaN\n"}) EXPECT_THAT(text, Not(HasSubstr(odd)));
}

TEST(MetricsTest, CodesOutsideTheKnownOnesAndFailuresAreCounted) {
  EXPECT_EQ(GrpcCodeLabel(static_cast<absl::StatusCode>(99)), "Unknown");
  Metrics metrics("s", kMethods, {"v"});
  metrics.CallStarted("Run");
  metrics.CallHandled("Run", static_cast<absl::StatusCode>(99), absl::Milliseconds(1));
  EXPECT_THAT(metrics.Text(), HasSubstr("{grpc_code=\"Unknown\",grpc_method=\"Run\",grpc_service="
                                        "\"s\",grpc_type=\"server_stream\"} 1\n"));
  metrics.AuditRecord(true);
  metrics.AuditRecord(false);
  EXPECT_THAT(metrics.Text(), HasSubstr("steer_audit_records_total{result=\"failed\"} 1\n"));
  for (bool draining : {true, false}) {
    metrics.SetDraining(draining);
    EXPECT_THAT(metrics.Text(), HasSubstr(draining ? "steer_draining 1\n" : "steer_draining 0\n"));
  }
}

}  // namespace
}  // namespace steer
