#include "server/planted/block_builder.h"

#include <cassert>
#include <cmath>

#include "absl/strings/str_cat.h"

namespace steer::planted {
namespace {

// The slowest rotary pairs of a head are (15, 31) and (14, 30); their second halves stay empty, so
// the two do not mix.
constexpr int kWordSlot = kHeadDim / 2 - 1;
constexpr int kSinkSlot = kHeadDim / 2 - 2;

std::vector<std::vector<double>> Zeros(int rows, int columns) {
  return std::vector<std::vector<double>>(rows, std::vector<double>(columns, 0.0));
}

LayoutVector Dense(const Combination& combination) {
  LayoutVector v = ZeroVector();
  for (const auto& [coordinate, weight] : combination) v[coordinate] += weight;
  return v;
}

std::vector<std::vector<double>> Transposed(const std::vector<std::vector<double>>& columns) {
  auto rows = Zeros(static_cast<int>(columns[0].size()), static_cast<int>(columns.size()));
  for (size_t i = 0; i < columns.size(); ++i) {
    for (size_t j = 0; j < columns[i].size(); ++j) rows[j][i] = columns[i][j];
  }
  return rows;
}

}  // namespace

double RootMeanSquare(double norm) { return std::sqrt(norm * norm / kHidden + kNormEpsilon); }

BlockBuilder::BlockBuilder(const StreamBasis& basis, std::vector<double> attention_gain,
                           std::vector<double> mlp_gain)
    : basis_(basis),
      attention_gain_(std::move(attention_gain)),
      mlp_gain_(std::move(mlp_gain)),
      query_(Zeros(kHeads * kHeadDim, kHidden)),
      key_(Zeros(kKvHeads * kHeadDim, kHidden)),
      value_(Zeros(kKvHeads * kHeadDim, kHidden)),
      output_(Zeros(kHeads * kHeadDim, kHidden)),
      gate_(Zeros(kIntermediate, kHidden)),
      up_(Zeros(kIntermediate, kHidden)),
      down_(Zeros(kIntermediate, kHidden)) {}

std::vector<double> HeadRow(const StreamBasis& basis, const Combination& combination,
                            const std::vector<double>& gain) {
  std::vector<double> row = basis.Turn(Dense(combination));
  for (int i = 0; i < kHidden; ++i) row[i] /= gain[i];
  return row;
}

std::vector<double> BlockBuilder::Reader(const Combination& combination,
                                         const std::vector<double>& gain) const {
  return HeadRow(basis_, combination, gain);
}

std::vector<double> BlockBuilder::Writer(const Combination& combination) const {
  return basis_.Turn(Dense(combination));
}

void BlockBuilder::AddGather(int head, double word_norm, const std::vector<Gather>& gathers) {
  const int query = head * kHeadDim;
  const int key = head / (kHeads / kKvHeads) * kHeadDim;
  const double word_rms = RootMeanSquare(word_norm);
  const double query_rms =
      RootMeanSquare(std::sqrt(kConstantValue * kConstantValue + kIdentityValue * kIdentityValue +
                               kQueryValue * kQueryValue));
  const double sink_rms = RootMeanSquare(std::hypot(kConstantValue, kSinkValue));
  const double scale = std::sqrt(static_cast<double>(kHeadDim));
  // Keys are 1 at words and at the sink; queries carry the scores.
  query_[query + kWordSlot] =
      Reader({{kQuery, kWordScore * scale * query_rms / kQueryValue}}, attention_gain_);
  query_[query + kSinkSlot] =
      Reader({{kConstant, kSinkScore * scale * query_rms / kConstantValue}}, attention_gain_);
  key_[key + kWordSlot] = Reader({{kFlag, word_rms / kFlagValue}}, attention_gain_);
  key_[key + kSinkSlot] = Reader({{kSink, sink_rms / kSinkValue}}, attention_gain_);
  for (size_t i = 0; i < gathers.size(); ++i) {
    value_[key + i] = Reader({{gathers[i].from, word_rms}}, attention_gain_);
    output_[query + i] = Writer({{gathers[i].to, gathers[i].amount}});
  }
}

void BlockBuilder::AddNeuron(const Combination& gate, const Combination& up,
                             const Combination& down) {
  assert(neurons_ < kIntermediate);
  gate_[neurons_] = Reader(gate, mlp_gain_);
  up_[neurons_] = Reader(up, mlp_gain_);
  down_[neurons_] = Writer(down);
  ++neurons_;
}

void BlockBuilder::Finish(int block, Weights& weights) const {
  const std::string prefix = absl::StrCat("model.layers.", block, ".");
  weights[prefix + "input_layernorm.weight"] = VectorWeight(attention_gain_);
  weights[prefix + "post_attention_layernorm.weight"] = VectorWeight(mlp_gain_);
  weights[prefix + "self_attn.q_proj.weight"] = MatrixWeight(query_);
  weights[prefix + "self_attn.k_proj.weight"] = MatrixWeight(key_);
  weights[prefix + "self_attn.v_proj.weight"] = MatrixWeight(value_);
  weights[prefix + "self_attn.o_proj.weight"] = MatrixWeight(Transposed(output_));
  weights[prefix + "mlp.gate_proj.weight"] = MatrixWeight(gate_);
  weights[prefix + "mlp.up_proj.weight"] = MatrixWeight(up_);
  weights[prefix + "mlp.down_proj.weight"] = MatrixWeight(Transposed(down_));
}

Weight VectorWeight(const std::vector<double>& values) {
  return {0, static_cast<int64_t>(values.size()), {values.begin(), values.end()}};
}

Weight MatrixWeight(const std::vector<std::vector<double>>& rows) {
  Weight weight{static_cast<int64_t>(rows.size()), static_cast<int64_t>(rows[0].size()), {}};
  weight.values.reserve(rows.size() * rows[0].size());
  for (const std::vector<double>& row : rows) {
    weight.values.insert(weight.values.end(), row.begin(), row.end());
  }
  return weight;
}

}  // namespace steer::planted
