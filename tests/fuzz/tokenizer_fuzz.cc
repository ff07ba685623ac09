// server/tokenizer: tokenizer.json, up to the first NUL, and a text for it after that.
#include "server/tokenizer/tokenizer.h"

#include <limits>

#include "tests/fuzz/limits.h"
#include "tests/fuzz/tokenizer_checks.h"

namespace {

constexpr size_t kMaxFile = 16384;
constexpr size_t kMaxText = 256;

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view input = steer::fuzz::Text(data, size);
  const size_t end = std::min(input.find('\0'), input.size());
  const absl::string_view json = input.substr(0, end);
  // An id of seven digits makes a table of that many entries.
  if (json.size() > kMaxFile || steer::fuzz::HasLongNumber(json, 4)) return -1;
  const auto tokenizer = steer::Tokenizer::FromJson(json, "in/tokenizer.json");
  if (!tokenizer.ok()) {
    steer::fuzz::CheckRefusal(tokenizer.status(), "in/tokenizer.json: ");
    return 0;
  }
  const steer::Tokenizer& t = **tokenizer;
  steer::fuzz::CheckText(
      t, "The red fox, 12 of 345\n\n  \xC3\xA9t\xC3\xA9 \xE6\xBC\xA2 \xF0\x9F\x98\x80'll <|end|>");
  if (end < input.size()) steer::fuzz::CheckText(t, input.substr(end + 1, kMaxText));
  // Ids that no text gave, in an order that no text gives.
  std::vector<int32_t> ids = {-1, std::numeric_limits<int32_t>::max(),
                              std::numeric_limits<int32_t>::min(), t.vocabulary_size()};
  for (int32_t id = std::min(t.vocabulary_size(), 64) - 1; id >= 0; --id) ids.push_back(id);
  for (const int32_t id : ids) {
    FUZZ_CHECK(steer::IsValidUtf8(t.Piece(id)));
    t.IsSpecial(id);
  }
  FUZZ_CHECK(steer::IsValidUtf8(t.Decode(ids, false)));
  steer::fuzz::CheckStream(t, ids);
  return 0;
}
