#include "client/commands/run_metrics.h"

#include <stdlib.h>
#include <unistd.h>

#include <functional>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/commands/run_series.h"
#include "client/commands/run_telemetry.h"
#include "gtest/gtest.h"
#include "tests/client/run/experiment_files.h"
#include "tests/support/loopback.h"
#include "tests/support/metrics_table.h"

namespace steer {
namespace {

ArmSpec Arm(const std::string& name, EditKind edit, absl::optional<int> draw = absl::nullopt) {
  return {name, PromptClass::kHarmful, edit, -1, draw};
}

Lock SmallLock() {
  Lock lock;
  lock.digest = std::string(64, 'd');
  lock.plan.name = "plan \"one\"";
  lock.plan.model_name = "org/model";
  lock.plan.seeds = {3};
  lock.arms = {Arm("ablate/harmful", EditKind::kAblate)};
  lock.candidate_layers = {1, 2};
  return lock;
}

// Everything that a run of the lock can have measured.
RunState WholeState(const Lock& lock) {
  RunState state;
  for (const uint64_t number : lock.plan.seeds) {
    SeedSummary seed;
    seed.seed = number;
    for (const ArmSpec& spec : lock.arms) {
      ArmSummary arm;
      arm.arm = spec;
      arm.refusals = {4, 32};
      arm.quality_degenerate = 2;
      arm.receipt.mean_relative_dose = 0.5;
      seed.test_arms.push_back(std::move(arm));
    }
    seed.decision.verdict = Verdict::kNotSingleDirection;
    for (const char* margin : {"baseline", "suppression", "suppression-beyond-control", "induction",
                               "induction-beyond-control"}) {
      seed.decision.margins.push_back({margin, {1, 4}, kEffectMargin, false});
    }
    seed.selection.emplace();
    seed.selection->chosen = true;
    seed.selection->layer = lock.candidate_layers.back();
    for (const int layer : lock.candidate_layers)
      seed.selection->swings.push_back({layer, layer != 1, 0.5, 0.25});
    state.summary.seeds.push_back(std::move(seed));
  }
  state.summary.overall = Verdict::kNotSingleDirection;
  state.scope = {18, 180, 10, 90, false, {}};
  state.summary.seeds[0].failures.emplace_back();
  state.test_seconds.Observe(3);
  return state;
}

RunFacts SomeFacts() {
  RunFacts facts;
  facts.started = 1700000000;
  facts.progress = 1700000009;
  facts.cells_done = 7;
  facts.seconds_left = 12.5;
  facts.retries[{"Evaluate", "UNAVAILABLE"}] = 2;
  facts.servers = {{"a:1", true}, {"b:1", false}};
  return facts;
}

std::string Page(const Lock& lock) {
  return RunMetrics(lock, WholeState(lock), SomeFacts()).Render();
}

TEST(RunMetrics, CarriesCountsMarginsAndVerdict) {
  std::string page = Page(SmallLock());
  for (const char* line : {
           "steer_experiment_cells{state=\"done\"} 10\n",
           "steer_experiment_cells{state=\"failed\"} 1\n",
           "steer_experiment_cells{state=\"pending\"} 7\n",
           "steer_experiment_progress_ratio 0.5\n",
           "steer_experiment_left_seconds 12.5\n",
           "steer_experiment_refused_prompts{seed=\"3\",arm=\"ablate/"
           "harmful\",prompts=\"harmful\"} 4\n",
           "steer_experiment_margin_ratio{seed=\"3\",margin=\"suppression\"} 0.25\n",
           "steer_experiment_verdict{seed=\"all\",verdict=\"NOT-SINGLE-DIRECTION\"} 1\n",
           "steer_experiment_verdict{seed=\"3\",verdict=\"INCOMPLETE\"} 0\n",
           "steer_experiment_state{state=\"running\"} 1\n",
           "steer_experiment_start_timestamp_seconds 1700000000\n",
           "steer_experiment_progress_timestamp_seconds 1700000009\n",
           "steer_experiment_cells_done_total 7\n",
           "steer_experiment_cell_seconds_bucket{stage=\"test\",le=\"5\"} 1\n",
           "steer_experiment_cell_seconds_count{stage=\"selection\"} 0\n",
           "steer_experiment_rpc_retries_total{method=\"Evaluate\",code=\"UNAVAILABLE\"} 2\n",
           "steer_experiment_rpc_retries_total{method=\"GetModel\",code=\"UNAVAILABLE\"} 0\n",
           "steer_experiment_retries 2\n",
           "steer_experiment_server_up{server=\"a:1\"} 1\n",
           "steer_experiment_server_up{server=\"b:1\"} 0\n",
           "steer_experiment_swing{seed=\"3\",layer=\"2\"} 0.75\n",
           "steer_experiment_level_dropped{level=\"seed\"} 0\n",
       }) {
    EXPECT_TRUE(absl::StrContains(page, line)) << line << page;
  }
  EXPECT_TRUE(absl::StrContains(page, "plan=\"plan \\\"one\\\"\""));
  // No direction there, so no swing.
  EXPECT_FALSE(absl::StrContains(page, "layer=\"1\""));
}

// Seeds, layers and control draws of a plan, and what is dropped of it.
struct Size {
  int seeds, layers, draws;
  const char* dropped;
};

Lock LockOf(const Size& size) {
  Lock lock = SmallLock();
  lock.plan.seeds.clear();
  for (int i = 0; i < size.seeds; ++i) lock.plan.seeds.push_back(static_cast<uint64_t>(i));
  lock.candidate_layers.clear();
  for (int i = 1; i <= size.layers; ++i) lock.candidate_layers.push_back(i);
  lock.plan.control_draws = size.draws;
  lock.arms = TestArms(lock.plan);
  return lock;
}

TEST(RunMetrics, StayWithinTheBudgetAndSayWhatIsDropped) {
  for (const Size& size :
       {Size{3, 30, 2, ""}, Size{16, 27, 1, ""}, Size{17, 80, 8, "seed"}, Size{64, 126, 1, "seed"},
        Size{64, 1700, 8, "seed, layer"}, Size{1, 2, 10000, "seed, layer, draw"},
        Size{64, 4000, 10000, "seed, layer, draw"}}) {
    SCOPED_TRACE(absl::StrCat(size.seeds, " seeds, ", size.layers, " layers, ", size.draws));
    const Lock lock = LockOf(size);
    const SeriesLevels levels = LevelsOf(lock);
    EXPECT_EQ(levels.dropped(), size.dropped);
    RunFacts facts = SomeFacts();
    for (size_t i = 0; i < kMostServersShown - 2; ++i) facts.servers[absl::StrCat("s", i)] = true;
    const MetricsText text = RunMetrics(lock, WholeState(lock), facts);
    EXPECT_LE(text.series(), MostSeriesOf(lock, levels));
    EXPECT_LE(text.series(), kMostPushedSeries);
    const std::string page = text.Render();
    const std::pair<const char*, bool> all[] = {
        {"seed", levels.seed}, {"layer", levels.layer}, {"draw", levels.draw}, {"server", true}};
    for (const auto& [level, shown] : all) {
      EXPECT_TRUE(absl::StrContains(page, absl::StrCat("steer_experiment_level_dropped{level=\"",
                                                       level, "\"} ", shown ? 0 : 1, "\n")));
    }
    EXPECT_EQ(absl::StrContains(page, "{seed=\"0\""), levels.seed);
    EXPECT_EQ(absl::StrContains(page, "layer=\""), levels.layer);
    EXPECT_EQ(absl::StrContains(page, "ablate-control-1/"), levels.draw && size.draws > 1);
    EXPECT_TRUE(absl::StrContains(page, "ablate-control-0/"));
  }
}

TEST(RunMetrics, WhatSeedsHadIsSummedWhenTheyAreDropped) {
  const Lock lock = LockOf({64, 20, 8, "seed"});
  RunState state = WholeState(lock);
  state.summary.seeds[0].test_arms[0].refusals = {32, 32};
  state.summary.seeds[0].decision.margins[0].difference = {3, 4};
  const std::string page = RunMetrics(lock, state, SomeFacts()).Render();
  const int refused = 63 * 4 + 32, n = 64 * 32;
  const Interval wilson = WilsonInterval(refused, n);
  const std::string arm = "{seed=\"all\",arm=\"baseline/harmful\",prompts=\"harmful\"} ";
  for (const std::string& line :
       {absl::StrCat("steer_experiment_prompts", arm, n, "\n"),
        absl::StrCat("steer_experiment_refused_prompts", arm, refused, "\n"),
        absl::StrCat("steer_experiment_degenerate_prompts", arm, 128, "\n"),
        absl::StrCat("steer_experiment_dose_ratio", arm, 0.5, "\n"),
        std::string("steer_experiment_swing{seed=\"all\",layer=\"20\"} 0.75\n"),
        std::string("steer_experiment_margin_needed_ratio{seed=\"all\",margin=\"baseline\"} 0.5\n"),
        std::string("steer_experiment_margin_ratio{seed=\"all\",margin=\"baseline\"} 0.2578125\n"),
        std::string(
            "steer_experiment_verdict{seed=\"all\",verdict=\"NOT-SINGLE-DIRECTION\"} 1\n")}) {
    EXPECT_TRUE(absl::StrContains(page, line)) << line;
  }
  const std::string lower = absl::StrCat("steer_experiment_refusal_lower_ratio", arm);
  ASSERT_TRUE(absl::StrContains(page, lower));
  EXPECT_NEAR(atof(page.c_str() + page.find(lower) + lower.size()), wilson.low, 1e-12);
  EXPECT_FALSE(absl::StrContains(page, "steer_experiment_selected_layer"));
}

TEST(RunMetrics, TooManyServersAreLeftOutAndSaid) {
  RunFacts facts;
  for (size_t i = 0; i <= kMostServersShown; ++i) facts.servers[absl::StrCat("s", i)] = true;
  const Lock lock = SmallLock();
  const std::string page = RunMetrics(lock, WholeState(lock), facts).Render();
  EXPECT_FALSE(absl::StrContains(page, "steer_experiment_server_up"));
  EXPECT_TRUE(absl::StrContains(page, "steer_experiment_level_dropped{level=\"server\"} 1\n"));
}

TEST(RunMetrics, PassPromtool) {
  if (access("/usr/bin/promtool", X_OK) != 0) GTEST_SKIP() << "promtool is not installed";
  TemporaryFolder folder;
  for (const Lock& lock : {SmallLock(), LockOf({64, 4000, 10000, ""})}) {
    WriteAll(folder / "page", Page(lock));
    std::string command = absl::StrCat("/usr/bin/promtool check metrics < ", folder / "page", " > ",
                                       folder / "said", " 2>&1");
    EXPECT_EQ(system(command.c_str()), 0) << ReadAll(folder / "said");
    EXPECT_EQ(ReadAll(folder / "said"), "");
  }
}

TEST(RunMetrics, AreThoseOfTheDocumentedTable) {
  TemporaryFolder folder;
  const Lock lock = SmallLock();
  auto log = *ResultLog::Open(folder / "cells.jsonl");
  auto telemetry = *RunTelemetry::Start({"127.0.0.1:0", false, ""}, lock);
  telemetry->Begin(log.get(), absl::Now(), "a:1");
  HttpGet(telemetry->port(), "/metrics");  // the exposer counts its own scrapes from the first on
  const std::string page = HttpGet(telemetry->port(), "/metrics") + Page(lock);
  EXPECT_EQ(Differences(DocumentedMetrics({"Client", "Both programs"}), MetricsOfPage(page)), "");
}

TEST(RunFacts, ReadBackWhatWasWritten) {
  RunFacts facts = SomeFacts();
  facts.seconds_left = 1.0 / 3;
  auto read = ParseRunFacts(RunFactsJson(facts));
  ASSERT_TRUE(read.ok()) << read.status();
  facts.state = RunFacts().state;
  facts.started = 0;
  EXPECT_TRUE(*read == facts);
  EXPECT_TRUE(*ParseRunFacts(RunFactsJson(RunFacts())) == RunFacts());
}

TEST(RunFacts, RefuseWhatNobodyWrote) {
  const Json good = RunFactsJson(SomeFacts());
  for (const char* key : {"cells_done", "retries", "servers"}) {
    for (const Json& bad : {Json("x"), Json::array({1}), Json(), Json::object()}) {
      Json damaged = good;
      damaged[key] = bad;
      EXPECT_FALSE(ParseRunFacts(damaged).ok()) << damaged.dump();
    }
    Json damaged = good;
    damaged.erase(key);
    EXPECT_FALSE(ParseRunFacts(damaged).ok()) << key;
  }
  EXPECT_FALSE(ParseRunFacts(Json::array()).ok());
  auto damaged = [&](const Json& changes) {
    Json json = good;
    json.merge_patch(changes);
    return ParseRunFacts(json);
  };
  EXPECT_FALSE(damaged({{"progress", "x"}}).ok());
  EXPECT_FALSE(damaged({{"seconds_left", "x"}}).ok());
  EXPECT_FALSE(damaged({{"retries", {{{"method", "Fit"}, {"count", 1}}}}}).ok()) << "no code";
  EXPECT_FALSE(
      damaged({{"retries", {{{"method", "Fit"}, {"code", "UNKNOWN"}, {"count", "x"}}}}}).ok());
  EXPECT_FALSE(damaged({{"servers", {{{"server", "a:1"}, {"up", 1}}}}}).ok());
}

TEST(RunFacts, WhatIsNotKnownMayBeAbsent) {
  Json json = RunFactsJson(SomeFacts());
  json.erase("progress");
  json.erase("seconds_left");
  const auto facts = ParseRunFacts(json);
  ASSERT_TRUE(facts.ok()) << facts.status();
  EXPECT_FALSE(facts->progress);
  EXPECT_FALSE(facts->seconds_left);
  EXPECT_FALSE(*facts == SomeFacts());
}

TEST(RunFacts, AreEqualIfEveryFieldIs) {
  const std::function<void(RunFacts*)> changes[] = {
      [](RunFacts* f) { f->state = "done"; },       [](RunFacts* f) { ++f->started; },
      [](RunFacts* f) { f->progress.reset(); },     [](RunFacts* f) { ++f->cells_done; },
      [](RunFacts* f) { f->seconds_left.reset(); }, [](RunFacts* f) { f->retries.clear(); },
      [](RunFacts* f) { f->servers.clear(); }};
  for (const auto& change : changes) {
    RunFacts facts = SomeFacts();
    EXPECT_TRUE(facts == SomeFacts());
    change(&facts);
    EXPECT_FALSE(facts == SomeFacts());
  }
}

// What a run without a usable layer, or without a prompt, has no numbers of.
TEST(RunMetrics, NothingIsDividedByNothing) {
  const Lock lock = SmallLock();
  RunState state = WholeState(lock);
  state.summary.seeds[0].test_arms[0].refusals = {0, 0};
  state.summary.seeds[0].selection->chosen = false;
  const std::string page = RunMetrics(lock, state, SomeFacts()).Render();
  EXPECT_TRUE(absl::StrContains(
      page,
      "steer_experiment_dose_ratio{seed=\"3\",arm=\"ablate/harmful\",prompts=\"harmful\"} 0\n"))
      << page;
  EXPECT_FALSE(absl::StrContains(page, "steer_experiment_selected_layer{"));
  EXPECT_FALSE(absl::StrContains(page, "nan"));
}

TEST(ReadRunState, ADamagedRecordIsAnError) {
  Lock lock = SmallLock();
  lock.splits.resize(1);
  lock.splits[0].seed = 3;
  TemporaryFolder folder;
  const auto state = [&](const Record& record) {
    const std::string path = folder / "cells.jsonl";
    unlink(path.c_str());
    auto log = *ResultLog::Open(path);
    EXPECT_TRUE(log->Append(record).ok());
    return ReadRunState(lock, *log).status();
  };
  const Json digest = {{"plan_digest", lock.digest}};
  auto payload = [&](const char* kind) {
    Json json = digest;
    json["kind"] = kind;
    return json;
  };
  // Of the choice of a layer, of a cell that the lock does not name, and of another lock.
  EXPECT_FALSE(state({"seed-3/selected", payload("selection")}).ok());
  EXPECT_FALSE(state({"seed-3/test/other", payload("cell")}).ok());
  EXPECT_FALSE(state({"seed-9/other", {{"kind", "other"}, {"plan_digest", "x"}}}).ok());
}

}  // namespace
}  // namespace steer
