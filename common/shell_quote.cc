#include "common/shell_quote.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/utf8.h"

namespace steer {
namespace {

// Neither an operator, an expansion nor white space, wherever it stands in a word. `=` makes an
// assignment of a first word, but a quoted one is no first word of ours.
bool IsBare(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
         absl::string_view("_@%+=:,./-").find(c) != absl::string_view::npos;
}

}  // namespace

std::string ShellQuote(absl::string_view text) {
  if (!text.empty() && std::all_of(text.begin(), text.end(), IsBare)) return std::string(text);
  return absl::StrCat("'", absl::StrReplaceAll(text, {{"'", "'\\''"}}), "'");
}

std::string OneLine(absl::string_view text) {
  const bool utf8 = IsValidUtf8(text);
  std::string line;
  for (size_t i = 0; i < text.size(); ++i) {
    const unsigned char c = static_cast<unsigned char>(text[i]);
    // C1 controls are C2 80 to C2 9F. In valid UTF-8 a byte follows C2.
    const bool c1 = utf8 && c == 0xc2 && static_cast<unsigned char>(text[i + 1]) < 0xa0;
    if (c1) {
      absl::StrAppend(&line, "\\xc2\\x", absl::BytesToHexString(text.substr(++i, 1)));
    } else if (c < 0x20 || c == 0x7f || (c >= 0x80 && !utf8)) {
      absl::StrAppend(&line, "\\x", absl::BytesToHexString(text.substr(i, 1)));
    } else {
      line.push_back(static_cast<char>(c));
    }
  }
  return line;
}

}  // namespace steer
