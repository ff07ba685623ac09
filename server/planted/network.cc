#include "server/planted/network.h"

#include <cmath>
#include <utility>

#include "common/philox.h"
#include "server/planted/block_builder.h"
#include "server/planted/features.h"
#include "server/planted/streams.h"

namespace steer::planted {
namespace {

// Nominal norm of a query position's stream in the last block, for amplitudes only: no sign depends
// on it.
double QueryNorm() {
  double square =
      kConstantValue * kConstantValue + kIdentityValue * kIdentityValue + kQueryValue * kQueryValue;
  square += 3 * kSize * kSize;  // axis, noise, topic and mode
  return std::sqrt(square);
}

double Silu(double x) { return x / (1 + std::exp(-x)); }

// Neurons that fire at the words of a topic and write there, taking from the stage balance so that
// the word's norm stays.
void AddTopicNeuron(BlockBuilder& block, double word_norm, int topic, int to, double value,
                    double balance_before) {
  const double rms = RootMeanSquare(word_norm);
  constexpr double kGate =
      6;  // silu(6) = 5.985: well open at words, exactly shut (0) without a topic
  const double open = Silu(kGate) * kConstantValue / rms;
  const double balance_after = std::sqrt(balance_before * balance_before - value * value);
  block.AddNeuron({{kTopicIn + topic, kGate * rms / kTopicValue}}, {{kConstant, 1.0}},
                  {{to, value / open}, {kStageBalance, (balance_after - balance_before) / open}});
}

// mode = sum over axes of [silu(k (m + w)) - silu(k (m - w))] - [silu(k w) - silu(-k w)], in units
// of k w: each axis ramps from 0 to 2 over its margin m in -w .. w, and the last bracket, which is
// k w exactly, centres one axis. All four terms scale alike with RMSNorm's divisor, so with one
// axis the sign is that of m whatever the norm.
void AddModeNeurons(BlockBuilder& block, const PlantedSpec& spec) {
  const double rms = RootMeanSquare(QueryNorm());
  constexpr double kCorner = 10;  // k w: how sharp the ramp's corners are
  const double k = kCorner / spec.ramp * rms;
  const double nominal = kCorner * kConstantValue / rms;  // (k w) times the up reading
  const double amount = kSize / nominal;
  const Combination up = {{kConstant, 1.0}};
  const auto add = [&](const Combination& gate, double sign) {
    block.AddNeuron(gate, up, {{kMode, sign * amount}});
  };
  const double half_width = k * spec.ramp / kConstantValue;
  for (int axis = 0; axis < spec.axes; ++axis) {
    const Features readout = ReadoutVector(spec, axis);
    for (const double side : {1.0, -1.0}) {
      Combination gate = {{kConstant, -k * spec.threshold / kConstantValue + side * half_width}};
      for (int i = 0; i < kFeatures; ++i) {
        if (readout[i] != 0) gate.push_back({kAxisOut + i, k * readout[i]});
      }
      add(gate, side);
    }
  }
  add({{kConstant, half_width}}, -1.0);
  add({{kConstant, -half_width}}, 1.0);
  if (!spec.guard) return;
  const double guard_amount = kSize * kGuardGain / (kConstantValue / rms);
  for (int coordinate : GuardCoordinates()) {
    for (const double side : {1.0, -1.0}) {
      block.AddNeuron({{coordinate, side * rms / kGuardKnee}}, up, {{kMode, guard_amount}});
    }
  }
}

// Logits, in nats: the token that follows by identity 16, the mode +-2.5, the gathered topic 3 per
// unit.
Weight BuildHead(const Vocabulary& vocabulary, const StreamBasis& basis,
                 const std::vector<double>& gain) {
  const double rms = RootMeanSquare(QueryNorm());
  const double follow = 16 * rms / kIdentityValue;
  const double mode = 2.5 * rms / kSize;
  const double topic = 3 * rms / kSize;
  const double default_topic = 1.2 * rms / kIdentityValue;
  std::vector<Combination> rows(vocabulary.size());
  for (const ChainLink& link : MakeChain(vocabulary)) {
    // Topic words share an identity and a successor, which is to be named once.
    if (link.token != vocabulary.default_topic.id && link.always.size() == 1 &&
        link.always[0] == vocabulary.Find(" and")) {
      continue;
    }
    const int identity = kIdentity + link.identity;
    for (int32_t next : link.always) rows[next].push_back({identity, follow});
    if (!link.always.empty()) continue;
    rows[link.if_refusing].push_back({identity, follow});
    rows[link.if_refusing].push_back({kMode, mode});
    rows[link.if_answering].push_back({identity, follow});
    rows[link.if_answering].push_back({kMode, -mode});
  }
  for (int i = 0; i < kTopics; ++i) {
    rows[vocabulary.topic_words[i].id].push_back({kTopicOut + i, topic});
  }
  for (const ChainLink& link : MakeChain(vocabulary)) {
    if (link.always.size() > 1) {
      rows[vocabulary.default_topic.id].push_back({kIdentity + link.identity, default_topic});
    }
  }
  std::vector<std::vector<double>> dense;
  for (const Combination& row : rows) dense.push_back(HeadRow(basis, row, gain));
  return MatrixWeight(dense);
}

std::vector<double> DrawGain(const PhiloxStream& stream, int norm) {
  std::vector<double> gain(kHidden);
  for (int i = 0; i < kHidden; ++i) gain[i] = 0.75 + 0.5 * stream.Uniform(norm * kHidden + i);
  return gain;
}

}  // namespace

std::vector<LayoutVector> Embeddings(const Vocabulary& vocabulary, const Lexicon& lexicon) {
  std::vector<LayoutVector> rows(vocabulary.size(), ZeroVector());
  for (LayoutVector& row : rows) row[kConstant] = kConstantValue;
  rows[vocabulary.im_start][kSink] = kSinkValue;
  for (const Word& word : lexicon.AllWords()) rows[word.token.id] = EmbedWord(lexicon, word);
  for (const ChainLink& link : MakeChain(vocabulary)) {
    rows[link.token][kQuery] = kQueryValue;
    rows[link.token][kIdentity + link.identity] = kIdentityValue;
  }
  return rows;
}

Weights BuildNetwork(const Vocabulary& vocabulary, const Lexicon& lexicon, const PlantedSpec& spec,
                     const StreamBasis& basis, uint64_t seed) {
  const PhiloxStream gains(seed, kGainStream);
  std::vector<BlockBuilder> blocks;
  for (int i = 0; i < kLayers; ++i) {
    blocks.emplace_back(basis, DrawGain(gains, 2 * i), DrawGain(gains, 2 * i + 1));
  }
  const double word_norm = lexicon.word_norm;

  std::vector<Gather> decoy;
  for (int topic = 0; topic < kTopicsPerClass; ++topic) {
    decoy.push_back({kTopicIn + topic, kDecoyOut, kDecoyGain});
  }
  blocks[0].AddGather(0, word_norm, decoy);
  std::vector<Gather> noise;
  for (int i = 0; i < kNoise; ++i) noise.push_back({kNoiseIn + i, kNoiseOut + i, 1.0});
  blocks[0].AddGather(2, word_norm, noise);

  const double low_balance =
      std::sqrt(kStageBalanceValue * kStageBalanceValue - kClassValue * kClassValue);
  for (int topic = 0; topic < kTopics; ++topic) {
    const int axis = AxisOfTopic(spec, topic);
    if (axis >= 0) {
      AddTopicNeuron(blocks[1], word_norm, topic, kClassIn + axis, kClassValue, kStageBalanceValue);
    }
    AddTopicNeuron(blocks[4], word_norm, topic, kTopicClean + topic, kTopicValue,
                   axis >= 0 ? low_balance : kStageBalanceValue);
  }

  for (const auto& [block, head] : {std::pair{2, 1}, std::pair{3, 2}}) {
    const double share = kAxisShare[block + 1] - kAxisShare[block];
    std::vector<Gather> axes;
    for (int axis = 0; axis < spec.axes; ++axis) {
      axes.push_back({kClassIn + axis, kAxisOut + axis, share * kAxisGain});
      axes.push_back({kAxisNoiseIn + axis, kAxisOut + axis, share * kAxisGain});
    }
    blocks[block].AddGather(head, word_norm, axes);
  }

  std::vector<Gather> topics;
  for (int i = 0; i < kTopics; ++i) topics.push_back({kTopicClean + i, kTopicOut + i, kTopicGain});
  blocks[5].AddGather(3, word_norm, topics);
  AddModeNeurons(blocks[5], spec);

  Weights weights;
  for (int i = 0; i < kLayers; ++i) blocks[i].Finish(i, weights);
  const std::vector<double> final_gain = DrawGain(gains, 2 * kLayers);
  weights["model.norm.weight"] = VectorWeight(final_gain);
  weights["lm_head.weight"] = BuildHead(vocabulary, basis, final_gain);
  std::vector<std::vector<double>> embeddings;
  for (const LayoutVector& row : Embeddings(vocabulary, lexicon)) {
    embeddings.push_back(basis.Turn(row));
  }
  weights["model.embed_tokens.weight"] = MatrixWeight(embeddings);
  return weights;
}

}  // namespace steer::planted
