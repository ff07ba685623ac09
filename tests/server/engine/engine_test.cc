#include "server/engine/engine.h"

#include <algorithm>
#include <cmath>
#include <set>

#include <gtest/gtest.h>

#include "absl/time/clock.h"
#include "common/errors.h"
#include "common/philox.h"
#include "tests/server/engine/engine_fixture.h"

namespace steer {
namespace {

// Everything of an outcome that must not depend on batch mates, to the bit.
void ExpectSameBits(const RowOutcome& a, const RowOutcome& b) {
  EXPECT_EQ(a.refused, b.refused);
  EXPECT_EQ(a.degenerate, b.degenerate);
  EXPECT_EQ(a.refusal_log_odds, b.refusal_log_odds);
  EXPECT_EQ(a.kl, b.kl);
  EXPECT_EQ(a.token_digest, b.token_digest);
  EXPECT_EQ(a.generated_tokens, b.generated_tokens);
}

double Refusals(const EvaluateCollector& sink, int arm) {
  double refused = 0, rows = 0;
  for (const RowOutcome& outcome : sink.outcomes) {
    if (outcome.arm != arm) continue;
    refused += outcome.refused;
    rows += 1;
  }
  return refused / rows;
}

double Cosine(absl::Span<const float> a, const Json& b) {
  double dot = 0, norm_a = 0, norm_b = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    double other = b[i];
    dot += a[i] * other;
    norm_a += double{a[i]} * a[i];
    norm_b += other * other;
  }
  return dot / std::sqrt(norm_a * norm_b);
}

// Contract 8, through the whole engine: fitted directions have the cosine that the truth file
// computes from noise and n. Off-axis noise has few dimensions, so a single fit scatters; the mean
// over 20 samples does not.
TEST_F(EngineTest, FittedDirectionsHaveTheCosineOfTheTruth) {
  const int kFits = 20;
  std::map<int, double> mean;
  for (int f = 0; f < kFits; ++f) {
    FitJob job;
    for (size_t i : SampleWithoutReplacement(PhiloxStream(f, 0), harmful().size(), kFit))
      job.harmful.push_back(harmful()[i]);
    for (size_t i : SampleWithoutReplacement(PhiloxStream(f, 1), harmless().size(), kFit))
      job.harmless.push_back(harmless()[i]);
    job.keep_states = false;
    auto sink = std::make_shared<FitCollector>();
    ASSERT_TRUE(engine().Submit(std::move(job), std::make_shared<CallControl>(), sink).ok());
    sink->done.WaitForNotification();
    ASSERT_TRUE(sink->result.ok()) << sink->result.status();
    const DirectionSet& set = *sink->result->stored.set;
    for (const Json& layer : truth()["directions"]) {
      int l = layer["layer"];
      EXPECT_EQ(set.Report(0, l).usable, layer["usable"].get<bool>()) << l;
      if (layer["usable"]) mean[l] += Cosine(set.Direction(0, l), layer["direction"]) / kFits;
    }
  }
  EXPECT_GT(mean.size(), 1u);
  for (auto [l, cosine] : mean) {
    // Stated for the shipped n; the angle's squared tangent goes as 1/n - 1/pool.
    double stated = truth()["directions"][l]["expected_cosine"], pool = truth()["sizes"]["pool"],
           shipped = truth()["sizes"]["train"];
    double tangent2 =
        (1 / (stated * stated) - 1) * (1.0 / kFit - 1 / pool) / (1 / shipped - 1 / pool);
    double expected = 1 / std::sqrt(1 + tangent2);
    EXPECT_NEAR(cosine, expected, 0.35 * (1 - expected)) << "layer " << l;
  }
}

TEST_F(EngineTest, FittingAgainReturnsTheCachedSet) {
  auto [prefill, decode] = engine().prefill_and_decode_steps();
  auto sink = std::make_shared<FitCollector>();
  ASSERT_TRUE(engine().Submit(MakeFit(0, kFit), std::make_shared<CallControl>(), sink).ok());
  sink->done.WaitForNotification();
  ASSERT_TRUE(sink->result.ok());
  EXPECT_TRUE(sink->result->cached);
  EXPECT_EQ(sink->result->stored.set->set_id, set_id());
  EXPECT_EQ(engine().prefill_and_decode_steps().first, prefill);
}

TEST_F(EngineTest, AblationSuppressesAndAdditionInduces) {
  int layer = truth()["layers"]["full"];
  auto harmful_rows =
      Run(MakeEvaluate(HeldOut(harmful(), 32), {nullptr, Ablate(layer), Ablate(layer, 0)}));
  EXPECT_GT(Refusals(*harmful_rows, 0), 0.5);
  EXPECT_LT(Refusals(*harmful_rows, 1), 0.25);
  EXPECT_GT(Refusals(*harmful_rows, 2), 0.5);
  auto harmless_rows =
      Run(MakeEvaluate(HeldOut(harmless(), 32), {nullptr, Add(layer), Add(layer, 0)}));
  EXPECT_LT(Refusals(*harmless_rows, 0), 0.5);
  EXPECT_GT(Refusals(*harmless_rows, 1), 0.75);
  EXPECT_LT(Refusals(*harmless_rows, 2), 0.5);
}

// Contracts 2 and 9: what the receipt says was counted where the arithmetic happened.
TEST_F(EngineTest, ReceiptsCountEveryEdit) {
  int layer = truth()["layers"]["full"];
  int64_t sites = 2 * engine().facts().layers + 1;
  auto sink = Run(MakeEvaluate(HeldOut(harmful(), 5), {nullptr, Ablate(layer), Add(layer)}));
  ASSERT_EQ(sink->arms.size(), 3u);
  for (const auto& [arm, receipt] : sink->arms) {
    EXPECT_EQ(receipt.rows, 5);
    EXPECT_EQ(receipt.edits, receipt.expected_edits);
    EXPECT_GT(receipt.steps, 0);
    EXPECT_EQ(receipt.edits, arm == 0 ? 0 : arm == 1 ? receipt.tokens * sites : receipt.tokens);
    EXPECT_EQ(receipt.sites, arm == 0 ? 0 : arm == 1 ? sites : 1);
  }
  EXPECT_LE(sink->arms[1].second.largest_residual, 1e-5);
  EXPECT_GT(sink->arms[1].second.dose_sum, 0);
  EXPECT_EQ(
      sink->arms[1].second.direction_digests,
      std::vector<std::string>{store().Get(set_id())->set->Report(0, layer).direction_digest});
  // Reference rows for KL are in the call's receipt, not in an arm's.
  EXPECT_EQ(sink->result->rows, 20);
}

// Contracts 1 and 4: a row's numbers are the same alone and in 50 random mixes with other prompts
// and other interventions.
TEST_F(EngineTest, SameRowSameBitsInFiftyMixes) {
  int layer = truth()["layers"]["full"];
  std::vector<PreparedPrompt> prompts = HeldOut(harmful(), 6);
  std::vector<PreparedPrompt> more = HeldOut(harmless(), 6);
  prompts.insert(prompts.end(), more.begin(), more.end());
  std::vector<std::shared_ptr<const CompiledIntervention>> arms = {
      nullptr, Ablate(layer), Ablate(layer, 1), Add(layer), Add(layer, 2)};
  // Alone: one row a call.
  std::map<std::pair<int, int>, RowOutcome> alone;
  for (int a = 0; a < 5; ++a) {
    for (int p = 0; p < 12; p += 4) {
      auto sink = Run(MakeEvaluate({prompts[p]}, {arms[a]}));
      alone[{a, p}] = sink->Of(0, 0);
    }
  }
  for (uint64_t mix = 0; mix < 50; ++mix) {
    PhiloxStream random(mix, 0);
    std::vector<size_t> order = SampleWithoutReplacement(random, 12, 3 + mix % 10);
    std::vector<size_t> arm_order = SampleWithoutReplacement(PhiloxStream(mix, 1), 5, 1 + mix % 5);
    std::vector<PreparedPrompt> some;
    for (size_t p : order) some.push_back(prompts[p]);
    std::vector<std::shared_ptr<const CompiledIntervention>> some_arms;
    for (size_t a : arm_order) some_arms.push_back(arms[a]);
    auto sink = Run(MakeEvaluate(some, some_arms));
    for (size_t a = 0; a < arm_order.size(); ++a) {
      for (size_t p = 0; p < order.size(); ++p) {
        auto reference = alone.find({static_cast<int>(arm_order[a]), static_cast<int>(order[p])});
        if (reference == alone.end()) continue;
        ExpectSameBits(sink->Of(static_cast<int>(a), static_cast<int>(p)), reference->second);
      }
    }
    if (HasFailure()) return;
  }
}

// Contract 4 for fits: a prompt's captured states do not depend on the others.
TEST_F(EngineTest, CapturedStatesDoNotDependOnMates) {
  auto fit = [&](std::vector<PreparedPrompt> a, std::vector<PreparedPrompt> b) {
    FitJob job;
    job.harmful = std::move(a);
    job.harmless = std::move(b);
    auto sink = std::make_shared<FitCollector>();
    EXPECT_TRUE(engine().Submit(std::move(job), std::make_shared<CallControl>(), sink).ok());
    sink->done.WaitForNotification();
    EXPECT_TRUE(sink->result.ok()) << sink->result.status();
    return *store().GetWithStates(sink->result->stored.set->set_id);
  };
  std::vector<PreparedPrompt> h = HeldOut(harmful(), 9), b = HeldOut(harmless(), 7);
  auto big = fit(h, b);
  auto small = fit({h[8], h[3]}, {b[6], b[0]});
  size_t width = static_cast<size_t>(big->layers * big->hidden);
  auto row = [&](const DirectionSet& set, size_t i) {
    return std::vector<float>(set.states.begin() + i * width, set.states.begin() + (i + 1) * width);
  };
  EXPECT_EQ(row(*small, 0), row(*big, 8));
  EXPECT_EQ(row(*small, 1), row(*big, 3));
  EXPECT_EQ(row(*small, 2), row(*big, 9 + 6));
  EXPECT_EQ(row(*small, 3), row(*big, 9 + 0));
}

// Contract 5: K interventions on B rows take as many forward steps as one intervention on B rows.
TEST_F(EngineTest, DistinctInterventionsCostNoSteps) {
  int layer = truth()["layers"]["full"];
  auto steps = [&](std::vector<std::shared_ptr<const CompiledIntervention>> arms) {
    EvaluateJob job = MakeEvaluate(HeldOut(harmful(), 8), std::move(arms));
    job.decode.max_new_tokens = 3;  // no completion ends before
    job.decode_full_window = true;
    job.scores = false;
    auto [p0, d0] = engine().prefill_and_decode_steps();
    Run(std::move(job));
    auto [p1, d1] = engine().prefill_and_decode_steps();
    return std::pair(p1 - p0, d1 - d0);
  };
  std::vector<std::shared_ptr<const CompiledIntervention>> one(8, Ablate(layer)), many;
  for (int k = 0; k < 8; ++k) many.push_back(k % 2 == 0 ? Ablate(layer, k) : Add(layer, k));
  auto with_one = steps(one);
  EXPECT_EQ(steps(many), with_one);
  EXPECT_EQ(with_one.second, 8 * 8 / 8 * 2);  // 64 rows, 8 a step, 2 fed-back tokens
}

TEST_F(EngineTest, EarlyOutcomesEqualFullWindowDecoding) {
  int layer = truth()["layers"]["full"];
  for (bool quality : {false, true}) {
    std::vector<PreparedPrompt> prompts = HeldOut(harmful(), 12);
    auto run = [&](bool full_window) {
      EvaluateJob job = MakeEvaluate(prompts, {nullptr, Ablate(layer), Add(layer), Add(layer, 3)});
      job.judge_quality = quality;
      job.decode_full_window = full_window;
      return Run(std::move(job));
    };
    auto a = run(false), b = run(true);
    int64_t saved = 0;
    for (int arm = 0; arm < 4; ++arm) {
      for (int p = 0; p < 12; ++p) {
        EXPECT_EQ(a->Of(arm, p).refused, b->Of(arm, p).refused);
        EXPECT_EQ(a->Of(arm, p).degenerate, b->Of(arm, p).degenerate);
        EXPECT_EQ(a->Of(arm, p).refusal_log_odds, b->Of(arm, p).refusal_log_odds);
        EXPECT_LE(a->Of(arm, p).generated_tokens, b->Of(arm, p).generated_tokens);
        saved += b->Of(arm, p).generated_tokens - a->Of(arm, p).generated_tokens;
      }
    }
    if (!quality) {
      EXPECT_GT(saved, 0);
    }
  }
}

TEST_F(EngineTest, ScoresOfUneditedRowsHaveNoDivergence) {
  int layer = truth()["layers"]["full"];
  auto sink = Run(MakeEvaluate(HeldOut(harmful(), 4), {nullptr, Ablate(layer)}));
  for (int p = 0; p < 4; ++p) {
    EXPECT_EQ(sink->Of(0, p).kl, 0);
    EXPECT_GT(sink->Of(1, p).kl, 0);
    EXPECT_LT(sink->Of(1, p).refusal_log_odds, sink->Of(0, p).refusal_log_odds);
  }
}

// Generate is the same row as Evaluate's, and its seed draws the same whoever runs beside it.
TEST_F(EngineTest, GenerateDoesNotDependOnMates) {
  auto generate = [&](double temperature) {
    GenerateJob job;
    job.prompt = harmless()[kFit];
    job.decode.max_new_tokens = 24;
    job.decode.temperature = temperature;
    job.decode.seed = 5;
    auto sink = std::make_shared<GenerateCollector>();
    EXPECT_TRUE(engine().Submit(std::move(job), std::make_shared<CallControl>(), sink).ok());
    return sink;
  };
  for (double temperature : {0.0, 1.5}) {
    auto alone = generate(temperature);
    alone->done.WaitForNotification();
    ASSERT_TRUE(alone->result.ok()) << alone->result.status();
    EXPECT_FALSE(alone->text.empty());
    auto noise = std::make_shared<EvaluateCollector>();
    ASSERT_TRUE(engine()
                    .Submit(MakeEvaluate(HeldOut(harmful(), 32), {nullptr, Add(2)}),
                            std::make_shared<CallControl>(), noise)
                    .ok());
    auto beside = generate(temperature);
    beside->done.WaitForNotification();
    noise->done.WaitForNotification();
    EXPECT_EQ(alone->text, beside->text);
    EXPECT_EQ(alone->result->token_digest, beside->result->token_digest);
  }
  EvaluateJob job = MakeEvaluate({harmless()[kFit]}, {nullptr});
  job.decode_full_window = true;
  auto greedy = generate(0);
  greedy->done.WaitForNotification();
  EXPECT_EQ(Run(std::move(job))->Of(0, 0).token_digest, greedy->result->token_digest);
}

TEST_F(EngineTest, CancelAndDeadlineEndACallAndFreeItsRows) {
  for (bool cancel : {true, false}) {
    EvaluateJob job =
        MakeEvaluate(HeldOut(harmful(), 64),
                     std::vector<std::shared_ptr<const CompiledIntervention>>(16, Ablate(2)));
    auto sink = std::make_shared<EvaluateCollector>();
    auto control = std::make_shared<CallControl>();
    if (!cancel) control->deadline = absl::Now() + absl::Milliseconds(30);
    ASSERT_TRUE(engine().Submit(std::move(job), control, sink).ok());
    if (cancel) {
      sink->first.WaitForNotification();
      control->cancelled = true;
    }
    ASSERT_TRUE(sink->done.WaitForNotificationWithTimeout(absl::Seconds(20)));
    EXPECT_EQ(sink->result.status().code(),
              cancel ? absl::StatusCode::kCancelled : absl::StatusCode::kDeadlineExceeded);
    EXPECT_LT(sink->outcomes.size(), 16u * 64u);
  }
  Run(MakeEvaluate(HeldOut(harmful(), 2), {nullptr}));
}

TEST_F(EngineTest, LimitsAreRefusedWithEveryViolation) {
  GenerateJob generate;
  generate.prompt = harmful()[0];
  generate.decode.max_new_tokens = 100000;
  EXPECT_EQ(ViolationsOf(engine().Cost(generate).status()).size(), 2u);
  FitJob fit = MakeFit(0, 1);
  fit.positions = {-1, -1, 3, -100000};
  absl::Status status = engine().Cost(fit).status();
  std::set<std::string> fields;
  for (const Violation& v : ViolationsOf(status)) fields.insert(v.field);
  EXPECT_TRUE(fields.count("harmful") && fields.count("harmless") && fields.count("positions[1]") &&
              fields.count("positions[2]") && fields.count("harmful[0]"))
      << status;
  auto sink = std::make_shared<FitCollector>();
  EXPECT_EQ(engine().Submit(std::move(fit), std::make_shared<CallControl>(), sink), status);
}

TEST_F(EngineTest, PromptsAreCheckedBeforeTheyRun) {
  EXPECT_FALSE(engine().Prepare("", absl::nullopt).ok());
  EXPECT_FALSE(engine().Prepare(std::string("a\0b", 3), absl::nullopt).ok());
  EXPECT_FALSE(engine().Prepare("\xff", absl::nullopt).ok());
  EXPECT_FALSE(engine().Prepare(std::string(40000, 'a'), absl::nullopt).ok());
}

}  // namespace
}  // namespace steer
