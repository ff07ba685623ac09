// What Decoder::Load and Forward refuse.
#include <ATen/core/Tensor.h>
#include <c10/core/InferenceMode.h>
#include <c10/util/Exception.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "tests/server/model/golden.h"

namespace steer {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

absl::Status LoadStatus(const EditableCheckpoint& edited,
                        DecoderOptions options = {"cpu", "float32", 64}) {
  auto checkpoint = edited.Write();
  if (!checkpoint.ok()) return checkpoint.status();
  return Decoder::Load(**checkpoint, options).status();
}

TEST(LoadTest, ListsEveryTensorThatDoesNotFit) {
  EditableCheckpoint c("qwen2_window");
  c.tensors.erase("model.layers.1.self_attn.k_proj.bias");
  c.tensors.erase("lm_head.weight");
  c.Put("model.norm.weight", {47});
  c.Put("model.layers.2.mlp.up_proj.weight", {48, 80});
  c.Put("model.layers.3.mlp.up_proj.weight", {80, 48});
  c.Put("extra", {1});
  const absl::Status status = LoadStatus(c);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("missing model.layers.1.self_attn.k_proj.bias [16]"),
                    HasSubstr("missing lm_head.weight [101, 48]"),
                    HasSubstr("misshapen model.norm.weight: [47], config.json asks for [48]"),
                    HasSubstr("misshapen model.layers.2.mlp.up_proj.weight: [48, 80]"),
                    HasSubstr("unused model.layers.3.mlp.up_proj.weight"),
                    HasSubstr("unused extra [1]"), HasSubstr("(6 tensors)")));
}

TEST(LoadTest, RefusesATensorThatIsNoFloat) {
  EditableCheckpoint c("llama");
  c.tensors["model.norm.weight"].type = TensorType::kInt32;
  EXPECT_THAT(std::string(LoadStatus(c).message()), HasSubstr("model.norm.weight: type I32"));
}

TEST(LoadTest, ToleratesOnlyHarmlessExtras) {
  EditableCheckpoint c("qwen2");
  c.Put("model.layers.0.self_attn.rotary_emb.inv_freq", {4});
  c.Put("lm_head.weight", {101, 48});
  c.bytes["lm_head.weight"].assign(c.bytes["model.embed_tokens.weight"]);
  c.tensors["lm_head.weight"].bytes = c.bytes["lm_head.weight"];
  EXPECT_TRUE(LoadStatus(c).ok()) << LoadStatus(c);
  c.Floats("lm_head.weight")[17] += 1;
  EXPECT_THAT(std::string(LoadStatus(c).message()),
              AllOf(HasSubstr("unused lm_head.weight"), Not(HasSubstr("inv_freq"))));
}

// A head beside a tied embedding is harmless only as the embedding's copy.
TEST(LoadTest, ATiedHeadIsTheEmbeddingOrRefused) {
  for (const char* change : {"embedding", "type", "shape"}) {
    EditableCheckpoint c("qwen2");
    c.Put("lm_head.weight", {101, 48});
    if (change[0] == 'e') c.tensors.erase("model.embed_tokens.weight");
    if (change[0] == 't') c.tensors["lm_head.weight"].type = TensorType::kInt32;
    if (change[0] == 's') c.Put("lm_head.weight", {48, 101});
    const absl::Status status = LoadStatus(c);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << change;
    EXPECT_THAT(std::string(status.message()), HasSubstr("unused lm_head.weight")) << change;
  }
}

TEST(LoadTest, RefusesBadOptions) {
  EditableCheckpoint c("llama");
  for (const DecoderOptions& options :
       {DecoderOptions{"tpu", "float32", 64}, DecoderOptions{"cpu", "float16", 64},
        DecoderOptions{"cpu", "float32", 0}, DecoderOptions{"cpu", "float32", -5},
        DecoderOptions{"cpu", "float32", int64_t{1} << 62}}) {
    EXPECT_EQ(LoadStatus(c, options).code(), absl::StatusCode::kInvalidArgument);
  }
  EXPECT_EQ(LoadStatus(c, {"cpu", "float32", int64_t{1} << 36}).code(),
            absl::StatusCode::kResourceExhausted);
  // steerd loads CUDA before it loads a model; where nobody has, there is no such device.
  const absl::Status cuda = LoadStatus(c, {"cuda", "float32", 64});
  EXPECT_EQ(cuda.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(cuda.message()), HasSubstr("cannot be placed on cuda"));
}

