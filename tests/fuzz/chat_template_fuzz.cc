// server/tokenizer/jinja: a template, rendered over a few conversations.
#include "server/tokenizer/chat_template.h"

#include "absl/strings/match.h"
#include "common/digest.h"
#include "tests/fuzz/check.h"
#include "tests/fuzz/limits.h"

namespace {

constexpr size_t kMaxSource = 2048;
constexpr size_t kMaxOutput = size_t{1} << 20;

const std::vector<std::vector<steer::ChatMessage>>& Conversations() {
  static const auto* const all =
      new std::vector<std::vector<steer::ChatMessage>>{{},
                                                       {{"user", " two words\n"}},
                                                       {{"system", "Be brief."},
                                                        {"user", "caf\xC3\xA9 \xF0\x9F\x98\x80"},
                                                        {"assistant", ""},
                                                        {"tool", "<b>&'\"\\"}}};
  return *all;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view source = steer::fuzz::Text(data, size);
  // range(9999) inside range(9999) takes the whole budget of steps, every time.
  if (size > kMaxSource || steer::fuzz::HasLongNumber(source, 2)) return -1;
  const auto parsed = steer::ChatTemplate::Parse(source, {"<s>", ""}, "in.jinja");
  if (!parsed.ok()) {
    steer::fuzz::CheckRefusal(parsed.status(), "in.jinja: ");
    return 0;
  }
  FUZZ_CHECK(steer::IsSha256Hex((*parsed)->digest()));
  for (const auto& messages : Conversations()) {
    const bool prompt = messages.size() == 1;
    const auto text = (*parsed)->Render(messages, prompt);
    const auto again = (*parsed)->Render(messages, prompt);
    FUZZ_CHECK(text.ok() == again.ok());
    if (!text.ok()) {
      steer::fuzz::CheckRefusal(text.status(), "in.jinja: ");
      FUZZ_CHECK(text.status() == again.status());
      continue;
    }
    FUZZ_CHECK(*text == *again);
    FUZZ_CHECK(steer::IsValidUtf8(*text));
    FUZZ_CHECK(text->size() <= kMaxOutput);
  }
  return 0;
}
