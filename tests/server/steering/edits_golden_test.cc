// Contract 3: edits through the decoder equal transformers hooks and, where both are defined,
// orthogonalised weights. The cases and how they were made: tests/golden/steering.
#include <ATen/core/Tensor.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/tensor.h>
#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>

#include <iostream>

#include "server/model/decoder.h"
#include "tests/support/edit_golden.h"
#include "tests/support/edit_run.h"
#include "tests/support/tiny_model.h"

namespace steer {
namespace {

constexpr double kTolerance = 2e-5;  // |difference| / |value| of each row
// What is not equal must miss the tolerance by far.
constexpr double kClearlyUnequal = 100 * kTolerance;

// Worst row of a run's states and logits against a golden case.
struct Distance {
  std::vector<double> states;  // by site
  double logits = 0;
};

class EditsGolden : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    auto checkpoint = Checkpoint::Open(TinyCheckpoint(GetParam()));
    ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
    DecoderOptions options;
    options.kv_tokens = 64;
    auto decoder = Decoder::Load(**checkpoint, options);
    ASSERT_TRUE(decoder.ok()) << decoder.status();
    decoder_ = *std::move(decoder);
  }

  EditRun Run(const std::string& name, const EditRunOptions& options = {}) {
    const auto edits = golden_.Compile(name);
    EXPECT_TRUE(edits.ok()) << edits.status();
    EditRun run = RunEdited(*decoder_, *edits, golden_.prompt(), options);
    EXPECT_EQ(run.streams.size(), static_cast<size_t>(golden_.shape().sites()));
    return run;
  }

  // At the first `positions` kept ones; 0: at all.
  Distance DistanceTo(const EditRun& run, const std::string& name, size_t positions = 0) const {
    const size_t all = golden_.kept().size();
    const auto begin = golden_.kept().begin();
    const at::Tensor kept = at::tensor(
        std::vector<int64_t>(
            begin, positions == 0 ? golden_.kept().end() : begin + static_cast<int64_t>(positions)),
        at::kLong);
    const std::vector<float> states = golden_.Floats(name + ".states");
    Distance distance;
    const float* wanted = states.data();
    for (const at::Tensor& stream : run.streams) {
      distance.states.push_back(WorstRow(at::index_select(stream, 0, kept), wanted));
      wanted += all * static_cast<size_t>(golden_.shape().hidden);
    }
    EXPECT_EQ(wanted, states.data() + states.size());
    distance.logits =
        WorstRow(at::index_select(run.logits, 0, kept), golden_.Floats(name + ".logits").data());
    return distance;
  }

  void ExpectEqual(const EditRun& run, const std::string& name, const std::string& how) const {
    const Distance distance = DistanceTo(run, name);
    for (size_t site = 0; site < distance.states.size(); ++site) {
      EXPECT_LE(distance.states[site], kTolerance)
          << GetParam() << " " << name << " " << how << ": stream at site " << site;
    }
    EXPECT_LE(distance.logits, kTolerance) << GetParam() << " " << name << " " << how << ": logits";
    EXPECT_EQ(run.greedy, golden_.Ints(name + ".greedy"))
        << GetParam() << " " << name << " " << how;
  }

  const c10::InferenceMode inference_;
  const EditGolden golden_ = EditGolden::OfTiny(GetParam());
  std::unique_ptr<Decoder> decoder_;
};

INSTANTIATE_TEST_SUITE_P(Checkpoints, EditsGolden, testing::ValuesIn(kEditCheckpoints),
                         [](const auto& info) { return std::string(info.param); });

TEST_P(EditsGolden, EqualTransformersHooks) {
  EXPECT_GE(golden_.cases().size(), 27u);
  EXPECT_EQ(decoder_->config().tied_head, golden_.tied());
  EXPECT_EQ(decoder_->config().post_norms, golden_.post_norms());
  for (const std::string& name : golden_.cases()) {
    ExpectEqual(Run(name), name, "in one piece");
    // Cut inside the last three prompt tokens too; the twin that other devices run.
    EditRunOptions pieces;
    pieces.piece = 4;
    pieces.kernel = &ApplyEditsTorch;
    ExpectEqual(Run(name, pieces), name, "in pieces of 4, by libtorch ops");
  }
}

// A case that changed nothing would show nothing.
TEST_P(EditsGolden, EveryCaseMovesTheLogitsFarBeyondTheTolerance) {
  const std::vector<float> plain = golden_.Floats("plain.logits");
  for (const std::string& name : golden_.cases()) {
    if (name == "plain") continue;
    const Distance distance = DistanceTo(Run(name), "plain");
    EXPECT_GT(distance.logits, kClearlyUnequal) << name;
  }
}

// Arditi et al. 2024, section 4.1. Equal on a pre-norm family whose head is a matrix of its own.
// Elsewhere not: a tied head loses the direction with the embedding while the final norm's gain has
// brought it back into its input, and a norm after a block's output rescales each coordinate of
// what the weights had made orthogonal.
TEST_P(EditsGolden, OrthogonalisedWeightsAreEqualWhereTheyCanBe) {
  const size_t last = static_cast<size_t>(golden_.shape().sites()) - 1;
  for (const std::string hooks : {"stream_full", "write_full"}) {
    const EditRun run = Run(hooks);
    for (const std::string weights : {"weights", "weights_keep_head"}) {
      ASSERT_EQ(golden_.Has(weights + ".states"), weights == "weights" || golden_.tied());
      if (!golden_.Has(weights + ".states")) continue;
      const bool same_head = !golden_.tied() || weights == "weights_keep_head";
      if (!golden_.post_norms() && same_head) {
        ExpectEqual(run, weights, hooks);
        continue;
      }
      // In the prompt, where both have read the same tokens.
      const Distance distance = DistanceTo(run, weights, 2);
      std::cout << GetParam() << ": " << hooks << " is not " << weights << ": final stream off by "
                << distance.states[last] << ", logits by " << distance.logits << "\n";
      EXPECT_LE(distance.states[0], kTolerance);  // the embedding becomes orthogonal all the same
      EXPECT_GT(distance.logits, kClearlyUnequal);
      if (golden_.post_norms()) {
        EXPECT_GT(distance.states[1], kClearlyUnequal);
        EXPECT_GT(distance.states[last], kClearlyUnequal);
      } else {
        for (double states : distance.states) EXPECT_LE(states, kTolerance);
      }
    }
  }
}

}  // namespace
}  // namespace steer
