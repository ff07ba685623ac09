// One block's matrices, written in terms of layout coordinates: "this neuron reads that combination
// and writes this one". Turns the basis and folds the norm gains on the way.
#ifndef STEER_SERVER_PLANTED_BLOCK_BUILDER_H_
#define STEER_SERVER_PLANTED_BLOCK_BUILDER_H_

#include <string>
#include <utility>
#include <vector>

#include "server/planted/network.h"

namespace steer::planted {

// Coordinates and their weights; those not named are 0.
using Combination = std::vector<std::pair<int, double>>;

// RMSNorm's divisor for a vector of this norm.
double RootMeanSquare(double norm);

// Gathers coordinates over words and writes them at query positions. `amount` is what one unit of
// the average becomes.
struct Gather {
  int from = 0;
  int to = 0;
  double amount = 0;
};

class BlockBuilder {
 public:
  // `gains` by kHidden: norms before attention and before the MLP.
  BlockBuilder(const StreamBasis& basis, std::vector<double> attention_gain,
               std::vector<double> mlp_gain);

  // `head` gathers over words of norm `word_norm`.
  void AddGather(int head, double word_norm, const std::vector<Gather>& gathers);
  // One more neuron: silu(gate . x / rms) * (up . x / rms) times `down`.
  void AddNeuron(const Combination& gate, const Combination& up, const Combination& down);

  // Adds the nine tensors of "model.layers.<block>." to `weights`.
  void Finish(int block, Weights& weights) const;

 private:
  // Row of a matrix that reads the normalised stream.
  std::vector<double> Reader(const Combination& combination, const std::vector<double>& gain) const;
  // Column of a matrix that writes to the stream.
  std::vector<double> Writer(const Combination& combination) const;

  const StreamBasis& basis_;
  std::vector<double> attention_gain_;
  std::vector<double> mlp_gain_;
  std::vector<std::vector<double>> query_;   // [kHeads * kHeadDim][kHidden]
  std::vector<std::vector<double>> key_;     // [kKvHeads * kHeadDim][kHidden]
  std::vector<std::vector<double>> value_;   // the same
  std::vector<std::vector<double>> output_;  // by column: [kHeads * kHeadDim][kHidden]
  std::vector<std::vector<double>> gate_;    // [kIntermediate][kHidden]
  std::vector<std::vector<double>> up_;      // the same
  std::vector<std::vector<double>> down_;    // by column: [kIntermediate][kHidden]
  int neurons_ = 0;
};

// A reader of the final norm, for the head's rows.
std::vector<double> HeadRow(const StreamBasis& basis, const Combination& combination,
                            const std::vector<double>& gain);
Weight VectorWeight(const std::vector<double>& values);
Weight MatrixWeight(const std::vector<std::vector<double>>& rows);

}  // namespace steer::planted

#endif  // STEER_SERVER_PLANTED_BLOCK_BUILDER_H_
