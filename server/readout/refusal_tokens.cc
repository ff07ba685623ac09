#include <algorithm>
#include <set>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/status_macros.h"
#include "server/readout/scores.h"

namespace steer {
namespace {

// Any user turn does: the phrase stands after the generation prompt.
constexpr char kNeutralTurn[] = "Hello";

std::string SentenceCased(std::string phrase) {
  if (!phrase.empty()) phrase[0] = absl::ascii_toupper(static_cast<unsigned char>(phrase[0]));
  return phrase;
}

}  // namespace

absl::StatusOr<std::vector<int32_t>> RefusalTokenIds(const Tokenizer& tokenizer,
                                                     const ChatTemplate& chat_template,
                                                     absl::Span<const std::string> phrases) {
  auto rendered = chat_template.Render({{"user", kNeutralTurn}}, /*add_generation_prompt=*/true);
  if (!rendered.ok()) return Annotate(rendered.status(), "refusal tokens: a plain user turn");
  STEER_ASSIGN_OR_RETURN(const std::vector<int32_t> prompt, tokenizer.Encode(*rendered));
  std::set<int32_t> ids;
  for (const std::string& phrase : phrases) {
    const std::string opening = SentenceCased(phrase);
    STEER_ASSIGN_OR_RETURN(const std::vector<int32_t> whole,
                           tokenizer.Encode(absl::StrCat(*rendered, opening)));
    if (whole.size() <= prompt.size() || !std::equal(prompt.begin(), prompt.end(), whole.begin())) {
      return absl::InternalError(absl::StrCat(
          "refusal tokens: the rendered template does not stay a prefix of its tokens once \"",
          opening, "\" follows it, so the first token of a reply cannot be named"));
    }
    ids.insert(whole[prompt.size()]);
  }
  return std::vector<int32_t>(ids.begin(), ids.end());
}

}  // namespace steer
