// Filters that give numbers.
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "server/tokenizer/jinja/compare.h"
#include "server/tokenizer/jinja/filters.h"
#include "server/tokenizer/jinja/operators.h"
#include "server/tokenizer/jinja/text.h"

namespace steer::jinja {
namespace {

using Result = absl::StatusOr<Value>;
constexpr double kIntLimit = 9223372036854775808.0;  // 2^63

// The text of a number without space around.
absl::StatusOr<absl::string_view> NumberText(absl::string_view filter, absl::string_view text) {
  text = StripSpace(text, Side::kBoth);
  if (!IsAscii(text)) return Fail(absl::StrCat(filter, ": digits outside ASCII are not built"));
  return text;
}

bool IsHexDigit(unsigned char c) { return absl::ascii_isxdigit(c); }
bool IsDigit(unsigned char c) { return absl::ascii_isdigit(c); }

// Drops underscores that stand between digits; nullopt if one stands elsewhere.
absl::optional<std::string> WithoutUnderscores(absl::string_view text,
                                               bool (*is_digit)(unsigned char)) {
  std::string out;
  auto digit = [&](size_t i) {
    return i < text.size() && is_digit(static_cast<unsigned char>(text[i]));
  };
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '_') {
      out.push_back(text[i]);
    } else if (i == 0 || !digit(i - 1) || !digit(i + 1)) {
      return absl::nullopt;
    }
  }
  return out;
}

// int(text, base): nullopt where Python raises a ValueError.
absl::StatusOr<absl::optional<int64_t>> ParseInt(absl::string_view text, int64_t base) {
  bool negative = false;
  if (!text.empty() && (text[0] == '+' || text[0] == '-')) {
    negative = text[0] == '-';
    text.remove_prefix(1);
  }
  const char prefix = base == 16 ? 'x' : base == 8 ? 'o' : base == 2 ? 'b' : 0;
  if (prefix != 0 && text.size() > 2 && text[0] == '0' &&
      absl::ascii_tolower(static_cast<unsigned char>(text[1])) == prefix) {
    text.remove_prefix(text[2] == '_' ? 3 : 2);
  }
  absl::optional<std::string> digits = WithoutUnderscores(text, IsHexDigit);
  if (!digits.has_value() || digits->empty() || (*digits)[0] == '-')
    return absl::optional<int64_t>();
  if (negative) digits = absl::StrCat("-", *digits);
  int64_t value = 0;
  const char* end = digits->data() + digits->size();
  auto [at, error] = std::from_chars(digits->data(), end, value, static_cast<int>(base));
  if (at != end) return absl::optional<int64_t>();
  if (error == std::errc::result_out_of_range)
    return Fail("an integer beyond 64 bits is not built");
  return absl::optional<int64_t>(value);
}

// float(text).
absl::optional<double> ParseFloat(absl::string_view text) {
  absl::optional<std::string> digits = WithoutUnderscores(text, IsDigit);
  if (!digits.has_value() || digits->empty()) return absl::nullopt;
  const std::string lower = absl::AsciiStrToLower(*digits);
  absl::string_view bare = lower;
  if (bare[0] == '+' || bare[0] == '-') bare.remove_prefix(1);
  const bool word = bare == "inf" || bare == "infinity" || bare == "nan";
  if (!word &&
      (bare.empty() || bare.find_first_not_of("0123456789.e+-") != absl::string_view::npos)) {
    return absl::nullopt;
  }
  char* end = nullptr;
  const double value = std::strtod(lower.c_str(), &end);
  if (end != lower.c_str() + lower.size()) return absl::nullopt;
  return value;
}

Result Truncated(double d) {
  if (std::fabs(d) >= kIntLimit) return Fail("an integer beyond 64 bits is not built");
  return Value::Int(static_cast<int64_t>(d));
}

Result Int(const Value& input, const Bound& bound, Runtime&) {
  if (input.is_undefined()) return UndefinedError(input);
  const Value otherwise = bound.has(0) ? bound.at(0) : Value::Int(0);
  STEER_ASSIGN_OR_RETURN(int64_t base, bound.integer(1, 10));
  if (input.is_integral()) return Value::Int(input.integer());
  if (input.is(Kind::kFloat)) {
    if (std::isinf(input.number())) return Fail("cannot convert float infinity to integer");
    return std::isnan(input.number()) ? Result(otherwise) : Truncated(input.number());
  }
  if (!input.is_string()) return otherwise;
  if (base != 2 && base != 8 && base != 10 && base != 16)
    return Fail("int: only bases 2, 8, 10 and 16 are built");
  STEER_ASSIGN_OR_RETURN(absl::string_view text, NumberText("int", input.text()));
  STEER_ASSIGN_OR_RETURN(absl::optional<int64_t> whole, ParseInt(text, base));
  if (whole.has_value()) return Value::Int(*whole);
  const absl::optional<double> real = ParseFloat(text);
  if (!real.has_value() || !std::isfinite(*real)) return otherwise;
  return Truncated(*real);
}

