#include "client/commands/run_metrics.h"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/commands/run_series.h"
#include "client/stats/intervals.h"
#include "common/status_macros.h"

namespace steer {
namespace {

constexpr char kAllSeeds[] = "all";
constexpr Verdict kVerdicts[] = {Verdict::kIncomplete, Verdict::kNoBaselineRefusal,
                                 Verdict::kSingleDirectionReproduces, Verdict::kNotSingleDirection,
                                 Verdict::kSeedsDisagree};
// What a run calls, and the codes that are tried again (client/api/retry.h): there from the start.
constexpr const char* kMethods[] = {"GetModel", "FitDirection",    "GetDirection",
                                    "Evaluate", "ExportDirection", "ImportDirection"};
constexpr const char* kRetriedCodes[] = {"UNAVAILABLE", "RESOURCE_EXHAUSTED"};

double Number(int64_t value) { return static_cast<double>(value); }

void AddInfo(const Lock& lock, MetricsText* text) {
  text->Declare("steer_experiment_info", "gauge", "What is run; always 1.");
  text->Add("steer_experiment_info",
            {{"plan", lock.plan.name},
             {"plan_digest", lock.digest},
             {"model", lock.plan.model_name},
             {"model_fingerprint", lock.model_fingerprint},
             {"readout", lock.plan.readout},
             {"rule", lock.plan.rule}},
            1);
}

void AddProgress(const RunState& state, MetricsText* text) {
  int64_t failed = 0;
  for (const SeedSummary& seed : state.summary.seeds)
    failed += static_cast<int64_t>(seed.failures.size());
  const RunScope& scope = state.scope;
  const int64_t pending = std::max<int64_t>(scope.cells - scope.done_cells - failed, 0);
  text->Declare("steer_experiment_cells", "gauge", "Cells of the experiment by state.");
  for (const auto& [name, cells] :
       {std::make_pair("done", scope.done_cells), std::make_pair("failed", failed),
        std::make_pair("pending", pending)}) {
    text->Add("steer_experiment_cells", {{"state", name}}, Number(cells));
  }
  text->Declare("steer_experiment_rows", "gauge", "Rows of the experiment by state.");
  text->Add("steer_experiment_rows", {{"state", "done"}}, Number(scope.done_rows));
  text->Add("steer_experiment_rows", {{"state", "pending"}}, Number(scope.rows - scope.done_rows));
  text->Declare("steer_experiment_progress_ratio", "gauge",
                "Rows that are measured over rows in all.");
  text->Add("steer_experiment_progress_ratio", {},
            scope.rows > 0 ? Number(scope.done_rows) / Number(scope.rows) : 0);
  text->Declare("steer_experiment_cell_seconds", "histogram",
                "Time of each cell that counts, by stage.");
  text->Add("steer_experiment_cell_seconds", {{"stage", "selection"}}, state.selection_seconds);
  text->Add("steer_experiment_cell_seconds", {{"stage", "test"}}, state.test_seconds);
}

void AddFacts(const RunFacts& facts, MetricsText* text) {
  text->Declare("steer_experiment_state", "gauge", "1 for the state that the run is in.");
  for (const char* state : {"running", "done", "incomplete", "stopped"}) {
    text->Add("steer_experiment_state", {{"state", state}}, facts.state == state ? 1 : 0);
  }
  text->Declare("steer_experiment_start_timestamp_seconds", "gauge",
                "When this session of the run began.");
  text->Add("steer_experiment_start_timestamp_seconds", {}, Number(facts.started));
  if (facts.progress) {
    text->Declare("steer_experiment_progress_timestamp_seconds", "gauge",
                  "When this session last made a cell durable.");
    text->Add("steer_experiment_progress_timestamp_seconds", {}, Number(*facts.progress));
  }
  text->Declare("steer_experiment_cells_done_total", "counter",
                "Cells that this session made durable.");
  text->Add("steer_experiment_cells_done_total", {}, Number(facts.cells_done));
  if (facts.seconds_left) {
    text->Declare("steer_experiment_left_seconds", "gauge",
                  "Estimated time to the end at the present pace.");
    text->Add("steer_experiment_left_seconds", {}, *facts.seconds_left);
  }
  text->Declare("steer_experiment_retries", "gauge",
                "Calls that were tried again in this session.");
  text->Add("steer_experiment_retries", {}, Number(facts.retries_in_all()));
  auto retries = facts.retries;
  for (const char* method : kMethods) {
    for (const char* code : kRetriedCodes) retries[{method, code}] += 0;
  }
  text->Declare("steer_experiment_rpc_retries_total", "counter",
                "Calls that this session tried again, by method and the status that they had.");
  for (const auto& [call, count] : retries) {
    text->Add("steer_experiment_rpc_retries_total", {{"method", call.first}, {"code", call.second}},
              Number(count));
  }
  if (facts.servers.size() > kMostServersShown) return;
  text->Declare("steer_experiment_server_up", "gauge", "1 for a server that answers the run.");
  for (const auto& [server, up] : facts.servers) {
    text->Add("steer_experiment_server_up", {{"server", server}}, up ? 1 : 0);
  }
}

void AddLevels(const SeriesLevels& levels, const RunFacts& facts, MetricsText* text) {
  text->Declare("steer_experiment_level_dropped", "gauge",
                "1 for detail that is left out to keep the number of series small.");
  const std::pair<const char*, bool> all[] = {
      {"seed", levels.seed},
      {"layer", levels.layer},
      {"draw", levels.draw},
      {"server", facts.servers.size() <= kMostServersShown}};
  for (const auto& [level, shown] : all) {
    text->Add("steer_experiment_level_dropped", {{"level", level}}, shown ? 0 : 1);
  }
}

void DeclareResults(MetricsText* text) {
  const std::pair<const char*, const char*> families[] = {
      {"prompts", "Test prompts measured under an arm."},
      {"refused_prompts", "Test prompts refused under an arm."},
      {"degenerate_prompts", "Test prompts whose completion is degenerate."},
      {"refusal_ratio", "Refused over measured test prompts."},
      {"refusal_lower_ratio", "Lower end of the Wilson 95 % interval."},
      {"refusal_upper_ratio", "Upper end of the Wilson 95 % interval."},
      {"dose_ratio", "Mean relative dose of the arm's edits."},
      {"margin_ratio", "Margins of the decision rule."},
      {"margin_needed_ratio", "What the rule asks of each margin."},
      {"swing", "Validation swing of a layer's direction: drop on harmful plus rise on harmless."},
      {"selected_layer", "Layer chosen on the validation split."},
      {"verdict", "1 for the verdict reached; seed all is the overall one."}};
  for (const auto& [name, help] : families) {
    text->Declare(absl::StrCat("steer_experiment_", name), "gauge", help);
  }
}

// One arm's counts, of one seed or of several.
struct ArmCounts {
  std::string prompts;
  RefusalCount refusals;
  int64_t degenerate = 0;
  double dose_rows = 0;  // sum over rows
  void Add(const ArmSummary& arm) {
    prompts = std::string(PromptClassName(arm.arm.prompts));
    refusals.refused += arm.refusals.refused;
    refusals.n += arm.refusals.n;
    degenerate += arm.quality_degenerate;
    dose_rows += arm.receipt.mean_relative_dose * Number(arm.refusals.n);
  }
};

// What stands under one value of the label seed.
struct SeedNumbers {
  std::vector<std::pair<std::string, ArmCounts>> arms;    // in the order of the lock
  std::map<std::string, std::pair<double, int>> margins;  // sum and number
  std::map<std::string, double> needed;
  std::map<int, std::pair<double, int>> swings;  // by layer: sum and number

