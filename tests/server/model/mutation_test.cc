// If the effect of a tensor or of a knob could be lost unnoticed, the parity tests would prove
// little (contract 6).
#include <ATen/TensorOperators.h>
#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/match.h"
#include "server/model/tensor_plan.h"
#include "tests/server/model/golden.h"

namespace steer {
namespace {

class MutationTest : public testing::TestWithParam<const char*> {
 protected:
  MutationTest()
      : golden_(GetParam()),
        trace_(__FILE__, __LINE__, golden_.Describe()),
        checkpoint_(GetParam()),
        config_(ParseModelConfig(checkpoint_.config).value()) {}

  // How far the prompt's logits are from the golden ones, in tolerances, under `config` and the
  // tensors that it asks for.
  double Distance(const ModelConfig& config, int prompt) {
    const auto plan = TensorPlan(config);
    EditableCheckpoint kept = checkpoint_;
    for (const auto& [name, view] : checkpoint_.tensors) {
      if (plan.count(name) == 0) kept.tensors.erase(name);
    }
    auto written = kept.Write();
    EXPECT_TRUE(written.ok()) << written.status();
    auto decoder = Decoder::Load(config, **written, {"cpu", "float32", 640});
    EXPECT_TRUE(decoder.ok()) << decoder.status();
    if (!decoder.ok()) return 0;
    const at::Tensor x = RunRow(**decoder, golden_.Ids("prompt", prompt));
    const at::Tensor logits = golden_.Floats("logits", prompt);
    return MaxAbs((*decoder)->Logits(golden_.AtPositions(x, prompt)) - logits) /
           LogitTolerance(logits);
  }

