// Contract 3 and 2: edits through the decoder equal transformers hooks and, where both are defined,
// orthogonalised weights; and an ablation leaves nothing at any site. See tests/golden/steering.
#include <ATen/core/Tensor.h>
#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>

#include <cstring>

#include "server/model/decoder.h"
#include "server/steering/edit_table.h"
#include "server/weights/safetensors.h"
#include "tests/server/steering/fixtures.h"
#include "tests/support/paths.h"
#include "tests/support/tiny_model.h"

namespace steer {
namespace {

constexpr int64_t kHidden = 48, kLayers = 3;

const SafetensorsFile& Golden() {
  static const auto* const file = new std::shared_ptr<const SafetensorsFile>(
      SafetensorsFile::Open(SourcePath("tests/golden/steering/edits.safetensors")).value());
  return **file;
}

std::vector<float> Floats(const std::string& name) {
  return ToFloat32(Golden().tensors().at(name)).value();
}
std::vector<int32_t> Ints(const std::string& name) {
  const absl::string_view bytes = Golden().tensors().at(name).bytes;
  std::vector<int32_t> values(bytes.size() / sizeof(int32_t));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

// The two golden directions, named by their component.
absl::StatusOr<ResolvedDirection> Resolve(const DirectionRef& ref) {
  const std::vector<float> both = Floats("directions");
  const auto begin = both.begin() + ref.component * kHidden;
  return Resolved(std::vector<float>(begin, begin + kHidden));
}

InterventionSpec SpecOf(const std::string& name) {
  OpSpec op;
  op.directions = {{"", -1, 1, 0, absl::nullopt}};
  if (name == "plain") return {};
  if (name == "both") op.directions.push_back({"", -1, 1, 1, absl::nullopt});
  if (name == "half") op.amount = 0.5;
  if (name == "add") {
    op.kind = OpKind::kAdd;
    op.amount = 1.5;
  }
  if (name == "set") {
    op.kind = OpKind::kSetProjection;
    op.amount = 3;
    op.sites = {2, 4};
  }
  return {{op}};
}

// Applies one intervention to the tokens of one row and keeps the stream at every site.
class RowHook : public SiteHook {
 public:
  RowHook(const CompiledIntervention& edits, int64_t first, int64_t tokens, int64_t prompt_tokens)
      : tallies(static_cast<size_t>(tokens)) {
    for (int64_t i = 0; i < tokens; ++i)
      entries_.push_back(edits.EntryFor(first + i, prompt_tokens));
  }
  bool WantsWrite(int) const override { return true; }
  void OnWrite(int site, at::Tensor& write) override {
    ApplyEditsCpu(site, EditTarget::kWrite, entries_, write, absl::MakeSpan(tallies));
  }
  void OnStream(int site, at::Tensor& x) override {
    ApplyEditsCpu(site, EditTarget::kStream, entries_, x, absl::MakeSpan(tallies));
    streams.push_back(x.clone());
  }
  std::vector<EditTally> tallies;
  std::vector<at::Tensor> streams;  // by site

 private:
  std::vector<const EditEntry*> entries_;
};

void ExpectRowsNear(const at::Tensor& got, const float* wanted, double share,
                    const std::string& what) {
  const at::Tensor x = got.contiguous();
  for (int64_t row = 0; row < x.size(0); ++row) {
    double difference = 0, norm = 0;
    for (int64_t j = 0; j < x.size(1); ++j) {
      const double b = wanted[row * x.size(1) + j];
      difference += std::pow(x.const_data_ptr<float>()[row * x.size(1) + j] - b, 2);
      norm += b * b;
    }
    EXPECT_LE(std::sqrt(difference), share * std::sqrt(norm)) << what << " row " << row;
  }
}

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

  // Prefills the golden prompt, compares, decodes greedily, compares. `wanted` names the golden
  // case.
  void Check(const std::string& intervention, const std::string& wanted) {
    const c10::InferenceMode inference;
    const std::string golden = std::string(GetParam()) + "." + wanted;
    const auto edits = CompileIntervention(SpecOf(intervention), {kLayers, kHidden}, Resolve, "");
    ASSERT_TRUE(edits.ok()) << edits.status();
    const std::vector<int32_t> prompt = Ints("prompt");
    const auto count = static_cast<int32_t>(prompt.size());
    RowHook hook(*edits, 0, count, count);
    const std::vector<StepRow> rows = {{0, 0, 0, count}};
    at::Tensor x = decoder_->Forward({prompt, rows}, &hook);
    ASSERT_EQ(hook.streams.size(), size_t{2 * kLayers + 1});
    const std::vector<float> states = Floats(golden + ".states");
    for (int64_t layer = 0; layer <= kLayers; ++layer) {
      ExpectRowsNear(hook.streams[static_cast<size_t>(2 * layer)],
                     states.data() + layer * count * kHidden, 2e-5,
                     golden + " input of block " + std::to_string(layer));
    }
    at::Tensor logits = decoder_->Logits(x);
    ExpectRowsNear(logits, Floats(golden + ".logits").data(), 2e-5, golden + " logits");
    if (intervention == "ablate" || intervention == "both") CheckNothingLeft(hook);

    std::vector<int32_t> greedy;
    at::Tensor last = logits.select(0, count - 1);
    const std::vector<int32_t> expected = Ints(golden + ".greedy");
    for (int32_t at = count; greedy.size() < expected.size(); ++at) {
      greedy.push_back(static_cast<int32_t>(last.argmax().item<int64_t>()));
      const std::vector<int32_t> id = {greedy.back()};
      const std::vector<StepRow> row = {{0, at, 0, 1}};
      RowHook next(*edits, at, 1, count);
      last = decoder_->Logits(decoder_->Forward({id, row}, &next)).select(0, 0);
    }
    EXPECT_EQ(greedy, expected) << golden;
  }

  static void CheckNothingLeft(const RowHook& hook) {
    const std::vector<float> r = Resolve({"", -1, 1, 0, absl::nullopt})->values;
    const double norm = Resolved(r).norm;
    for (const at::Tensor& stream : hook.streams) {
      const at::Tensor x = stream.contiguous();
      for (int64_t row = 0; row < x.size(0); ++row) {
        double along = 0, squares = 0;
        for (int64_t j = 0; j < kHidden; ++j) {
          const double value = x.const_data_ptr<float>()[row * kHidden + j];
          along += value * r[static_cast<size_t>(j)] / norm;
          squares += value * value;
        }
        EXPECT_LE(std::abs(along), 1e-5 * std::sqrt(squares));
      }
    }
    for (const EditTally& tally : hook.tallies) {
      EXPECT_EQ(tally.edits, 2 * kLayers + 1);
      EXPECT_LE(tally.largest_residual, 1e-5);
    }
  }

  std::unique_ptr<Decoder> decoder_;
};

INSTANTIATE_TEST_SUITE_P(Families, EditsGolden,
                         testing::Values("llama", "llama_tied", "llama_bias", "qwen2", "qwen3",
                                         "gemma3"),
                         [](const auto& info) { return std::string(info.param); });

TEST_P(EditsGolden, EqualTransformersHooks) {
  for (const std::string name : {"plain", "ablate", "both", "half", "add", "set"})
    Check(name, name);
}

// Pre-norm, untied head, no biases: elsewhere the two differ by construction.
class OrthogonalisedWeights : public EditsGolden {};
INSTANTIATE_TEST_SUITE_P(Llama, OrthogonalisedWeights, testing::Values("llama"));

TEST_P(OrthogonalisedWeights, EqualAblation) { Check("ablate", "weights"); }

}  // namespace
}  // namespace steer
