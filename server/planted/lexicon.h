// What each instruction word means to a planted model: its topic and its share of the per-prompt
// noise, drawn from the seed.
#ifndef STEER_SERVER_PLANTED_LEXICON_H_
#define STEER_SERVER_PLANTED_LEXICON_H_

#include <array>
#include <cstdint>
#include <vector>

#include "server/planted/layout.h"
#include "server/planted/spec.h"
#include "server/planted/vocabulary.h"

namespace steer::planted {

struct Word {
  Token token;
  int topic = -1;                          // -1: an opener or a filler, of no class
  std::array<double, kAxes> axis_noise{};  // as embedded: a gain of kAxisGain takes it to the axis
  std::array<double, kNoise> noise{};
};

// Noise has mean 0 and one deviation within each group of words (openers, fillers, the nouns of a
// topic) in each dimension, so that no group's words shift its prompts and a prompt's deviation is
// that of the spec at middling length.
struct Lexicon {
  std::vector<Word> openers;
  std::vector<Word> fillers;
  std::vector<Word> nouns[kTopics];
  double word_norm = 0;  // of every embedded word, by the balance coordinate
  std::vector<Word> AllWords() const;
};

Lexicon MakeLexicon(const Vocabulary& vocabulary, const PlantedSpec& spec, uint64_t seed);

// The axis along which a topic's prompts lie; -1 for harmless topics and topics that the variant
// does not use.
int AxisOfTopic(const PlantedSpec& spec, int topic);

// The embedding in layout coordinates, balanced to lexicon.word_norm.
LayoutVector EmbedWord(const Lexicon& lexicon, const Word& word);

}  // namespace steer::planted

#endif  // STEER_SERVER_PLANTED_LEXICON_H_
