// Weights of every stored type in every model type: the conversion against libtorch's own, the
// decoder against itself on the same values stored otherwise, and what is refused.
#include <ATen/ops/empty.h>
#include <c10/core/InferenceMode.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "server/weights/convert_floats.h"
#include "tests/server/model/golden.h"

namespace steer {
namespace {

using testing::AllOf;
using testing::HasSubstr;

at::ScalarType ScalarTypeOf(TensorType type) {
  return type == TensorType::kFloat64   ? at::kDouble
         : type == TensorType::kFloat32 ? at::kFloat
         : type == TensorType::kFloat16 ? at::kHalf
                                        : at::kBFloat16;
}

// What libtorch makes of a tensor's bytes, as bytes of `to`.
std::string ByTorch(const TensorView& view, at::ScalarType to) {
  at::Tensor stored = at::empty(view.shape, ScalarTypeOf(view.type));
  std::memcpy(stored.data_ptr(), view.bytes.data(), view.bytes.size());
  const at::Tensor converted = stored.to(to).contiguous();
  return std::string(static_cast<const char*>(converted.data_ptr()), converted.nbytes());
}

// Compares element by element, NaN with NaN, from an address that is aligned for nothing.
void ExpectAsTorch(TensorType type, std::string bytes) {
  bytes.insert(0, 1, '\0');
  const int64_t n = static_cast<int64_t>(bytes.size() - 1) / BytesPerElement(type);
  const TensorView view{type, {n}, absl::string_view(bytes).substr(1)};
  for (ModelType to : {ModelType::kFloat32, ModelType::kBFloat16}) {
    const bool wide = to == ModelType::kFloat32;
    const size_t size = wide ? 4 : 2;
    const std::string theirs = ByTorch(view, wide ? at::kFloat : at::kBFloat16);
    std::string ours(static_cast<size_t>(n) * size, '\0');
    const int64_t first = ConvertFloats(view, 0, n, to, ours.data());
    int64_t expected_first = n;
    for (int64_t i = 0; i < n; ++i) {
      uint32_t a = 0, b = 0;
      std::memcpy(reinterpret_cast<char*>(&a) + (4 - size), ours.data() + i * size, size);
      std::memcpy(reinterpret_cast<char*>(&b) + (4 - size), theirs.data() + i * size, size);
      float x, y;
      std::memcpy(&x, &a, 4);
      std::memcpy(&y, &b, 4);
      ASSERT_TRUE(a == b || (std::isnan(x) && std::isnan(y)))
          << TensorTypeName(type) << " element " << i << ": " << x << ", torch has " << y;
      if (!std::isfinite(y) && expected_first == n) expected_first = i;
    }
    EXPECT_EQ(first, expected_first) << TensorTypeName(type);
  }
}

template <typename T>
std::string Bytes(const std::vector<T>& values) {
  return std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
}

TEST(ConvertTest, EveryHalfIsAsTorchHasIt) {
  std::vector<uint16_t> all;
  for (uint32_t bits = 0; bits < 65536; ++bits) all.push_back(static_cast<uint16_t>(bits));
  ExpectAsTorch(TensorType::kFloat16, Bytes(all));
  ExpectAsTorch(TensorType::kBFloat16, Bytes(all));
  // The first element that is not finite, far into the tensor and off every block's edge.
  std::vector<uint16_t> late(5003, 0x3c00);
  late[4999] = 0x7c00;
  ExpectAsTorch(TensorType::kFloat16, Bytes(late));
}

TEST(ConvertTest, FloatsRoundAsTorchRoundsThem) {
  std::mt19937 random(11);
  std::vector<uint32_t> singles;
  // Each bfloat16, its neighbours, and the ties between it and the next one.
  for (uint32_t high = 0; high < 65536; ++high) {
    for (uint32_t low : {0x0000u, 0x0001u, 0x7fffu, 0x8000u, 0x8001u, 0xffffu}) {
      singles.push_back(high << 16 | low);
    }
  }
  for (int i = 0; i < 200000; ++i) singles.push_back(static_cast<uint32_t>(random()));
  ExpectAsTorch(TensorType::kFloat32, Bytes(singles));
}

TEST(ConvertTest, DoublesRoundAsTorchRoundsThem) {
  std::mt19937_64 random(12);
  std::normal_distribution<double> normal;
  std::vector<double> doubles = {0.0,
                                 -0.0,
                                 1e300,
                                 -1e300,
                                 1e-300,
                                 3.4e38,
                                 3.5e38,
                                 1e-46,
                                 1e-40,
                                 1 + 0x1p-24,
                                 1 + 0x1p-24 + 0x1p-50,
                                 1 + 0x1p-9,
                                 1 + 0x1p-9 + 0x1p-40};
  for (int i = 0; i < 100000; ++i) doubles.push_back(std::ldexp(normal(random), i % 300 - 150));
  ExpectAsTorch(TensorType::kFloat64, Bytes(doubles));
}

// Stores every tensor as `type`. Returns whether no value changed.
bool StoreAs(TensorType type, EditableCheckpoint* c) {
  bool exact = true;
  for (auto& [name, view] : c->tensors) {
    at::Tensor values = at::empty(view.shape, at::kFloat);
    std::memcpy(values.data_ptr(), view.bytes.data(), view.bytes.size());
    const at::Tensor stored = values.to(ScalarTypeOf(type));
    exact = exact && stored.to(at::kFloat).equal(values);
    c->bytes[name] = std::string(static_cast<const char*>(stored.data_ptr()), stored.nbytes());
    view = {type, view.shape, c->bytes[name]};
  }
  return exact;
}

// Back to float32, so that the values of a narrower type are held by a checkpoint of the wide one.
void Widen(EditableCheckpoint* c) {
  for (auto& [name, view] : c->tensors) {
    const std::vector<float> values = ToFloat32(view).value();
    c->bytes[name] = Bytes(values);
    view = {TensorType::kFloat32, view.shape, c->bytes[name]};
  }
}

class StoredTypeTest : public testing::TestWithParam<const char*> {};

TEST_P(StoredTypeTest, TheSameValuesGiveTheSameBitsHoweverTheyAreStored) {
  c10::InferenceMode inference;
  const std::vector<int32_t> ids = {3, 77, 4, 100, 5, 6, 0, 41, 9};
  for (TensorType type : {TensorType::kFloat16, TensorType::kBFloat16, TensorType::kFloat64}) {
    EditableCheckpoint narrow(GetParam());
    EXPECT_EQ(StoreAs(type, &narrow), type == TensorType::kFloat64);
    EditableCheckpoint wide = narrow;
    for (auto& [name, view] : wide.tensors) view.bytes = wide.bytes[name];
    Widen(&wide);
    auto stored_narrow = narrow.Write(), stored_wide = wide.Write();
    ASSERT_TRUE(stored_narrow.ok() && stored_wide.ok());
    EXPECT_NE((*stored_narrow)->fingerprint(), (*stored_wide)->fingerprint());
    for (const char* dtype : {"float32", "bfloat16"}) {
      auto a = Decoder::Load(**stored_narrow, {"cpu", dtype, 64});
      auto b = Decoder::Load(**stored_wide, {"cpu", dtype, 64});
      ASSERT_TRUE(a.ok()) << a.status();
      ASSERT_TRUE(b.ok()) << b.status();
      EXPECT_EQ((*a)->parameters(), (*b)->parameters());
      const at::Tensor x = RunRow(**a, ids), y = RunRow(**b, ids);
      EXPECT_TRUE(x.equal(y)) << TensorTypeName(type) << " as " << dtype;
      EXPECT_TRUE((*a)->Logits(x).equal((*b)->Logits(y))) << TensorTypeName(type);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Models, StoredTypeTest,
                         testing::Values("llama", "llama_tied", "qwen2", "gemma3"),
                         [](const auto& info) { return std::string(info.param); });

std::string Refusal(const EditableCheckpoint& c, const char* dtype) {
  auto checkpoint = c.Write();
  if (!checkpoint.ok()) return std::string(checkpoint.status().message());
  const absl::Status status = Decoder::Load(**checkpoint, {"cpu", dtype, 64}).status();
  EXPECT_TRUE(status.ok() || absl::IsInvalidArgument(status)) << status;
  return std::string(status.message());
}

TEST(NonFiniteTest, TheFileTheTensorAndThePlaceAreNamed) {
  const float kInf = std::numeric_limits<float>::infinity();
  for (const char* name :
       {"model.embed_tokens.weight", "lm_head.weight", "model.layers.2.mlp.up_proj.weight"}) {
    EditableCheckpoint c("llama");
    c.Floats(name)[48 * 5 + 7] = NAN;
    c.Floats(name)[48 * 6 + 7] = kInf;  // only the first is named
    for (const char* dtype : {"float32", "bfloat16"}) {
      EXPECT_THAT(Refusal(c, dtype),
                  AllOf(HasSubstr("/model.safetensors: tensor \"" + std::string(name) + "\""),
                        HasSubstr("holds NaN at [5, 7]")));
    }
    c.Floats(name)[48 * 5 + 7] = -kInf;
    EXPECT_THAT(Refusal(c, "float32"), HasSubstr("holds -inf at [5, 7]"));
  }
  EditableCheckpoint c("llama");
  c.Floats("model.norm.weight")[47] = kInf;
  EXPECT_THAT(Refusal(c, "float32"), HasSubstr("\"model.norm.weight\" holds inf at [47]"));
}

TEST(NonFiniteTest, WhatIsTooLargeForTheModelsTypeIsRefusedThereAlone) {
  EditableCheckpoint c("llama");
  c.Floats("model.layers.0.self_attn.o_proj.weight")[1] = 3.4e38f;  // bfloat16 ends at 3.39e38
  EXPECT_EQ(Refusal(c, "float32"), "");
  EXPECT_THAT(Refusal(c, "bfloat16"),
              AllOf(HasSubstr("model.layers.0.self_attn.o_proj.weight"),
                    HasSubstr("holds 3.4e+38 at [0, 1], which bfloat16 cannot hold")));
  EditableCheckpoint wide("llama");
  StoreAs(TensorType::kFloat64, &wide);
  const double huge = -1e39;
  std::memcpy(wide.bytes["model.norm.weight"].data() + 8 * 3, &huge, 8);
  EXPECT_THAT(Refusal(wide, "float32"),
              HasSubstr("\"model.norm.weight\" holds -1e+39 at [3], which float32 cannot hold"));
}

}  // namespace
}  // namespace steer