TEST(LoadTest, HostileSizesAreRefusedBeforeAnythingIsAllocated) {
  for (const char* key :
       {"hidden_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads",
        "intermediate_size", "vocab_size", "head_dim", "max_position_embeddings"}) {
    for (const Json& value : {Json(0), Json(-1), Json(int64_t{1} << 40), Json(UINT64_MAX),
                              Json(1.5), Json("4"), Json::array()}) {
      EditableCheckpoint c("llama");
      c.config[key] = value;
      const absl::Status status = LoadStatus(c);
      EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << key << " = " << value;
      EXPECT_THAT(std::string(status.message()), HasSubstr(key));
    }
  }
}

TEST(LoadTest, Describes) {
  std::unique_ptr<Decoder> decoder = LoadTiny("llama");
  EXPECT_EQ(decoder->parameters(), 63024);
  EXPECT_EQ(decoder->kv_bytes_per_token(), 3 * 2 * 2 * 8 * 4);
  EXPECT_EQ(LoadTiny("qwen2")->parameters(), 58416);  // tied: the head counts once
  EXPECT_EQ(LoadTiny("llama", "bfloat16")->kv_bytes_per_token(), 3 * 2 * 2 * 8 * 2);
}

TEST(LoadTest, FactsNameWhatCanChangeBits) {
  std::string cpu, bf16;
  for (const auto& [name, value] : NumericFacts({"cpu", "float32", 1})) {
    EXPECT_FALSE(value.empty()) << name;
    cpu += name + "=" + value + "\n";
  }
  for (const auto& [name, value] : NumericFacts({"cpu", "bfloat16", 1}))
    bf16 += name + "=" + value + "\n";
  EXPECT_THAT(cpu, AllOf(HasSubstr("libtorch=2."), HasSubstr("threads="),
                         HasSubstr("dtype=float32"), HasSubstr("linear=")));
  EXPECT_NE(cpu, bf16);
  std::map<std::string, std::string> cuda;
  for (const auto& [name, value] : NumericFacts({"cuda", "float32", 1})) cuda[name] = value;
  EXPECT_EQ(cuda["device"], "cuda");
  EXPECT_EQ(cuda["linear"], "at::linear");
  EXPECT_EQ(cuda["attention"], "libtorch-token-1");
  EXPECT_EQ(cuda["row_kernels"], "none");
}

TEST(StepTest, RefusesWhatLeavesItsRange) {
  c10::InferenceMode inference;
  std::unique_ptr<Decoder> decoder = LoadTiny("llama", "float32", 64);
  const std::vector<int32_t> ids = {3, 4, 5, 6};
  const auto run = [&](std::vector<int32_t> tokens, std::vector<StepRow> rows) {
    return decoder->Forward({tokens, rows}, nullptr);
  };
  EXPECT_NO_THROW(run(ids, {{60, 0, 0, 4}}));
  EXPECT_THROW(run({}, {}), c10::Error);
  EXPECT_THROW(run({3, 101}, {}), c10::Error);
  EXPECT_THROW(run({-1}, {}), c10::Error);
  EXPECT_THROW(run(ids, {{61, 0, 0, 4}}), c10::Error);
  EXPECT_THROW(run(ids, {{-1, 0, 0, 4}}), c10::Error);
  EXPECT_THROW(run(ids, {{0, 61, 0, 4}}), c10::Error);
  EXPECT_THROW(run(ids, {{0, -1, 0, 4}}), c10::Error);
  EXPECT_THROW(run(ids, {{0, 0, 1, 4}}), c10::Error);
  EXPECT_THROW(run(ids, {{0, 0, -1, 2}}), c10::Error);
  EXPECT_THROW(run(ids, {{0, 0, 0, 3}, {30, 0, 2, 2}}), c10::Error);
  EXPECT_THROW(run(ids, {{0, 2147483647, 0, 4}}), c10::Error);
}

}  // namespace
}  // namespace steer
