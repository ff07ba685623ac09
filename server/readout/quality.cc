// Rule "degenerate-1". A word is a maximal run of letters, numbers and marks, with single
// apostrophes inside, case-folded. A completion is degenerate if any of these holds:
//   - it is empty: there is no word in it;
//   - 40 cased letters or digits follow each other without a break (scripts without case are left
//   out:
//     many put no spaces between words);
//   - one word occurs 6 times in a row;
//   - it has 20 words or more, and the commonest makes up more than 0.30 of them, or fewer than
//   0.30 of
//     them are distinct.
#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "common/utf8.h"
#include "server/readout/normal_text.h"
#include "server/readout/readout.h"

namespace steer {
namespace {

constexpr int kLongestRun = 40;
constexpr int kWordRepeats = 6;
constexpr int64_t kWordsForShares = 20;

class WordCounter {
 public:
  void Add(uint32_t c) {
    letters_ = IsAlphabetic(c) ? letters_ + 1 : 0;
    longest_letters_ = std::max(longest_letters_, letters_);
    if (IsWordCharacter(c)) {
      if (apostrophe_waits_) word_.push_back('\'');
      apostrophe_waits_ = false;
      AppendCaseFolded(c, &word_);
    } else if (IsApostrophe(c) && !word_.empty() && !apostrophe_waits_) {
      apostrophe_waits_ = true;
    } else {
      EndWord();
    }
  }
  void EndWord() {
    apostrophe_waits_ = false;
    if (word_.empty()) return;
    repeats_ = word_ == last_ ? repeats_ + 1 : 1;
    most_repeats_ = std::max(most_repeats_, repeats_);
    commonest_ = std::max(commonest_, ++counts_[word_]);
    ++words_;
    last_ = std::exchange(word_, {});
  }
  // These two only ever become true as text is added; a word counts once a character after it is
  // read, because until then it may still grow into another.
  bool HasMonotoneSign() const {
    return longest_letters_ >= kLongestRun || most_repeats_ >= kWordRepeats;
  }
  // Of the whole text. 10 n > 3 m is n / m > 0.30 without a rounded constant.
  bool HasFinalSign() const {
    if (words_ == 0) return true;
    if (words_ < kWordsForShares) return false;
    return 10 * commonest_ > 3 * words_ || 10 * static_cast<int64_t>(counts_.size()) < 3 * words_;
  }

 private:
  int letters_ = 0, longest_letters_ = 0;
  std::string word_, last_;
  bool apostrophe_waits_ = false;
  int repeats_ = 0, most_repeats_ = 0;
  int64_t words_ = 0, commonest_ = 0;
  std::map<std::string, int64_t> counts_;
};

}  // namespace

QualityJudgement JudgeQuality(absl::string_view text, bool complete) {
  WordCounter counter;
  for (size_t at = 0; at < text.size();) counter.Add(NextCodePoint(text, &at));
  if (complete) counter.EndWord();
  if (counter.HasMonotoneSign()) return QualityJudgement::kDegenerate;
  if (!complete) return QualityJudgement::kOpen;
  return counter.HasFinalSign() ? QualityJudgement::kDegenerate : QualityJudgement::kOk;
}

}  // namespace steer
