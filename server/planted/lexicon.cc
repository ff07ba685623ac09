#include "server/planted/lexicon.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "common/philox.h"
#include "server/planted/streams.h"

namespace steer::planted {
namespace {

// Mean of 1 / words over the prompt lengths 7, 9, 11: a prompt's average of independent words has
// this share of their variance.
constexpr double kMeanInverseWords = (1.0 / 7 + 1.0 / 9 + 1.0 / 11) / 3;

void Standardise(std::vector<double>& values, double deviation) {
  double mean = 0;
  for (double x : values) mean += x / values.size();
  double square = 0;
  for (double x : values) square += (x - mean) * (x - mean) / values.size();
  for (double& x : values) x = (x - mean) * deviation / std::sqrt(square);
}

std::vector<Word> MakeGroup(const std::vector<Token>& tokens, int topic, const PlantedSpec& spec,
                            const PhiloxStream& stream, uint64_t& next) {
  std::vector<Word> words(tokens.size());
  for (size_t i = 0; i < tokens.size(); ++i) {
    words[i].token = tokens[i];
    words[i].topic = topic;
  }
  const double word_share = 1 / std::sqrt(kMeanInverseWords);
  const auto draw = [&](double deviation) {
    std::vector<double> values(tokens.size());
    for (double& x : values) x = stream.Normal(next++);
    Standardise(values, deviation * word_share);
    return values;
  };
  // Both axes are drawn whatever the variant uses, so that the noise off them is the same in all
  // variants of a seed.
  for (int axis = 0; axis < kAxes; ++axis) {
    const double used = axis < spec.axes ? 1.0 : 0.0;
    const std::vector<double> values = draw(spec.axis_noise / kAxisGain);
    for (size_t i = 0; i < words.size(); ++i) words[i].axis_noise[axis] = used * values[i];
  }
  for (int dimension = 0; dimension < kNoise; ++dimension) {
    const std::vector<double> values = draw(spec.off_axis_noise);
    for (size_t i = 0; i < words.size(); ++i) words[i].noise[dimension] = values[i];
  }
  return words;
}

// Everything but the noise balance.
LayoutVector EmbedUnbalanced(const Word& word) {
  LayoutVector x = ZeroVector();
  x[kConstant] = kConstantValue;
  x[kFlag] = kFlagValue;
  x[kStageBalance] = kStageBalanceValue;
  if (word.topic >= 0) x[kTopicIn + word.topic] = kTopicValue;
  std::copy(word.axis_noise.begin(), word.axis_noise.end(), x.begin() + kAxisNoiseIn);
  std::copy(word.noise.begin(), word.noise.end(), x.begin() + kNoiseIn);
  return x;
}

double Square(const LayoutVector& x) {
  double square = 0;
  for (double value : x) square += value * value;
  return square;
}

}  // namespace

std::vector<Word> Lexicon::AllWords() const {
  std::vector<Word> words = openers;
  words.insert(words.end(), fillers.begin(), fillers.end());
  for (const std::vector<Word>& group : nouns)
    words.insert(words.end(), group.begin(), group.end());
  return words;
}

Lexicon MakeLexicon(const Vocabulary& vocabulary, const PlantedSpec& spec, uint64_t seed) {
  const PhiloxStream stream(seed, kLexiconStream);
  uint64_t next = 0;
  Lexicon lexicon;
  lexicon.openers = MakeGroup(vocabulary.openers, -1, spec, stream, next);
  lexicon.fillers = MakeGroup(vocabulary.fillers, -1, spec, stream, next);
  for (int topic = 0; topic < kTopics; ++topic) {
    lexicon.nouns[topic] = MakeGroup(vocabulary.nouns[topic], topic, spec, stream, next);
  }
  double largest = 0;
  for (const Word& word : lexicon.AllWords()) {
    largest = std::max(largest, Square(EmbedUnbalanced(word)));
  }
  lexicon.word_norm = std::sqrt(largest + kSize * kSize);
  return lexicon;
}

int AxisOfTopic(const PlantedSpec& spec, int topic) {
  if (topic < 0 || topic >= spec.harmful_topics) return -1;
  return spec.axes == 1 ? 0 : topic;
}

LayoutVector EmbedWord(const Lexicon& lexicon, const Word& word) {
  LayoutVector x = EmbedUnbalanced(word);
  x[kNoiseBalance] = std::sqrt(lexicon.word_norm * lexicon.word_norm - Square(x));
  return x;
}

}  // namespace steer::planted
