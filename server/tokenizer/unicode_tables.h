// Where the `tokenizers` library's Unicode differs from version 14 (PCRE2 10.42) and version 15
// (utf8proc 2.8). Sorted tables, made by tests/golden/tokenizer/make_unicode_tables.py; read through
// unicode.h.
#ifndef STEER_SERVER_TOKENIZER_UNICODE_TABLES_H_
#define STEER_SERVER_TOKENIZER_UNICODE_TABLES_H_

#include <cstddef>
#include <cstdint>

namespace steer::tok {

struct CodePointRange {
  uint32_t first, last;  // inclusive
};
struct CodePointPair {
  uint32_t from, to;
};
struct CategoryRange {
  uint32_t first, last;
  const char* category;  // "Lu"
};

// General categories in the library's regex engine.
extern const CategoryRange kCategoryChanges[];
extern const size_t kCategoryChangesSize;
// Numeric for the library's Digits, beyond category N of its regex engine.
extern const CodePointRange kMoreNumeric[];
extern const size_t kMoreNumericSize;
extern const CodePointPair kMoreLower[];
extern const size_t kMoreLowerSize;
// Plain characters for the library's normaliser: neither reordered, decomposed nor composed with
// what stands before them.
extern const CodePointRange kInert[];
extern const size_t kInertSize;

}  // namespace steer::tok

#endif  // STEER_SERVER_TOKENIZER_UNICODE_TABLES_H_