Result Float(const Value& input, const Bound& bound, Runtime&) {
  if (input.is_undefined()) return UndefinedError(input);
  if (input.is_number()) return Value::Float(input.number());
  if (input.is_string()) {
    STEER_ASSIGN_OR_RETURN(absl::string_view text, NumberText("float", input.text()));
    const absl::optional<double> real = ParseFloat(text);
    if (real.has_value()) return Value::Float(*real);
  }
  return bound.has(0) ? bound.at(0) : Value::Float(0.0);
}

Result Abs(const Value& input, const Bound&, Runtime&) {
  if (input.is(Kind::kFloat)) return Value::Float(std::fabs(input.number()));
  if (!input.is_integral())
    return Fail(absl::StrCat("abs: bad operand type '", TypeName(input), "'"));
  return input.integer() < 0 ? Negate(input) : Result(Value::Int(input.integer()));
}

// round(x, precision) of Python: half to even on the exact value.
Result RoundCommon(const Value& input, int64_t precision) {
  if (input.is_integral()) {
    if (precision >= 0) return Value::Int(input.integer());
    return Fail("round: a negative precision is not built");
  }
  if (precision < 0) return Fail("round: a negative precision is not built");
  const double d = input.number();
  if (!std::isfinite(d) || precision > 320) return Value::Float(d);
  char buffer[800];
  std::snprintf(buffer, sizeof(buffer), "%.*f", static_cast<int>(precision), d);
  return Value::Float(std::strtod(buffer, nullptr));
}

Result Round(const Value& input, const Bound& bound, Runtime&) {
  if (!input.is_number())
    return Fail(absl::StrCat("round: bad operand type '", TypeName(input), "'"));
  STEER_ASSIGN_OR_RETURN(int64_t precision, bound.integer(0, 0));
  std::string method = "common";
  if (bound.has(1)) {
    STEER_ASSIGN_OR_RETURN(method, bound.text(1));
  }
  if (method == "common") return RoundCommon(input, precision);
  if (method != "ceil" && method != "floor")
    return Fail("round: method must be common, ceil or floor");
  if (precision < 0 || precision > 15) return Fail("round: a precision outside 0..15 is not built");
  const double scale = std::pow(10.0, static_cast<double>(precision));
  const double scaled = input.number() * scale;
  if (!std::isfinite(scaled) || std::fabs(scaled) >= 9007199254740992.0)
    return Fail("round: the number is too large");
  return Value::Float((method == "ceil" ? std::ceil(scaled) : std::floor(scaled)) / scale);
}

Result LengthFilter(const Value& input, const Bound&, Runtime& runtime) {
  if (input.is_string()) STEER_RETURN_IF_ERROR(runtime.budget.Bytes(input.text().size()));
  STEER_ASSIGN_OR_RETURN(int64_t length, Length(input));
  return Value::Int(length);
}

Result Sum(const Value& input, const Bound& bound, Runtime& runtime) {
  STEER_ASSIGN_OR_RETURN(Items items, Iterate(input, runtime.budget));
  Value total = bound.has(1) ? bound.at(1) : Value::Int(0);
  if (total.is_string()) return Fail("sum cannot add strings");
  for (const Value& item : items) {
    Value term = item;
    if (bound.set(0)) {
      STEER_ASSIGN_OR_RETURN(term, AttributePath(item, bound.at(0), runtime.budget));
    }
    STEER_ASSIGN_OR_RETURN(total, Binary("+", total, term, runtime.budget));
  }
  return total;
}

constexpr Filter kFilters[] = {
    {{"abs", ""}, Abs},
    {{"count", ""}, LengthFilter},
    {{"float", "default?"}, Float},
    {{"int", "default? base?"}, Int},
    {{"length", ""}, LengthFilter},
    {{"round", "precision? method?"}, Round},
    {{"sum", "attribute? start?"}, Sum},
};

}  // namespace

absl::Span<const Filter> NumberFilters() { return kFilters; }

}  // namespace steer::jinja
