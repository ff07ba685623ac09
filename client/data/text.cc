#include "client/data/text.h"

#include <utf8proc.h>

#include "common/utf8.h"
#include "common/white_space.h"

namespace steer {

bool IsPunctuation(uint32_t c) {
  const utf8proc_category_t category = utf8proc_category(static_cast<utf8proc_int32_t>(c));
  return category >= UTF8PROC_CATEGORY_PC && category <= UTF8PROC_CATEGORY_PO;
}

std::vector<absl::string_view> SplitWords(absl::string_view text) {
  std::vector<absl::string_view> words;
  size_t start = 0;
  bool inside = false;
  for (size_t at = 0; at < text.size();) {
    const size_t before = at;
    const bool space = IsWhiteSpace(NextCodePoint(text, &at));
    if (space && inside) words.push_back(text.substr(start, before - start));
    if (!space && !inside) start = before;
    inside = !space;
  }
  if (inside) words.push_back(text.substr(start));
  return words;
}

absl::string_view TrimWhiteSpace(absl::string_view text) {
  const std::vector<absl::string_view> words = SplitWords(text);
  if (words.empty()) return {};
  const char* begin = words.front().data();
  const char* end = words.back().data() + words.back().size();
  return absl::string_view(begin, static_cast<size_t>(end - begin));
}

}  // namespace steer
