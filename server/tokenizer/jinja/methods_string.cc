#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "common/utf8.h"
#include "server/tokenizer/jinja/compare.h"
#include "server/tokenizer/jinja/methods.h"
#include "server/tokenizer/jinja/text.h"

namespace steer::jinja {
namespace {

using Result = absl::StatusOr<Value>;

// Text of the same kind as `like`.
Value Same(const Value& like, std::string text) {
  return like.is_markup() ? Value::Markup(std::move(text)) : Value::String(std::move(text));
}
Value Same(const Value& like, absl::string_view text) { return Same(like, std::string(text)); }

Result SameList(const Value& like, const std::vector<absl::string_view>& parts, Runtime& runtime) {
  STEER_RETURN_IF_ERROR(runtime.budget.Step(static_cast<int64_t>(parts.size())));
  STEER_RETURN_IF_ERROR(runtime.budget.Bytes(parts.size() * 64));
  Items items;
  for (absl::string_view part : parts) items.push_back(Same(like, part));
  return Value::List(std::move(items));
}

template <Side side>
Result Strip(const Value& self, const Bound& bound, Runtime&) {
  if (!bound.set(0)) return Same(self, StripSpace(self.text(), side));
  STEER_ASSIGN_OR_RETURN(std::string chars, bound.text(0));
  return Same(self, StripChars(self.text(), chars, side));
}

template <std::string (*function)(absl::string_view)>
Result Mapped(const Value& self, const Bound&, Runtime&) {
  return Same(self, function(self.text()));
}

template <bool from_right>
Result SplitMethod(const Value& self, const Bound& bound, Runtime& runtime) {
  STEER_ASSIGN_OR_RETURN(int64_t max, bound.integer(1, -1));
  if (!bound.set(0)) {
    return SameList(
        self, from_right ? SplitAtSpaceFromRight(self.text(), max) : SplitAtSpace(self.text(), max),
        runtime);
  }
  STEER_ASSIGN_OR_RETURN(std::string separator, bound.text(0));
  if (separator.empty()) return Fail("split: the separator is empty");
  return SameList(
      self,
      from_right ? SplitFromRight(self.text(), separator, max) : Split(self.text(), separator, max),
      runtime);
}

Result SplitLinesMethod(const Value& self, const Bound& bound, Runtime& runtime) {
  return SameList(self, SplitLines(self.text(), bound.truth(0, false)), runtime);
}

template <bool from_right>
Result PartitionMethod(const Value& self, const Bound& bound, Runtime&) {
  STEER_ASSIGN_OR_RETURN(std::string separator, bound.text(0));
  if (separator.empty()) return Fail("partition: the separator is empty");
  const std::string& text = self.text();
  const size_t at = from_right ? FindLastText(text, separator) : FindText(text, separator);
  if (at == std::string::npos) {
    const Value empty = Same(self, std::string());
    return from_right ? Value::Tuple({empty, empty, self}) : Value::Tuple({self, empty, empty});
  }
  return Value::Tuple({Same(self, text.substr(0, at)), Same(self, separator),
                       Same(self, text.substr(at + separator.size()))});
}

// The part of the text that optional start and end (parameters 1 and 2) leave; nullopt if start is
// beyond it.
struct Window {
  absl::string_view text;
  int64_t start;
  bool valid;
};
absl::StatusOr<Window> WindowOf(const Value& self, const Bound& bound) {
  const int64_t size = static_cast<int64_t>(CountCodePoints(self.text()));
  int64_t start = 0, end = size;
  if (bound.set(1)) {
    STEER_ASSIGN_OR_RETURN(start, bound.integer(1, 0));
  }
  if (bound.set(2)) {
    STEER_ASSIGN_OR_RETURN(end, bound.integer(2, size));
  }
  if (start < 0) start = std::max<int64_t>(0, start + size);
  if (end < 0) end = std::max<int64_t>(0, end + size);
  end = std::min(end, size);
  if (start > end) return Window{"", start, false};
  const size_t from = OffsetOf(self.text(), start), to = OffsetOf(self.text(), end);
  return Window{absl::string_view(self.text()).substr(from, to - from), start, true};
}

template <bool at_end>
Result StartsOrEnds(const Value& self, const Bound& bound, Runtime& runtime) {
  STEER_ASSIGN_OR_RETURN(Window window, WindowOf(self, bound));
  Items choices = {bound.at(0)};
  if (bound.at(0).is(Kind::kTuple)) choices = bound.at(0).items();
  STEER_RETURN_IF_ERROR(runtime.budget.Step(static_cast<int64_t>(choices.size())));
  for (const Value& choice : choices) {
    if (choice.is_undefined()) return UndefinedError(choice);
    if (!choice.is_string())
      return Fail("startswith and endswith need a string or a tuple of strings");
    if (window.valid && (at_end ? absl::EndsWith(window.text, choice.text())
                                : absl::StartsWith(window.text, choice.text()))) {
      return Value::Bool(true);
    }
  }
  return Value::Bool(false);
}

template <bool from_right, bool must>
Result FindMethod(const Value& self, const Bound& bound, Runtime&) {
  STEER_ASSIGN_OR_RETURN(std::string what, bound.text(0));
  STEER_ASSIGN_OR_RETURN(Window window, WindowOf(self, bound));
  const size_t at = !window.valid ? absl::string_view::npos
                    : from_right  ? FindLastText(window.text, what)
                                  : FindText(window.text, what);
  if (at == absl::string_view::npos)
    return must ? Result(Fail("substring not found")) : Result(Value::Int(-1));
  return Value::Int(window.start +
                    static_cast<int64_t>(CountCodePoints(window.text.substr(0, at))));
}

Result CountMethod(const Value& self, const Bound& bound, Runtime&) {
  STEER_ASSIGN_OR_RETURN(std::string what, bound.text(0));
  STEER_ASSIGN_OR_RETURN(Window window, WindowOf(self, bound));
  return Value::Int(window.valid ? Count(window.text, what) : 0);
}

Result ReplaceMethod(const Value& self, const Bound& bound, Runtime& runtime) {
  STEER_ASSIGN_OR_RETURN(std::string from, bound.text(0));
  STEER_ASSIGN_OR_RETURN(std::string to, bound.text(1));
  STEER_ASSIGN_OR_RETURN(int64_t count, bound.integer(2, -1));
  const int64_t found = Count(self.text(), from);
  STEER_RETURN_IF_ERROR(
      runtime.budget.Bytes(self.text().size() + static_cast<size_t>(found) * to.size()));
  return Same(self, Replace(self.text(), from, to, count));
}

Result JoinMethod(const Value& self, const Bound& bound, Runtime& runtime) {
  STEER_ASSIGN_OR_RETURN(Items items, Iterate(bound.at(0), runtime.budget));
  std::string out;
  for (size_t i = 0; i < items.size(); ++i) {
    if (!items[i].is_string()) {
      return Fail(
          absl::StrCat("join: item ", i, " is of type '", TypeName(items[i]), "', not a string"));
    }
    if (self.is_markup()) return Fail("'join' of a safe string is not built");
    STEER_RETURN_IF_ERROR(runtime.budget.Bytes(self.text().size() + items[i].text().size()));
    if (i > 0) out.append(self.text());
    out.append(items[i].text());
  }
  return Same(self, std::move(out));
}

template <bool prefix>
Result RemoveAffix(const Value& self, const Bound& bound, Runtime&) {
  STEER_ASSIGN_OR_RETURN(std::string affix, bound.text(0));
  absl::string_view text = self.text();
  if (prefix && absl::StartsWith(text, affix)) text.remove_prefix(affix.size());
  if (!prefix && absl::EndsWith(text, affix)) text.remove_suffix(affix.size());
  return Same(self, text);
}

enum class Pad { kLeft, kRight, kCenter, kZero };
template <Pad pad>
Result PadMethod(const Value& self, const Bound& bound, Runtime& runtime) {
  STEER_ASSIGN_OR_RETURN(int64_t width, bound.integer(0, 0));
  std::string fill = pad == Pad::kZero ? "0" : " ";
  if (pad != Pad::kZero && bound.has(1)) {
    STEER_ASSIGN_OR_RETURN(fill, bound.text(1));
    if (CountCodePoints(fill) != 1) return Fail("the fill must be one character");
  }
  const int64_t missing = width - static_cast<int64_t>(CountCodePoints(self.text()));
  if (missing <= 0) return self;
  if (missing > kMaxBytes)
    return TooMuch(absl::StrCat("rendering builds more than ", kMaxBytes, " bytes"));
  STEER_RETURN_IF_ERROR(runtime.budget.Bytes(static_cast<size_t>(missing) * fill.size()));
  // CPython's str.center puts the odd one left only if the width is odd as well.
  const int64_t left = pad == Pad::kLeft || pad == Pad::kZero ? missing
                       : pad == Pad::kRight                   ? 0
                                                              : missing / 2 + (missing & width & 1);
  std::string before, after;
  for (int64_t i = 0; i < missing; ++i) (i < left ? before : after).append(fill);
  const std::string& text = self.text();
  const bool sign = pad == Pad::kZero && !text.empty() && (text[0] == '+' || text[0] == '-');
  if (sign) return Same(self, absl::StrCat(text.substr(0, 1), before, text.substr(1)));
  return Same(self, absl::StrCat(before, text, after));
}

template <bool (*predicate)(uint32_t)>
Result AllOf(const Value& self, const Bound&, Runtime&) {
  const std::vector<uint32_t> points = ToCodePoints(self.text());
  return Value::Bool(!points.empty() && std::all_of(points.begin(), points.end(), predicate));
}

template <bool (*predicate)(absl::string_view)>
Result Is(const Value& self, const Bound&, Runtime&) {
  return Value::Bool(predicate(self.text()));
}

Result IsAsciiMethod(const Value& self, const Bound&, Runtime&) {
  return Value::Bool(IsAscii(self.text()));
}

constexpr Method kMethods[] = {
    {{"capitalize", ""}, Mapped<Capitalize>},
    {{"center", "/width fill?"}, PadMethod<Pad::kCenter>},
    {{"count", "/sub start? end?"}, CountMethod},
    {{"endswith", "/suffix start? end?"}, StartsOrEnds<true>},
    {{"find", "/sub start? end?"}, FindMethod<false, false>},
    {{"index", "/sub start? end?"}, FindMethod<false, true>},
    {{"isalpha", ""}, AllOf<IsAlpha>},
    {{"isascii", ""}, IsAsciiMethod},
    {{"isdecimal", ""}, AllOf<IsDecimal>},
    {{"islower", ""}, Is<IsLower>},
    {{"isspace", ""}, AllOf<IsSpace>},
    {{"isupper", ""}, Is<IsUpper>},
    {{"join", "/iterable"}, JoinMethod},
    {{"ljust", "/width fill?"}, PadMethod<Pad::kRight>},
    {{"lower", ""}, Mapped<Lower>},
    {{"lstrip", "/chars?"}, Strip<Side::kLeft>},
    {{"partition", "/sep"}, PartitionMethod<false>},
    {{"removeprefix", "/prefix"}, RemoveAffix<true>},
    {{"removesuffix", "/suffix"}, RemoveAffix<false>},
    {{"replace", "/old new count?"}, ReplaceMethod},
    {{"rfind", "/sub start? end?"}, FindMethod<true, false>},
    {{"rindex", "/sub start? end?"}, FindMethod<true, true>},
    {{"rjust", "/width fill?"}, PadMethod<Pad::kLeft>},
    {{"rpartition", "/sep"}, PartitionMethod<true>},
    {{"rsplit", "sep? maxsplit?"}, SplitMethod<true>},
    {{"rstrip", "/chars?"}, Strip<Side::kRight>},
    {{"split", "sep? maxsplit?"}, SplitMethod<false>},
    {{"splitlines", "keepends?"}, SplitLinesMethod},
    {{"startswith", "/prefix start? end?"}, StartsOrEnds<false>},
    {{"strip", "/chars?"}, Strip<Side::kBoth>},
    {{"swapcase", ""}, Mapped<SwapCase>},
    {{"title", ""}, Mapped<TitleMethod>},
    {{"upper", ""}, Mapped<Upper>},
    {{"zfill", "/width"}, PadMethod<Pad::kZero>},
};

}  // namespace

const Method* FindStringMethod(absl::string_view name) {
  for (const Method& method : kMethods) {
    if (name == method.signature.name) return &method;
  }
  return nullptr;
}

}  // namespace steer::jinja