  c10::InferenceMode inference_;
  const Golden golden_;
  const testing::ScopedTrace trace_;
  EditableCheckpoint checkpoint_;
  const ModelConfig config_;
};
INSTANTIATE_TEST_SUITE_P(Models, MutationTest, testing::ValuesIn(kTinyModels));

TEST_P(MutationTest, EveryTensorMatters) {
  ASSERT_LE(Distance(config_, 2), 1);
  for (const auto& [name, view] : checkpoint_.tensors) {
    const bool gain = absl::StrContains(name, "norm");
    const std::string original = checkpoint_.bytes[name];
    std::fill_n(checkpoint_.Floats(name), view.elements(),
                gain && !config_.norm_unit_offset ? 1.0f : 0.0f);
    EXPECT_GT(Distance(config_, 2), 10) << name;
    std::copy(original.begin(), original.end(), checkpoint_.bytes[name].begin());
  }
}

// Changes a configuration; false if it has nothing to change.
struct Knob {
  const char* name;
  bool (*turn)(ModelConfig& c);
};

template <typename T>
bool Set(T& knob, T value) {
  return std::exchange(knob, value) != value;
}

bool ForEachWindow(ModelConfig& c, int64_t (*change)(int64_t window)) {
  bool changed = false;
  for (LayerConfig& layer : c.layer) {
    if (layer.window > 0) changed |= Set(layer.window, change(layer.window));
  }
  return changed;
}

// Of the tables that some layer reads.
bool ForEachRope(ModelConfig& c, bool (*change)(RopeConfig& rope)) {
  bool changed = false;
  for (size_t i = 0; i < c.ropes.size(); ++i) {
    const bool read = std::any_of(c.layer.begin(), c.layer.end(), [i](const LayerConfig& layer) {
      return static_cast<size_t>(layer.rope) == i;
    });
    if (read) changed |= change(c.ropes[i]);
  }
  return changed;
}

bool ForLlama3(ModelConfig& c, void (*change)(RopeScaling& scaling)) {
  if (c.ropes[0].llama3.factor == 1) return false;
  change(c.ropes[0].llama3);
  return true;
}

bool MoveWindows(ModelConfig& c) {
  int64_t window = 0;
  for (const LayerConfig& layer : c.layer) window = std::max(window, layer.window);
  bool moved = false;
  for (LayerConfig& layer : c.layer) moved |= Set(layer.window, layer.window == 0 ? window : 0);
  return moved && c.layer.size() > 1 && window > 0;
}

bool SwapRopes(ModelConfig& c) {
  if (c.ropes.size() < 2) return false;
  std::swap(c.ropes[0], c.ropes[1]);
  return true;
}

constexpr Knob kKnobs[] = {
    {"llama3 scaling dropped",
     [](ModelConfig& c) { return ForLlama3(c, [](RopeScaling& s) { s.factor = 1; }); }},
    {"llama3 factor",
     [](ModelConfig& c) { return ForLlama3(c, [](RopeScaling& s) { s.factor *= 2; }); }},
    {"llama3 low_freq_factor",
     [](ModelConfig& c) {
       return ForLlama3(c, [](RopeScaling& s) { s.low_frequency_factor = 2; });
     }},
    {"llama3 high_freq_factor",
     [](ModelConfig& c) {
       return ForLlama3(c, [](RopeScaling& s) { s.high_frequency_factor = 8; });
     }},
    {"llama3 original context",
     [](ModelConfig& c) { return ForLlama3(c, [](RopeScaling& s) { s.original_context *= 2; }); }},
    {"linear scaling dropped",
     [](ModelConfig& c) {
       return ForEachRope(c, [](RopeConfig& rope) { return Set(rope.linear_factor, 1.0); });
     }},
    {"rope_theta",
     [](ModelConfig& c) {
       return ForEachRope(c, [](RopeConfig& rope) { return Set(rope.theta, rope.theta * 1.25); });
     }},
    {"rotary tables exchanged", SwapRopes},
    {"windows dropped",
     [](ModelConfig& c) { return ForEachWindow(c, [](int64_t) { return int64_t{0}; }); }},
    {"windows one wider",
     [](ModelConfig& c) { return ForEachWindow(c, [](int64_t w) { return w + 1; }); }},
    {"windows one narrower",
     [](ModelConfig& c) { return ForEachWindow(c, [](int64_t w) { return w - 1; }); }},
    {"windows on the other layers", MoveWindows},
    // Where it is at its usual 1e-6 it shows in nothing that float32 could tell.
    {"epsilon",
     [](ModelConfig& c) {
       return c.norm_epsilon > 1e-4 && Set(c.norm_epsilon, c.norm_epsilon * 10);
     }},
    {"unit offset dropped", [](ModelConfig& c) { return Set(c.norm_unit_offset, false); }},
    {"post-norms dropped", [](ModelConfig& c) { return Set(c.post_norms, false); }},
    {"q and k norms dropped", [](ModelConfig& c) { return Set(c.qk_norm, false); }},
    {"q, k, v bias dropped", [](ModelConfig& c) { return Set(c.qkv_bias, false); }},
    {"output bias dropped", [](ModelConfig& c) { return Set(c.output_bias, false); }},
    {"MLP bias dropped", [](ModelConfig& c) { return Set(c.mlp_bias, false); }},
    {"other activation",
     [](ModelConfig& c) {
       return Set(c.activation,
                  c.activation == Activation::kSilu ? Activation::kGeluTanh : Activation::kSilu);
     }},
    {"embedding scale dropped", [](ModelConfig& c) { return Set(c.embedding_scale, 1.0); }},
    {"query scale dropped", [](ModelConfig& c) { return Set(c.attention_scale, 0.0); }},
    {"softcap dropped", [](ModelConfig& c) { return Set(c.final_logit_softcap, 0.0); }},
};

TEST_P(MutationTest, EveryKnobMatters) {
  ASSERT_LE(Distance(config_, kPrompts - 1), 1);
  for (const Knob& knob : kKnobs) {
    ModelConfig turned = config_;
    if (!knob.turn(turned)) continue;
    EXPECT_GT(Distance(turned, kPrompts - 1), 10) << knob.name;
  }
}

TEST(MutationCoverageTest, SomeCheckpointHasEveryKnob) {
  for (const Knob& knob : kKnobs) {
    const bool turned =
        std::any_of(std::begin(kTinyModels), std::end(kTinyModels), [&knob](const char* model) {
          ModelConfig config = ParseModelConfig(OpenTiny(model)->config()).value();
          return knob.turn(config);
        });
    EXPECT_TRUE(turned) << knob.name;
  }
}

}  // namespace
}  // namespace steer
