// Python's str methods on UTF-8. Positions and lengths count code points. Inputs are valid UTF-8.
#ifndef STEER_SERVER_TOKENIZER_JINJA_TEXT_H_
#define STEER_SERVER_TOKENIZER_JINJA_TEXT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace steer::jinja {

// str.isspace, and what strip() and the lexer take for white space.
bool IsSpace(uint32_t code_point);
// str.isprintable: repr() escapes the rest.
bool IsPrintable(uint32_t code_point);
bool IsAscii(absl::string_view text);

enum class Side { kLeft, kRight, kBoth };
absl::string_view StripSpace(absl::string_view text, Side side);
absl::string_view StripChars(absl::string_view text, absl::string_view chars, Side side);

// Byte offset of the first occurrence at or behind `from` (text.size() at most), and of the last;
// npos if there is none.
// Time grows with the sum of both lengths, where std::string's own search takes their product.
size_t FindText(absl::string_view text, absl::string_view what, size_t from = 0);
size_t FindLastText(absl::string_view text, absl::string_view what);

// max_splits < 0: no limit. A separator that is not empty.
std::vector<absl::string_view> Split(absl::string_view text, absl::string_view separator,
                                     int64_t max_splits);
std::vector<absl::string_view> SplitFromRight(absl::string_view text, absl::string_view separator,
                                              int64_t max_splits);
// At runs of white space.
std::vector<absl::string_view> SplitAtSpace(absl::string_view text, int64_t max_splits);
std::vector<absl::string_view> SplitAtSpaceFromRight(absl::string_view text, int64_t max_splits);
std::vector<absl::string_view> SplitLines(absl::string_view text, bool keep_ends);

// max_count < 0: all. An empty `from` matches between all characters.
std::string Replace(absl::string_view text, absl::string_view from, absl::string_view to,
                    int64_t max_count);
// Occurrences that do not overlap.
int64_t Count(absl::string_view text, absl::string_view what);
// Byte offset of the code point with this index; text.size() beyond the end.
size_t OffsetOf(absl::string_view text, int64_t code_points);

std::string Upper(absl::string_view text);
std::string Lower(absl::string_view text);
std::string Capitalize(absl::string_view text);
std::string TitleMethod(absl::string_view text);  // str.title
std::string TitleFilter(absl::string_view text);  // jinja2's filter, which splits elsewhere
std::string SwapCase(absl::string_view text);

bool IsAlpha(uint32_t code_point);
bool IsDecimal(uint32_t code_point);
// str.isupper and str.islower: some cased characters, all of this case.
bool IsUpper(absl::string_view text);
bool IsLower(absl::string_view text);

// & < > ' " as markupsafe.escape writes them.
std::string EscapeHtml(absl::string_view text);

}  // namespace steer::jinja

#endif  // STEER_SERVER_TOKENIZER_JINJA_TEXT_H_
