#include "client/commands/run_metrics.h"

#include "absl/strings/str_cat.h"
#include "client/telemetry/metrics_text.h"

namespace steer {
namespace {

constexpr Verdict kVerdicts[] = {Verdict::kIncomplete, Verdict::kNoBaselineRefusal,
                                 Verdict::kSingleDirectionReproduces, Verdict::kNotSingleDirection,
                                 Verdict::kSeedsDisagree};

void AddProgress(const RunProgressFacts& progress, MetricsText* text) {
  text->Declare("steer_experiment_cells", "gauge", "Cells of the experiment by state.");
  text->Add("steer_experiment_cells", {{"state", "done"}},
            static_cast<double>(progress.done_cells));
  text->Add("steer_experiment_cells", {{"state", "failed"}},
            static_cast<double>(progress.failed_cells));
  text->Add("steer_experiment_cells", {{"state", "pending"}},
            static_cast<double>(progress.cells - progress.done_cells - progress.failed_cells));
  text->Declare("steer_experiment_rows", "gauge", "Rows of the experiment by state.");
  text->Add("steer_experiment_rows", {{"state", "done"}}, static_cast<double>(progress.done_rows));
  text->Add("steer_experiment_rows", {{"state", "pending"}},
            static_cast<double>(progress.rows - progress.done_rows));
  text->Declare("steer_experiment_progress_ratio", "gauge",
                "Rows that are measured over rows in all.");
  text->Add("steer_experiment_progress_ratio", {},
            progress.rows > 0
                ? static_cast<double>(progress.done_rows) / static_cast<double>(progress.rows)
                : 0);
  if (progress.seconds_left) {
    text->Declare("steer_experiment_left_seconds", "gauge",
                  "Estimated time to the end at the present pace.");
    text->Add("steer_experiment_left_seconds", {}, *progress.seconds_left);
  }
  text->Declare("steer_experiment_start_timestamp_seconds", "gauge",
                "When this session of the run began.");
  text->Add("steer_experiment_start_timestamp_seconds", {}, progress.started);
  text->Declare("steer_experiment_last_progress_timestamp_seconds", "gauge",
                "When this snapshot was taken.");
  text->Add("steer_experiment_last_progress_timestamp_seconds", {}, progress.now);
  text->Declare("steer_experiment_retries", "gauge",
                "Calls that were tried again in this session.");
  text->Add("steer_experiment_retries", {}, static_cast<double>(progress.retries));
  text->Declare("steer_experiment_state", "gauge", "1 for the state that the run is in.");
  for (const char* state : {"running", "done", "incomplete", "stopped"}) {
    text->Add("steer_experiment_state", {{"state", state}}, progress.state == state ? 1 : 0);
  }
}

void AddArms(const SeedSummary& seed, const std::vector<ArmSummary>& arms, MetricsText* text) {
  for (const ArmSummary& arm : arms) {
    Labels labels = {{"seed", absl::StrCat(seed.seed)},
                     {"arm", arm.arm.name},
                     {"prompts", std::string(PromptClassName(arm.arm.prompts))}};
    text->Add("steer_experiment_prompts", labels, static_cast<double>(arm.refusals.n));
    text->Add("steer_experiment_refused_prompts", labels,
              static_cast<double>(arm.refusals.refused));
    text->Add("steer_experiment_degenerate_prompts", labels,
              static_cast<double>(arm.quality_degenerate));
    text->Add("steer_experiment_refusal_ratio", labels, arm.refusals.rate());
    text->Add("steer_experiment_refusal_lower_ratio", labels, arm.wilson.low);
    text->Add("steer_experiment_refusal_upper_ratio", labels, arm.wilson.high);
    text->Add("steer_experiment_dose_ratio", labels, arm.receipt.mean_relative_dose);
  }
}

void AddVerdict(const std::string& seed, Verdict verdict, MetricsText* text) {
  for (Verdict v : kVerdicts) {
    text->Add("steer_experiment_verdict",
              {{"seed", seed}, {"verdict", std::string(VerdictName(v))}}, v == verdict ? 1 : 0);
  }
}

}  // namespace

std::string RenderRunMetrics(const Lock& lock, const Summary& summary,
                             const RunProgressFacts& progress) {
  MetricsText text;
  text.Declare("steer_experiment_info", "gauge", "What is run; always 1.");
  text.Add("steer_experiment_info",
           {{"plan", lock.plan.name},
            {"plan_digest", lock.digest},
            {"model", lock.plan.model_name},
            {"model_fingerprint", lock.model_fingerprint},
            {"readout", lock.plan.readout},
            {"rule", lock.plan.rule}},
           1);
  AddProgress(progress, &text);
  text.Declare("steer_experiment_prompts", "gauge", "Test prompts measured under an arm.");
  text.Declare("steer_experiment_refused_prompts", "gauge", "Test prompts refused under an arm.");
  text.Declare("steer_experiment_degenerate_prompts", "gauge",
               "Test prompts whose completion is degenerate.");
  text.Declare("steer_experiment_refusal_ratio", "gauge", "Refused over measured test prompts.");
  text.Declare("steer_experiment_refusal_lower_ratio", "gauge",
               "Lower end of the Wilson 95 % interval.");
  text.Declare("steer_experiment_refusal_upper_ratio", "gauge",
               "Upper end of the Wilson 95 % interval.");
  text.Declare("steer_experiment_dose_ratio", "gauge", "Mean relative dose of the arm's edits.");
  text.Declare("steer_experiment_margin_ratio", "gauge", "Margins of the decision rule.");
  text.Declare("steer_experiment_margin_needed_ratio", "gauge",
               "What the rule asks of each margin.");
  text.Declare("steer_experiment_selected_layer", "gauge", "Layer chosen on the validation split.");
  text.Declare("steer_experiment_verdict", "gauge",
               "1 for the verdict reached; seed all is the overall one.");
  for (const SeedSummary& seed : summary.seeds) {
    AddArms(seed, seed.test_arms, &text);
    std::string name = absl::StrCat(seed.seed);
    for (const Margin& margin : seed.decision.margins) {
      text.Add("steer_experiment_margin_ratio", {{"seed", name}, {"margin", margin.name}},
               margin.difference.value());
      text.Add("steer_experiment_margin_needed_ratio", {{"seed", name}, {"margin", margin.name}},
               margin.needed.value());
    }
    if (seed.selection && seed.selection->chosen) {
      text.Add("steer_experiment_selected_layer", {{"seed", name}}, seed.selection->layer);
    }
    AddVerdict(name, seed.decision.verdict, &text);
  }
  AddVerdict("all", summary.overall, &text);
  return text.Render();
}

}  // namespace steer
