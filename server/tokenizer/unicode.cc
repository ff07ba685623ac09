#include "server/tokenizer/unicode.h"

#include <utf8proc.h>

#include <algorithm>
#include <iterator>

#include "common/utf8.h"

namespace steer::tok {
namespace {

template <typename Range>
const Range* FindRange(const Range* begin, const Range* end, uint32_t c) {
  const Range* it = std::partition_point(begin, end, [c](const Range& r) { return r.last < c; });
  return it != end && it->first <= c ? it : nullptr;
}

absl::string_view CategoryOf(uint32_t c) {
  const CategoryRange* change =
      FindRange(kCategoryChanges, kCategoryChanges + kCategoryChangesSize, c);
  return change != nullptr ? change->category
                           : utf8proc_category_string(static_cast<utf8proc_int32_t>(c));
}

bool IsInert(uint32_t c) { return FindRange(kInert, kInert + kInertSize, c) != nullptr; }

int CombiningClass(utf8proc_int32_t c) { return utf8proc_get_property(c)->combining_class; }

// Orders, composes and writes what has been gathered since the last inert character.
void FlushRun(bool compose, std::vector<utf8proc_int32_t>* run, std::string* out) {
  // Canonical ordering is a stable sort of each run of marks; utf8proc's own is quadratic in the
  // length of such a run.
  for (auto it = run->begin(); it != run->end();) {
    auto mark = std::find_if(it, run->end(), [](auto c) { return CombiningClass(c) != 0; });
    it = std::find_if(mark, run->end(), [](auto c) { return CombiningClass(c) == 0; });
    std::stable_sort(mark, it,
                     [](auto a, auto b) { return CombiningClass(a) < CombiningClass(b); });
  }
  if (compose && !run->empty()) {
    utf8proc_ssize_t length = utf8proc_normalize_utf32(
        run->data(), static_cast<utf8proc_ssize_t>(run->size()),
        static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
    // Composing characters cannot fail and only makes fewer of them.
    run->resize(static_cast<size_t>(
        std::clamp<utf8proc_ssize_t>(length, 0, static_cast<utf8proc_ssize_t>(run->size()))));
  }
  for (utf8proc_int32_t c : *run) AppendUtf8(static_cast<uint32_t>(c), out);
  run->clear();
}

}  // namespace

bool IsWhitespace(uint32_t c) {
  return FindRange(std::begin(kWhitespace), std::end(kWhitespace), c) != nullptr;
}

bool IsNumeric(uint32_t c) {
  if (c < 0x80) return c >= '0' && c <= '9';
  return CategoryOf(c)[0] == 'N' ||
         FindRange(kMoreNumeric, kMoreNumeric + kMoreNumericSize, c) != nullptr;
}

bool IsWordCharacter(uint32_t c) {
  // Join controls, and symbols with the property Other_Alphabetic.
  static constexpr CodePointRange kMore[] = {{0x200C, 0x200D},
                                             {0x24B6, 0x24E9},
                                             {0x1F130, 0x1F149},
                                             {0x1F150, 0x1F169},
                                             {0x1F170, 0x1F189}};
  absl::string_view category = CategoryOf(c);
  return category[0] == 'L' || category[0] == 'M' || category == "Nd" || category == "Nl" ||
         category == "Pc" || FindRange(std::begin(kMore), std::end(kMore), c) != nullptr;
}

void AppendLowercase(uint32_t c, std::string* out) {
  if (c == 0x130) {  // the one character whose lower case is two
    out->append("i\xCC\x87");
    return;
  }
  const CodePointPair* end = kMoreLower + kMoreLowerSize;
  const CodePointPair* it =
      std::partition_point(kMoreLower, end, [c](const CodePointPair& p) { return p.from < c; });
  AppendUtf8(it != end && it->from == c
                 ? it->to
                 : static_cast<uint32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c))),
             out);
}

std::vector<CodePointRange> CategoryAdditions(absl::string_view category) {
  std::vector<CodePointRange> added;
  for (size_t i = 0; i < kCategoryChangesSize; ++i) {
    const CategoryRange& change = kCategoryChanges[i];
    if (absl::string_view(change.category).substr(0, category.size()) != category) continue;
    if (!added.empty() && added.back().last + 1 == change.first) {
      added.back().last = change.last;
    } else {
      added.push_back({change.first, change.last});
    }
  }
  return added;
}

std::string Normalize(NormalForm form, absl::string_view text) {
  bool compose = form == NormalForm::kNfc || form == NormalForm::kNfkc;
  bool compat = form == NormalForm::kNfkc || form == NormalForm::kNfkd;
  auto options = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_DECOMPOSE |
                                                (compat ? UTF8PROC_COMPAT : 0));
  // Nothing below U+0080 changes in any form, nothing below U+0300 (whose first lead byte is 0xCC)
  // in NFC.
  unsigned char first_affected = form == NormalForm::kNfc ? 0xCC : 0x80;
  if (std::all_of(text.begin(), text.end(), [first_affected](char c) {
        return static_cast<unsigned char>(c) < first_affected;
      })) {
    return std::string(text);
  }
  std::string out;
  out.reserve(text.size());
  std::vector<utf8proc_int32_t> run;
  for (size_t at = 0; at < text.size();) {
    uint32_t c = NextCodePoint(text, &at);
    if (IsInert(c)) {
      FlushRun(compose, &run, &out);
      AppendUtf8(c, &out);
      continue;
    }
    // 18 is the longest compatibility decomposition (U+FDFA).
    utf8proc_int32_t parts[32];
    int boundclass = 0;
    utf8proc_ssize_t count = utf8proc_decompose_char(static_cast<utf8proc_int32_t>(c), parts,
                                                     std::size(parts), options, &boundclass);
    // It fails for what is no code point only.
    run.insert(run.end(), parts, parts + std::clamp<utf8proc_ssize_t>(count, 0, std::size(parts)));
  }
  FlushRun(compose, &run, &out);
  return out;
}

}  // namespace steer::tok
