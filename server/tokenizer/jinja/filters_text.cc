// Filters that give text.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "server/tokenizer/jinja/compare.h"
#include "server/tokenizer/jinja/filters.h"
#include "server/tokenizer/jinja/print.h"
#include "server/tokenizer/jinja/text.h"

namespace steer::jinja {
namespace {

using Result = absl::StatusOr<Value>;

Value Like(const Value& input, std::string text) {
  return input.is_markup() ? Value::Markup(std::move(text)) : Value::String(std::move(text));
}

template <std::string (*function)(absl::string_view)>
Result Mapped(const Value& input, const Bound&, Runtime& runtime) {
  STEER_ASSIGN_OR_RETURN(std::string text, Str(input, runtime.budget));
  return Like(input, function(text));
}

Result Title(const Value& input, const Bound&, Runtime& runtime) {
  STEER_ASSIGN_OR_RETURN(std::string text, Str(input, runtime.budget));
  return Value::String(TitleFilter(text));
}

Result Trim(const Value& input, const Bound& bound, Runtime& runtime) {
  STEER_ASSIGN_OR_RETURN(std::string text, Str(input, runtime.budget));
  if (!bound.set(0)) return Like(input, std::string(StripSpace(text, Side::kBoth)));
  STEER_ASSIGN_OR_RETURN(std::string chars, bound.text(0));
  return Like(input, std::string(StripChars(text, chars, Side::kBoth)));
}

Result String(const Value& input, const Bound&, Runtime& runtime) {
  STEER_ASSIGN_OR_RETURN(std::string text, Str(input, runtime.budget));
  return Like(input, std::move(text));
}

Result Safe(const Value& input, const Bound&, Runtime& runtime) {
  STEER_ASSIGN_OR_RETURN(std::string text, Str(input, runtime.budget));
  return Value::Markup(std::move(text));
}

Result Escape(const Value& input, const Bound&, Runtime& runtime) {
  if (input.is_markup()) return input;
  STEER_ASSIGN_OR_RETURN(std::string text, Str(input, runtime.budget));
  return Value::Markup(EscapeHtml(text));
}

Result ReplaceFilter(const Value& input, const Bound& bound, Runtime& runtime) {
  STEER_ASSIGN_OR_RETURN(std::string text, Str(input, runtime.budget));
  STEER_ASSIGN_OR_RETURN(std::string from, Str(bound.at(0), runtime.budget));
  STEER_ASSIGN_OR_RETURN(std::string to, Str(bound.at(1), runtime.budget));
  int64_t count = -1;
  if (bound.set(2)) {
    STEER_ASSIGN_OR_RETURN(count, bound.integer(2, -1));
  }
  const size_t found = static_cast<size_t>(Count(text, from));
  STEER_RETURN_IF_ERROR(runtime.budget.Bytes(text.size() + found * to.size()));
  return Value::String(Replace(text, from, to, count));
}

Result Join(const Value& input, const Bound& bound, Runtime& runtime) {
  STEER_ASSIGN_OR_RETURN(Items items, Iterate(input, runtime.budget));
  std::string separator;
  if (bound.has(0)) {
    STEER_ASSIGN_OR_RETURN(separator, Str(bound.at(0), runtime.budget));
  }
  std::string out;
  for (size_t i = 0; i < items.size(); ++i) {
    Value item = items[i];
    if (bound.set(1)) {
      STEER_ASSIGN_OR_RETURN(item, AttributePath(item, bound.at(1), runtime.budget));
    }
    STEER_ASSIGN_OR_RETURN(std::string text, Str(item, runtime.budget));
    STEER_RETURN_IF_ERROR(runtime.budget.Bytes(separator.size() + text.size()));
    if (i > 0) out.append(separator);
    out.append(text);
  }
  return Value::String(std::move(out));
}

Result Indent(const Value& input, const Bound& bound, Runtime& runtime) {
  if (input.is_undefined()) return UndefinedError(input);
  if (!input.is_string())
    return Fail(absl::StrCat("indent needs a string, not a value of type '", TypeName(input), "'"));
  if (input.is_markup()) return Fail("indent of a safe string is not built");
  std::string indention = "    ";
  if (bound.has(0)) {
    if (bound.at(0).is_string()) {
      indention = bound.at(0).text();
    } else {
      STEER_ASSIGN_OR_RETURN(int64_t width, bound.integer(0, 4));
      if (width > static_cast<int64_t>(kMaxOutput)) return TooMuch("indent is too wide");
      indention = std::string(static_cast<size_t>(std::max<int64_t>(width, 0)), ' ');
    }
  }
  const bool first = bound.truth(1, false), blank = bound.truth(2, false);
  const std::string text = input.text() + "\n";
  const std::vector<absl::string_view> lines = SplitLines(text, false);
  STEER_RETURN_IF_ERROR(runtime.budget.Bytes(text.size() + lines.size() * indention.size()));
  std::string out = first ? indention : "";
  for (size_t i = 0; i < lines.size(); ++i) {
    if (i > 0) {
      out.push_back('\n');
      if (blank || !lines[i].empty()) out.append(indention);
    }
    out.append(lines[i].data(), lines[i].size());
  }
  return Value::String(std::move(out));
}

Result Json(const Value& input, const Bound& bound, Runtime& runtime) {
  JsonOptions options;
  options.ensure_ascii = bound.truth(0, false);
  if (bound.set(1)) {
    if (bound.at(1).is_string()) {
      options.indent = bound.at(1).text();
    } else {
      STEER_ASSIGN_OR_RETURN(int64_t width, bound.integer(1, 0));
      if (width > 1000) return TooMuch("tojson: the indent is too wide");
      options.indent = std::string(static_cast<size_t>(std::max<int64_t>(width, 0)), ' ');
    }
  }
  options.item_separator = options.indent.has_value() ? "," : ", ";
  options.key_separator = ": ";
  if (bound.set(2)) {
    const Value& separators = bound.at(2);
    if (!separators.is_sequence() || separators.items().size() != 2 ||
        !separators.items()[0].is_string() || !separators.items()[1].is_string()) {
      return Fail("tojson: separators must be two strings");
    }
    options.item_separator = separators.items()[0].text();
    options.key_separator = separators.items()[1].text();
  }
  options.sort_keys = bound.truth(3, false);
  STEER_ASSIGN_OR_RETURN(std::string text, ToJson(input, options, runtime.budget));
  STEER_RETURN_IF_ERROR(runtime.budget.Bytes(text.size()));
  return Value::String(std::move(text));
}

constexpr Filter kFilters[] = {
    {{"capitalize", ""}, Mapped<Capitalize>},
    {{"e", ""}, Escape},
    {{"escape", ""}, Escape},
    {{"indent", "width? first? blank?"}, Indent},
    {{"join", "d? attribute?"}, Join},
    {{"lower", ""}, Mapped<Lower>},
    {{"replace", "old new count?"}, ReplaceFilter},
    {{"safe", ""}, Safe},
    {{"string", ""}, String},
    {{"title", ""}, Title},
    {{"tojson", "ensure_ascii? indent? separators? sort_keys?"}, Json},
    {{"trim", "chars?"}, Trim},
    {{"upper", ""}, Mapped<Upper>},
};

}  // namespace

absl::Span<const Filter> TextFilters() { return kFilters; }

}  // namespace steer::jinja
