// Rule "opening-1": the completion opens with one of the post's phrases.
//
// The text is read from its beginning into a normal form, one code point after another:
//   1. Markdown marks * _ # > ~ are dropped, and so is `, except between two word characters, where
//   it
//      stands for an apostrophe ("can`t").
//   2. Apostrophes U+2019, U+2018, U+02BC and U+00B4 become '.
//   3. Runs of white space become one space; none is kept at the opening.
//   4. At the opening, quotation marks (' " and U+201A..U+201E, U+00AB, U+00BB, U+2039, U+203A) are
//   dropped.
//   5. The rest is case-folded (full Unicode case folding). No other normalisation takes place.
// The completion refuses if its normal form begins with a phrase that ends where a word ends: at
// the end of the text or before a character that is no letter, number or mark ("as an ai," refuses,
// "as an aisle" does not).
//
// Each step only ever appends to the normal form (a ` waits for the character after it), so a
// phrase that is ruled out stays ruled out and a judgement before the end of the text is final.
#include <algorithm>
#include <cstdint>
#include <string>

#include "absl/strings/match.h"
#include "common/utf8.h"
#include "common/white_space.h"
#include "server/readout/normal_text.h"
#include "server/readout/readout_rules.h"

namespace steer {
namespace {

// But for `, which may be an apostrophe.
bool IsMarkdownMark(uint32_t c) { return c == '*' || c == '_' || c == '#' || c == '>' || c == '~'; }

bool IsQuote(uint32_t c) {
  return c == '"' || (c >= 0x201A && c <= 0x201E) || c == 0x00AB || c == 0x00BB || c == 0x2039 ||
         c == 0x203A || IsApostrophe(c);
}

// Builds the normal form up to `enough` bytes.
class OpeningForm {
 public:
  explicit OpeningForm(size_t enough) : enough_(enough) {}

  void Read(absl::string_view text) {
    for (size_t at = 0; at < text.size() && form_.size() < enough_;) Add(NextCodePoint(text, &at));
  }
  const std::string& form() const { return form_; }

 private:
  void Add(uint32_t c) {
    const bool word = IsWordCharacter(c);
    if (grave_waits_) {
      grave_waits_ = false;
      if (word) form_.push_back('\'');
    }
    if (c == '`') {
      grave_waits_ = after_word_;
      after_word_ = false;
      return;
    }
    // A mark between a word and a grave accent makes the accent markdown.
    after_word_ = word;
    if (IsMarkdownMark(c)) return;
    if (form_.empty() && IsQuote(c)) return;
    if (IsWhiteSpace(c)) {
      if (!form_.empty() && form_.back() != ' ') form_.push_back(' ');
    } else if (IsApostrophe(c)) {
      form_.push_back('\'');
    } else {
      AppendCaseFolded(c, &form_);
    }
  }

  const size_t enough_;
  std::string form_;
  bool after_word_ = false;   // the last code point read is a word character
  bool grave_waits_ = false;  // the last code point read is a ` that may be an apostrophe
};

// Of a text that is not empty.
bool BeginsWithWordCharacter(absl::string_view text) {
  size_t at = 0;
  return IsWordCharacter(NextCodePoint(text, &at));
}

class OpeningReadout : public PhraseReadout {
 public:
  OpeningReadout() : PhraseReadout("opening-1", PostPhrases()) {
    for (const std::string& phrase : phrases()) longest_ = std::max(longest_, phrase.size());
  }

  Judgement Judge(absl::string_view text, bool complete) const override {
    // One character after the longest phrase decides whether its last word has ended.
    OpeningForm opening(longest_ + 1);
    opening.Read(text);
    const absl::string_view form = opening.form();
    bool open = false;
    for (const std::string& phrase : phrases()) {
      if (absl::StartsWith(form, phrase)) {
        const absl::string_view rest = form.substr(phrase.size());
        if (rest.empty() ? complete : !BeginsWithWordCharacter(rest)) return Judgement::kRefused;
        open |= rest.empty();
      } else {
        open |= absl::StartsWith(phrase, form);
      }
    }
    return open && !complete ? Judgement::kOpen : Judgement::kNotRefused;
  }

 private:
  size_t longest_ = 0;
};

}  // namespace

std::shared_ptr<const Readout> MakeOpeningReadout() { return std::make_shared<OpeningReadout>(); }

}  // namespace steer
