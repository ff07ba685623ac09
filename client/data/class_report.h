// How the two classes differ on the surface: a difference of means picks up length and punctuation
// as readily as harm. Pure functions; any thread. Numbers only, never text.
#ifndef STEER_CLIENT_DATA_CLASS_REPORT_H_
#define STEER_CLIENT_DATA_CLASS_REPORT_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "client/data/pool.h"

namespace steer {

struct LengthSummary {
  double mean = 0;
  double deviation = 0;  // sample standard deviation (n - 1); 0 for one prompt
  int64_t minimum = 0;
  double median = 0;
  int64_t maximum = 0;
};
LengthSummary SummariseLengths(std::vector<int64_t> lengths);

// Tokens of templated prompts by prompt hash, from the server's Tokenize. May be empty.
using TokenCounts = std::map<std::string, int64_t>;

struct ClassSurface {
  int64_t prompts = 0;
  LengthSummary characters;  // code points
  LengthSummary words;       // runs without white space
  LengthSummary tokens;      // of the templated prompt, over the prompts that TokenCounts names
  int64_t tokens_known = 0;  // how many those are
  // Prompts by their last character.
  int64_t end_full_stop = 0;
  int64_t end_question = 0;
  int64_t end_exclamation = 0;
  int64_t end_other_punctuation = 0;
  int64_t end_none = 0;
  double punctuated_share() const;
};
ClassSurface DescribeClass(absl::Span<const PromptRecord> prompts, const TokenCounts& tokens);

// (mean a - mean b) / pooled standard deviation (Cohen's d); 0 if both deviations are 0 and the
// means equal, infinite if they are not.
double StandardisedDifference(const LengthSummary& a, int64_t n_a, const LengthSummary& b,
                              int64_t n_b);

}  // namespace steer

#endif  // STEER_CLIENT_DATA_CLASS_REPORT_H_
