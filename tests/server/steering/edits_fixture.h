// A tiny checkpoint, its golden directions, and comparisons to the bit.
#ifndef STEER_TESTS_SERVER_STEERING_EDITS_FIXTURE_H_
#define STEER_TESTS_SERVER_STEERING_EDITS_FIXTURE_H_

#include <ATen/core/Tensor.h>
#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "server/model/decoder.h"
#include "server/steering/subspace.h"
#include "tests/support/edit_golden.h"
#include "tests/support/edit_run.h"
#include "tests/support/tiny_model.h"

namespace steer {

// -0 and 0 differ, a NaN equals itself.
inline bool SameBits(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor x = a.contiguous(), y = b.contiguous();
  return x.scalar_type() == y.scalar_type() && x.sizes() == y.sizes() &&
         std::memcmp(x.const_data_ptr(), y.const_data_ptr(),
                     static_cast<size_t>(x.numel()) * x.element_size()) == 0;
}

class EditsOfCheckpoint : public testing::TestWithParam<const char*> {
 protected:
  static std::unique_ptr<Decoder> Load(const std::string& dtype = "float32") {
    DecoderOptions options;
    options.dtype = dtype;
    options.kv_tokens = 64;
    return Decoder::Load(*Checkpoint::Open(TinyCheckpoint(GetParam())).value(), options).value();
  }

  int sites() const { return static_cast<int>(golden_.shape().sites()); }
  std::vector<int> AllSites() const {
    std::vector<int> all;
    for (int site = 0; site < sites(); ++site) all.push_back(site);
    return all;
  }
  // On the golden directions first, first + 1, ..., by default at every site.
  OpSpec Op(OpKind kind, double amount, EditTarget target, int first = 0, int count = 1) const {
    OpSpec op;
    op.kind = kind;
    op.amount = amount;
    op.target = target;
    op.sites = AllSites();
    for (int i = first; i < first + count; ++i) {
      op.directions.push_back({"", -1, 0, i, absl::nullopt});
    }
    return op;
  }
  CompiledIntervention Compile(const std::vector<OpSpec>& ops) const {
    std::vector<std::vector<float>> vectors;
    for (int i = 0; i < 8; ++i) vectors.push_back(golden_.Direction(i));
    auto compiled = CompileOn(vectors, ops, golden_.shape());
    EXPECT_TRUE(compiled.ok()) << compiled.status();
    return *std::move(compiled);
  }
  std::vector<double> Unit(int direction) const {
    Basis basis;
    EXPECT_TRUE(ExtendBasis(golden_.Direction(direction), &basis));
    return basis[0];
  }

  const c10::InferenceMode inference_;
  const EditGolden golden_ = EditGolden::OfTiny(GetParam());
  const std::vector<int32_t> prompt_ = golden_.prompt();
};

}  // namespace steer

#endif  // STEER_TESTS_SERVER_STEERING_EDITS_FIXTURE_H_
