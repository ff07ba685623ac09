#include "server/tokenizer/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/status_macros.h"
#include "common/utf8.h"
#include "server/tokenizer/regex_dialect.h"

namespace steer::tok {
namespace {

template <auto Free>
struct Deleter {
  template <typename T>
  void operator()(T* p) const {
    Free(p);
  }
};
using Code = std::unique_ptr<pcre2_code, Deleter<pcre2_code_free>>;
using CompileContext = std::unique_ptr<pcre2_compile_context, Deleter<pcre2_compile_context_free>>;
using MatchContext = std::unique_ptr<pcre2_match_context, Deleter<pcre2_match_context_free>>;
using MatchData = std::unique_ptr<pcre2_match_data, Deleter<pcre2_match_data_free>>;
using JitStack = std::unique_ptr<pcre2_jit_stack, Deleter<pcre2_jit_stack_free>>;

std::string Pcre2Message(int code) {
  PCRE2_UCHAR text[160] = {};
  pcre2_get_error_message(code, text, sizeof(text));
  return reinterpret_cast<const char*>(text);
}

void AddGap(size_t begin, size_t end, std::vector<Span>* spans) {
  if (begin < end) spans->push_back({begin, end, false});
}

class RegexPattern : public Pattern {
 public:
  explicit RegexPattern(Code code) : code_(std::move(code)) {}

  absl::Status Find(absl::string_view text, std::vector<Span>* spans) const override {
    if (text.empty()) return absl::OkStatus();
    // All of a search's state is its own: match data must not be shared between threads.
    MatchContext context(pcre2_match_context_create(nullptr));
    MatchData data(pcre2_match_data_create(1, nullptr));
    if (context == nullptr || data == nullptr) {
      return absl::ResourceExhaustedError("no memory for a regex search");
    }
    pcre2_set_match_limit(context.get(), static_cast<uint32_t>(std::min<uint64_t>(
                                             10'000'000 + 64 * uint64_t{text.size()}, UINT32_MAX)));
    pcre2_set_heap_limit(context.get(), 1 << 18);  // KiB

    JitStack stack;  // made when a match first needs it
    size_t from = 0, covered = 0;
    size_t last_end = SIZE_MAX;  // of the match before
    for (;;) {
      int rc = pcre2_match(code_.get(), reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(),
                           from, PCRE2_NO_UTF_CHECK, data.get(), context.get());
      if (rc == PCRE2_ERROR_JIT_STACKLIMIT && stack == nullptr) {
        // The 32 KiB of the thread's stack that a match may use are too few: the same again with
        // more. Most pieces are words, and mapping this for each would take longer than searching
        // it.
        stack.reset(pcre2_jit_stack_create(64 << 10, 8 << 20, nullptr));
        if (stack == nullptr) return absl::ResourceExhaustedError("no memory for a regex search");
        pcre2_jit_stack_assign(context.get(), nullptr, stack.get());
        continue;
      }
      if (rc == PCRE2_ERROR_NOMATCH) break;
      if (rc < 0) {
        return MakeError(
            absl::StatusCode::kResourceExhausted, "TOKENIZER_PATTERN_LIMIT",
            absl::StrCat("a pattern of the tokenizer gave up at byte ", from,
                         " of the text: ", Pcre2Message(rc), "; shorten or break up the text"));
      }
      const PCRE2_SIZE* ends = pcre2_get_ovector_pointer(data.get());
      if (ends[0] == ends[1] && ends[1] == last_end) {
        // An empty match right after a match does not count; look from the next character on.
        if (from == text.size()) break;
        NextCodePoint(text, &from);
        continue;
      }
      AddGap(covered, ends[0], spans);
      spans->push_back({ends[0], ends[1], true});
      covered = last_end = from = ends[1];
    }
    AddGap(covered, text.size(), spans);
    return absl::OkStatus();
  }

 private:
  Code code_;
};

class LiteralPattern : public Pattern {
 public:
  explicit LiteralPattern(absl::string_view literal) : literal_(literal) {}

  absl::Status Find(absl::string_view text, std::vector<Span>* spans) const override {
    size_t covered = 0;
    for (size_t at; (at = text.find(literal_, covered)) != absl::string_view::npos;) {
      AddGap(covered, at, spans);
      covered = at + literal_.size();
      spans->push_back({at, covered, true});
    }
    AddGap(covered, text.size(), spans);
    return absl::OkStatus();
  }

 private:
  std::string literal_;
};

}  // namespace

absl::StatusOr<std::shared_ptr<const Pattern>> Pattern::CompileRegex(absl::string_view regex) {
  STEER_ASSIGN_OR_RETURN(std::string pattern, ToPcre2(regex));
  CompileContext context(pcre2_compile_context_create(nullptr));
  if (context == nullptr) return absl::ResourceExhaustedError("no memory for a pattern");
  pcre2_set_newline(context.get(), PCRE2_NEWLINE_LF);
  int error = 0;
  PCRE2_SIZE offset = 0;
  // MULTILINE, because ^ and $ are anchors of lines in the library's dialect.
  Code code(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                          PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C, &error,
                          &offset, context.get()));
  if (code == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat("not a pattern: ", Pcre2Message(error),
                                                   " (byte ", offset, " of ",
                                                   pattern.substr(0, 200), ")"));
  }
  // Without JIT (a platform that forbids it) the interpreter gives the same matches, more slowly.
  pcre2_jit_compile(code.get(), PCRE2_JIT_COMPLETE);
  return std::shared_ptr<const Pattern>(std::make_shared<RegexPattern>(std::move(code)));
}

absl::StatusOr<std::shared_ptr<const Pattern>> Pattern::CompileLiteral(absl::string_view literal) {
  if (literal.empty()) return absl::InvalidArgumentError("an empty string matches nothing");
  return std::shared_ptr<const Pattern>(std::make_shared<LiteralPattern>(literal));
}

}  // namespace steer::tok