  void Add(const SeedSummary& seed, const SeriesLevels& levels) {
    for (const ArmSummary& arm : seed.test_arms) {
      if (!levels.draw && arm.arm.control_draw.value_or(0) != 0) continue;
      auto held = std::find_if(arms.begin(), arms.end(),
                               [&](const auto& entry) { return entry.first == arm.arm.name; });
      if (held == arms.end()) held = arms.insert(arms.end(), {arm.arm.name, ArmCounts()});
      held->second.Add(arm);
    }
    for (const Margin& margin : seed.decision.margins) {
      auto& [sum, number] = margins[margin.name];
      sum += margin.difference.value();
      ++number;
      needed[margin.name] = margin.needed.value();
    }
    if (!levels.layer || !seed.selection) return;
    for (const LayerSwing& swing : seed.selection->swings) {
      if (!swing.usable) continue;
      auto& [sum, number] = swings[swing.layer];
      sum += swing.swing();
      ++number;
    }
  }

  void Show(const std::string& seed, MetricsText* text) const {
    for (const auto& [name, arm] : arms) {
      const Labels labels = {{"seed", seed}, {"arm", name}, {"prompts", arm.prompts}};
      const Interval wilson = WilsonInterval(arm.refusals.refused, arm.refusals.n);
      text->Add("steer_experiment_prompts", labels, Number(arm.refusals.n));
      text->Add("steer_experiment_refused_prompts", labels, Number(arm.refusals.refused));
      text->Add("steer_experiment_degenerate_prompts", labels, Number(arm.degenerate));
      text->Add("steer_experiment_refusal_ratio", labels, arm.refusals.rate());
      text->Add("steer_experiment_refusal_lower_ratio", labels, wilson.low);
      text->Add("steer_experiment_refusal_upper_ratio", labels, wilson.high);
      text->Add("steer_experiment_dose_ratio", labels,
                arm.refusals.n > 0 ? arm.dose_rows / Number(arm.refusals.n) : 0);
    }
    for (const auto& [name, margin] : margins) {
      const Labels labels = {{"seed", seed}, {"margin", name}};
      text->Add("steer_experiment_margin_ratio", labels, margin.first / margin.second);
      text->Add("steer_experiment_margin_needed_ratio", labels, needed.at(name));
    }
    for (const auto& [layer, swing] : swings) {
      text->Add("steer_experiment_swing", {{"seed", seed}, {"layer", absl::StrCat(layer)}},
                swing.first / swing.second);
    }
  }
};

void AddVerdict(const std::string& seed, Verdict verdict, MetricsText* text) {
  for (Verdict v : kVerdicts) {
    text->Add("steer_experiment_verdict",
              {{"seed", seed}, {"verdict", std::string(VerdictName(v))}}, v == verdict ? 1 : 0);
  }
}

void AddResults(const Summary& summary, const SeriesLevels& levels, MetricsText* text) {
  DeclareResults(text);
  SeedNumbers all;
  for (const SeedSummary& seed : summary.seeds) {
    if (!levels.seed) {
      all.Add(seed, levels);
      continue;
    }
    const std::string name = absl::StrCat(seed.seed);
    SeedNumbers one;
    one.Add(seed, levels);
    one.Show(name, text);
    if (seed.selection && seed.selection->chosen) {
      text->Add("steer_experiment_selected_layer", {{"seed", name}}, seed.selection->layer);
    }
    AddVerdict(name, seed.decision.verdict, text);
  }
  if (!levels.seed) all.Show(kAllSeeds, text);
  AddVerdict(kAllSeeds, summary.overall, text);
}

}  // namespace

RunState::RunState()
    : selection_seconds({0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800}),
      test_seconds(selection_seconds.bounds()) {}

absl::StatusOr<RunState> ReadRunState(const Lock& lock, const ResultLog& log) {
  RunState state;
  STEER_ASSIGN_OR_RETURN(state.scope, ScopeOf(lock, log));
  STEER_ASSIGN_OR_RETURN(state.summary, BuildSummary(lock, log));
  for (const Record& record : log.records()) {
    if (KindOf(record) != "cell") continue;
    STEER_ASSIGN_OR_RETURN(CellRecord cell, ParseCell(record));
    // Observed, hence not checked when the log was read.
    const absl::StatusOr<double> seconds = JsonNumber(record.observed, "seconds", "observed");
    if (!seconds.ok()) continue;
    (cell.stage == Stage::kTest ? state.test_seconds : state.selection_seconds).Observe(*seconds);
  }
  return state;
}

MetricsText RunMetrics(const Lock& lock, const RunState& state, const RunFacts& facts) {
  MetricsText text;
  const SeriesLevels levels = LevelsOf(lock);
  AddInfo(lock, &text);
  AddProgress(state, &text);
  AddFacts(facts, &text);
  AddLevels(levels, facts, &text);
  AddResults(state.summary, levels, &text);
  return text;
}

GatewayGroup ExperimentGroup(const std::string& url, const std::string& experiment) {
  GatewayGroup group;
  group.url = url;
  group.labels = {{"experiment", experiment}};
  return group;
}

}  // namespace steer
