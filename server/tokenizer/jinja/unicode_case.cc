// Case and classes of characters: utf8proc's tables, and the full mappings of Unicode's
// SpecialCasing that they leave out.
#include <algorithm>
#include <iterator>
#include <string>

#include "common/utf8.h"
#include "server/tokenizer/jinja/text.h"
#include "utf8proc.h"

namespace steer::jinja {
namespace {

struct SpecialCase {
  uint32_t code_point;
  const char32_t* upper;
  const char32_t* title;
};

// Sorted. Characters whose upper or title case is more than one character.
constexpr SpecialCase kSpecialCases[] = {
    {0x00DF, U"SS", U"Ss"},
    {0x0149, U"\u02bcN", U"\u02bcN"},
    {0x01F0, U"J\u030c", U"J\u030c"},
    {0x0390, U"\u0399\u0308\u0301", U"\u0399\u0308\u0301"},
    {0x03B0, U"\u03a5\u0308\u0301", U"\u03a5\u0308\u0301"},
    {0x0587, U"\u0535\u0552", U"\u0535\u0582"},
    {0x1E96, U"H\u0331", U"H\u0331"},
    {0x1E97, U"T\u0308", U"T\u0308"},
    {0x1E98, U"W\u030a", U"W\u030a"},
    {0x1E99, U"Y\u030a", U"Y\u030a"},
    {0x1E9A, U"A\u02be", U"A\u02be"},
    {0x1F50, U"\u03a5\u0313", U"\u03a5\u0313"},
    {0x1F52, U"\u03a5\u0313\u0300", U"\u03a5\u0313\u0300"},
    {0x1F54, U"\u03a5\u0313\u0301", U"\u03a5\u0313\u0301"},
    {0x1F56, U"\u03a5\u0313\u0342", U"\u03a5\u0313\u0342"},
    {0x1F80, U"\u1f08\u0399", U"\u1f88"},
    {0x1F81, U"\u1f09\u0399", U"\u1f89"},
    {0x1F82, U"\u1f0a\u0399", U"\u1f8a"},
    {0x1F83, U"\u1f0b\u0399", U"\u1f8b"},
    {0x1F84, U"\u1f0c\u0399", U"\u1f8c"},
    {0x1F85, U"\u1f0d\u0399", U"\u1f8d"},
    {0x1F86, U"\u1f0e\u0399", U"\u1f8e"},
    {0x1F87, U"\u1f0f\u0399", U"\u1f8f"},
    {0x1F88, U"\u1f08\u0399", U"\u1f88"},
    {0x1F89, U"\u1f09\u0399", U"\u1f89"},
    {0x1F8A, U"\u1f0a\u0399", U"\u1f8a"},
    {0x1F8B, U"\u1f0b\u0399", U"\u1f8b"},
    {0x1F8C, U"\u1f0c\u0399", U"\u1f8c"},
    {0x1F8D, U"\u1f0d\u0399", U"\u1f8d"},
    {0x1F8E, U"\u1f0e\u0399", U"\u1f8e"},
    {0x1F8F, U"\u1f0f\u0399", U"\u1f8f"},
    {0x1F90, U"\u1f28\u0399", U"\u1f98"},
    {0x1F91, U"\u1f29\u0399", U"\u1f99"},
    {0x1F92, U"\u1f2a\u0399", U"\u1f9a"},
    {0x1F93, U"\u1f2b\u0399", U"\u1f9b"},
    {0x1F94, U"\u1f2c\u0399", U"\u1f9c"},
    {0x1F95, U"\u1f2d\u0399", U"\u1f9d"},
    {0x1F96, U"\u1f2e\u0399", U"\u1f9e"},
    {0x1F97, U"\u1f2f\u0399", U"\u1f9f"},
    {0x1F98, U"\u1f28\u0399", U"\u1f98"},
    {0x1F99, U"\u1f29\u0399", U"\u1f99"},
    {0x1F9A, U"\u1f2a\u0399", U"\u1f9a"},
    {0x1F9B, U"\u1f2b\u0399", U"\u1f9b"},
    {0x1F9C, U"\u1f2c\u0399", U"\u1f9c"},
    {0x1F9D, U"\u1f2d\u0399", U"\u1f9d"},
    {0x1F9E, U"\u1f2e\u0399", U"\u1f9e"},
    {0x1F9F, U"\u1f2f\u0399", U"\u1f9f"},
    {0x1FA0, U"\u1f68\u0399", U"\u1fa8"},
    {0x1FA1, U"\u1f69\u0399", U"\u1fa9"},
    {0x1FA2, U"\u1f6a\u0399", U"\u1faa"},
    {0x1FA3, U"\u1f6b\u0399", U"\u1fab"},
    {0x1FA4, U"\u1f6c\u0399", U"\u1fac"},
    {0x1FA5, U"\u1f6d\u0399", U"\u1fad"},
    {0x1FA6, U"\u1f6e\u0399", U"\u1fae"},
    {0x1FA7, U"\u1f6f\u0399", U"\u1faf"},
    {0x1FA8, U"\u1f68\u0399", U"\u1fa8"},
    {0x1FA9, U"\u1f69\u0399", U"\u1fa9"},
    {0x1FAA, U"\u1f6a\u0399", U"\u1faa"},
    {0x1FAB, U"\u1f6b\u0399", U"\u1fab"},
    {0x1FAC, U"\u1f6c\u0399", U"\u1fac"},
    {0x1FAD, U"\u1f6d\u0399", U"\u1fad"},
    {0x1FAE, U"\u1f6e\u0399", U"\u1fae"},
    {0x1FAF, U"\u1f6f\u0399", U"\u1faf"},
    {0x1FB2, U"\u1fba\u0399", U"\u1fba\u0345"},
    {0x1FB3, U"\u0391\u0399", U"\u1fbc"},
    {0x1FB4, U"\u0386\u0399", U"\u0386\u0345"},
    {0x1FB6, U"\u0391\u0342", U"\u0391\u0342"},
    {0x1FB7, U"\u0391\u0342\u0399", U"\u0391\u0342\u0345"},
    {0x1FBC, U"\u0391\u0399", U"\u1fbc"},
    {0x1FC2, U"\u1fca\u0399", U"\u1fca\u0345"},
    {0x1FC3, U"\u0397\u0399", U"\u1fcc"},
    {0x1FC4, U"\u0389\u0399", U"\u0389\u0345"},
    {0x1FC6, U"\u0397\u0342", U"\u0397\u0342"},
    {0x1FC7, U"\u0397\u0342\u0399", U"\u0397\u0342\u0345"},
    {0x1FCC, U"\u0397\u0399", U"\u1fcc"},
    {0x1FD2, U"\u0399\u0308\u0300", U"\u0399\u0308\u0300"},
    {0x1FD3, U"\u0399\u0308\u0301", U"\u0399\u0308\u0301"},
    {0x1FD6, U"\u0399\u0342", U"\u0399\u0342"},
    {0x1FD7, U"\u0399\u0308\u0342", U"\u0399\u0308\u0342"},
    {0x1FE2, U"\u03a5\u0308\u0300", U"\u03a5\u0308\u0300"},
    {0x1FE3, U"\u03a5\u0308\u0301", U"\u03a5\u0308\u0301"},
    {0x1FE4, U"\u03a1\u0313", U"\u03a1\u0313"},
    {0x1FE6, U"\u03a5\u0342", U"\u03a5\u0342"},
    {0x1FE7, U"\u03a5\u0308\u0342", U"\u03a5\u0308\u0342"},
    {0x1FF2, U"\u1ffa\u0399", U"\u1ffa\u0345"},
    {0x1FF3, U"\u03a9\u0399", U"\u1ffc"},
    {0x1FF4, U"\u038f\u0399", U"\u038f\u0345"},
    {0x1FF6, U"\u03a9\u0342", U"\u03a9\u0342"},
    {0x1FF7, U"\u03a9\u0342\u0399", U"\u03a9\u0342\u0345"},
    {0x1FFC, U"\u03a9\u0399", U"\u1ffc"},
    {0xFB00, U"FF", U"Ff"},
    {0xFB01, U"FI", U"Fi"},
    {0xFB02, U"FL", U"Fl"},
    {0xFB03, U"FFI", U"Ffi"},
    {0xFB04, U"FFL", U"Ffl"},
    {0xFB05, U"ST", U"St"},
    {0xFB06, U"ST", U"St"},
    {0xFB13, U"\u0544\u0546", U"\u0544\u0576"},
    {0xFB14, U"\u0544\u0535", U"\u0544\u0565"},
    {0xFB15, U"\u0544\u053b", U"\u0544\u056b"},
    {0xFB16, U"\u054e\u0546", U"\u054e\u0576"},
    {0xFB17, U"\u0544\u053d", U"\u0544\u056d"},
};

const SpecialCase* FindSpecial(uint32_t c) {
  auto it =
      std::lower_bound(std::begin(kSpecialCases), std::end(kSpecialCases), c,
                       [](const SpecialCase& row, uint32_t key) { return row.code_point < key; });
  return it != std::end(kSpecialCases) && it->code_point == c ? it : nullptr;
}

void AppendAll(const char32_t* points, std::string* out) {
  for (; *points != 0; ++points) AppendUtf8(static_cast<uint32_t>(*points), out);
}

void AppendUpper(uint32_t c, std::string* out) {
  if (const SpecialCase* special = FindSpecial(c)) return AppendAll(special->upper, out);
  AppendUtf8(static_cast<uint32_t>(utf8proc_toupper(static_cast<int32_t>(c))), out);
}

void AppendTitle(uint32_t c, std::string* out) {
  if (const SpecialCase* special = FindSpecial(c)) return AppendAll(special->title, out);
  AppendUtf8(static_cast<uint32_t>(utf8proc_totitle(static_cast<int32_t>(c))), out);
}

utf8proc_category_t Category(uint32_t c) { return utf8proc_category(static_cast<int32_t>(c)); }

bool IsCased(uint32_t c) {
  const auto category = Category(c);
  if (category == UTF8PROC_CATEGORY_LU || category == UTF8PROC_CATEGORY_LL ||
      category == UTF8PROC_CATEGORY_LT) {
    return true;
  }
  const int32_t i = static_cast<int32_t>(c);
  return utf8proc_toupper(i) != i || utf8proc_tolower(i) != i;
}

bool IsCaseIgnorable(uint32_t c) {
  switch (Category(c)) {
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_SK:
      return true;
    default:
      return c == '\'' || c == '.' || c == ':' || c == 0xB7 || c == 0x2018 || c == 0x2019 ||
             c == 0x2024 || c == 0x2027;
  }
}

// A capital sigma at the end of a word becomes the final form.
bool IsFinalSigma(const std::vector<uint32_t>& points, size_t at) {
  size_t before = at;
  while (before > 0 && IsCaseIgnorable(points[before - 1])) --before;
  if (before == 0 || !IsCased(points[before - 1])) return false;
  size_t after = at + 1;
  while (after < points.size() && IsCaseIgnorable(points[after])) ++after;
  return after == points.size() || !IsCased(points[after]);
}

void AppendLower(const std::vector<uint32_t>& points, size_t at, std::string* out) {
  const uint32_t c = points[at];
  if (c == 0x130) {  // the dotted capital I, the only one whose lower case is longer
    out->append("i\xCC\x87");
  } else if (c == 0x3A3) {
    AppendUtf8(IsFinalSigma(points, at) ? 0x3C2 : 0x3C3, out);
  } else {
    AppendUtf8(static_cast<uint32_t>(utf8proc_tolower(static_cast<int32_t>(c))), out);
  }
}

}  // namespace

std::string Upper(absl::string_view text) {
  std::string out;
  for (uint32_t c : ToCodePoints(text)) AppendUpper(c, &out);
  return out;
}

std::string Lower(absl::string_view text) {
  const std::vector<uint32_t> points = ToCodePoints(text);
  std::string out;
  for (size_t i = 0; i < points.size(); ++i) AppendLower(points, i, &out);
  return out;
}

std::string Capitalize(absl::string_view text) {
  const std::vector<uint32_t> points = ToCodePoints(text);
  std::string out;
  for (size_t i = 0; i < points.size(); ++i) {
    if (i == 0) {
      AppendTitle(points[i], &out);
    } else {
      AppendLower(points, i, &out);
    }
  }
  return out;
}

std::string TitleMethod(absl::string_view text) {
  const std::vector<uint32_t> points = ToCodePoints(text);
  std::string out;
  bool in_word = false;
  for (size_t i = 0; i < points.size(); ++i) {
    if (in_word) {
      AppendLower(points, i, &out);
    } else {
      AppendTitle(points[i], &out);
    }
    in_word = IsCased(points[i]);
  }
  return out;
}

std::string TitleFilter(absl::string_view text) {
  auto separates = [](uint32_t c) {
    return c == '-' || c == '(' || c == '{' || c == '[' || c == '<' || IsSpace(c);
  };
  std::string out, word;
  auto flush = [&] {
    if (word.empty()) return;
    size_t first = 0;
    NextCodePoint(word, &first);
    out.append(Upper(absl::string_view(word).substr(0, first)));
    out.append(Lower(absl::string_view(word).substr(first)));
    word.clear();
  };
  for (uint32_t c : ToCodePoints(text)) {
    if (separates(c)) {
      flush();
      AppendUtf8(c, &out);
    } else {
      AppendUtf8(c, &word);
    }
  }
  flush();
  return out;
}

std::string SwapCase(absl::string_view text) {
  const std::vector<uint32_t> points = ToCodePoints(text);
  std::string out;
  for (size_t i = 0; i < points.size(); ++i) {
    const auto category = Category(points[i]);
    if (category == UTF8PROC_CATEGORY_LU) {
      AppendLower(points, i, &out);
    } else if (category == UTF8PROC_CATEGORY_LL) {
      AppendUpper(points[i], &out);
    } else {
      AppendUtf8(points[i], &out);
    }
  }
  return out;
}

bool IsAlpha(uint32_t c) {
  const auto category = Category(c);
  return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO;
}

bool IsDecimal(uint32_t c) { return Category(c) == UTF8PROC_CATEGORY_ND; }

// Surrogates are in no text.
bool IsPrintable(uint32_t c) {
  if (c == ' ') return true;
  switch (Category(c)) {
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_ZS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
      return false;
    default:
      return true;
  }
}

bool IsUpper(absl::string_view text) {
  bool cased = false;
  for (uint32_t c : ToCodePoints(text)) {
    const auto category = Category(c);
    if (category == UTF8PROC_CATEGORY_LL || category == UTF8PROC_CATEGORY_LT) return false;
    cased |= category == UTF8PROC_CATEGORY_LU;
  }
  return cased;
}

bool IsLower(absl::string_view text) {
  bool cased = false;
  for (uint32_t c : ToCodePoints(text)) {
    const auto category = Category(c);
    if (category == UTF8PROC_CATEGORY_LU || category == UTF8PROC_CATEGORY_LT) return false;
    cased |= category == UTF8PROC_CATEGORY_LL;
  }
  return cased;
}

}  // namespace steer::jinja
