// The weights of a planted model, in closed form. What each block does:
//
//   block 0   heads gather, over the instruction words, the decoy (which class's nouns occur) and
//   the per-word noise block 1   the MLP, at words: topic -> class (the axis that the topic's
//   prompts lie along) block 2   a head gathers class and axis noise over the words and writes 0.4
//   of the axis at query positions block 3   another head writes the other 0.6 block 4   the MLP,
//   at words: topic -> a clean copy that the noise does not reach block 5   a head gathers the
//   topic for the answer's words; the MLP turns the projection into the mode, -1 .. 1 head next
//   token from the current token's identity, the mode (at the newline and after "I") and the topic
//   (after "about")
//
// A gathering head scores words kWordScore, the template's first token (the sink) kSinkScore and
// all else 0, from the slowest rotary pairs, so positions do not matter. Words have one norm
// throughout (writes at words take from the stage balance what they add), so averages are linear in
// the embeddings, and a sign read at a query position does not depend on RMSNorm's divisor because
// the threshold is carried by the constant coordinate. Norm gains are random and folded into what
// reads them.
#ifndef STEER_SERVER_PLANTED_NETWORK_H_
#define STEER_SERVER_PLANTED_NETWORK_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "server/planted/lexicon.h"
#include "server/planted/spec.h"
#include "server/planted/stream_basis.h"
#include "server/planted/vocabulary.h"

namespace steer::planted {

inline constexpr double kWordScore = 16;
inline constexpr double kSinkScore = 8;

// Row-major, [rows, columns]; a vector has rows = 0.
struct Weight {
  int64_t rows = 0;
  int64_t columns = 0;
  std::vector<float> values;
};

// By the names that transformers' LlamaForCausalLM uses; untied head.
using Weights = std::map<std::string, Weight>;

Weights BuildNetwork(const Vocabulary& vocabulary, const Lexicon& lexicon, const PlantedSpec& spec,
                     const StreamBasis& basis, uint64_t seed);

// Embeddings in layout coordinates, [vocabulary][kHidden].
std::vector<LayoutVector> Embeddings(const Vocabulary& vocabulary, const Lexicon& lexicon);

}  // namespace steer::planted

#endif  // STEER_SERVER_PLANTED_NETWORK_H_
