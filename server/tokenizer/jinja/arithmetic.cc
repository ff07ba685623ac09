#include <cmath>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "server/tokenizer/jinja/compare.h"
#include "server/tokenizer/jinja/operators.h"
#include "server/tokenizer/jinja/text.h"

namespace steer::jinja {
namespace {

absl::Status Unsupported(absl::string_view op, const Value& a, const Value& b) {
  return Fail(absl::StrCat("unsupported operand types for ", op, ": '", TypeName(a), "' and '",
                           TypeName(b), "'"));
}

absl::Status TooLarge() { return Fail("an integer beyond 64 bits is not built"); }

absl::StatusOr<Value> Checked(bool overflow, int64_t value) {
  if (overflow) return TooLarge();
  return Value::Int(value);
}

// Floored, as Python divides.
int64_t FloorDivide(int64_t a, int64_t b) {
  return a / b - (a % b != 0 && (a < 0) != (b < 0) ? 1 : 0);
}

absl::StatusOr<Value> IntegerPower(int64_t base, int64_t exponent) {
  if (exponent < 0) {
    if (base == 0) return Fail("0 cannot be raised to a negative power");
    return Value::Float(std::pow(static_cast<double>(base), static_cast<double>(exponent)));
  }
  if (base == 0 || base == 1) return Value::Int(exponent == 0 ? 1 : base);
  if (base == -1) return Value::Int(exponent % 2 == 0 ? 1 : -1);
  int64_t result = 1;
  for (int64_t i = 0; i < exponent; ++i) {
    if (__builtin_mul_overflow(result, base, &result)) return TooLarge();
  }
  return Value::Int(result);
}

absl::StatusOr<Value> Integers(absl::string_view op, int64_t a, int64_t b) {
  int64_t result = 0;
  if (op == "+") {
    bool overflow = __builtin_add_overflow(a, b, &result);
    return Checked(overflow, result);
  }
  if (op == "-") {
    bool overflow = __builtin_sub_overflow(a, b, &result);
    return Checked(overflow, result);
  }
  if (op == "*") {
    bool overflow = __builtin_mul_overflow(a, b, &result);
    return Checked(overflow, result);
  }
  if (op == "**") return IntegerPower(a, b);
  if (b == 0) return Fail("division by zero");
  if (op == "/") {
    // Beyond 2^53 Python rounds the exact quotient once; two roundings may differ.
    constexpr int64_t kExact = int64_t{1} << 53;
    if (a > kExact || a < -kExact || b > kExact || b < -kExact) {
      return Fail("dividing integers beyond 2^53 is not built");
    }
    return Value::Float(static_cast<double>(a) / static_cast<double>(b));
  }
  if (b == -1) return op == "%" ? Value::Int(0) : Integers("-", 0, a);
  if (op == "//") return Value::Int(FloorDivide(a, b));
  return Value::Int(a - FloorDivide(a, b) * b);
}

absl::StatusOr<Value> Floats(absl::string_view op, double a, double b) {
  if (op == "+") return Value::Float(a + b);
  if (op == "-") return Value::Float(a - b);
  if (op == "*") return Value::Float(a * b);
  if (op == "**") {
    if (a == 0 && b < 0) return Fail("0.0 cannot be raised to a negative power");
    const double result = std::pow(a, b);
    if (std::isnan(result) && !std::isnan(a) && !std::isnan(b))
      return Fail("complex numbers are not built");
    if (std::isinf(result) && !std::isinf(a) && !std::isinf(b))
      return Fail("the result is too large");
    return Value::Float(result);
  }
  if (b == 0) return Fail("float division by zero");
  if (op == "/") return Value::Float(a / b);
  double mod = std::fmod(a, b);
  double div = (a - mod) / b;
  if (mod != 0) {
    if ((b < 0) != (mod < 0)) {
      mod += b;
      div -= 1.0;
    }
  } else {
    mod = std::copysign(0.0, b);
  }
  if (op == "%") return Value::Float(mod);
  if (div == 0) return Value::Float(std::copysign(0.0, a / b));
  double floored = std::floor(div);
  if (div - floored > 0.5) floored += 1.0;
  return Value::Float(floored);
}

absl::StatusOr<Value> Repeat(const Value& value, int64_t times, Budget& budget) {
  if (times < 0) times = 0;
  const size_t size =
      value.is_string() ? value.text().size() : value.items().size() * sizeof(Value);
  if (size != 0 && times > kMaxBytes / static_cast<int64_t>(size)) {
    return TooMuch(absl::StrCat("rendering builds more than ", kMaxBytes, " bytes"));
  }
  STEER_RETURN_IF_ERROR(budget.Bytes(size * static_cast<size_t>(times)));
  if (value.is_string()) {
    std::string out;
    for (int64_t i = 0; size != 0 && i < times; ++i) out.append(value.text());
    return value.is_markup() ? Value::Markup(std::move(out)) : Value::String(std::move(out));
  }
  Items out;
  for (int64_t i = 0; size != 0 && i < times; ++i) {
    out.insert(out.end(), value.items().begin(), value.items().end());
  }
  return value.is(Kind::kList) ? Value::List(std::move(out)) : Value::Tuple(std::move(out));
}

absl::StatusOr<Value> Concatenate(const Value& a, const Value& b, Budget& budget) {
  if (a.is_string()) {
    STEER_RETURN_IF_ERROR(budget.Bytes(a.text().size() + b.text().size()));
    if (!a.is_markup() && !b.is_markup()) return Value::String(a.text() + b.text());
    auto escaped = [](const Value& v) { return v.is_markup() ? v.text() : EscapeHtml(v.text()); };
    return Value::Markup(escaped(a) + escaped(b));
  }
  STEER_RETURN_IF_ERROR(budget.Bytes((a.items().size() + b.items().size()) * sizeof(Value)));
  Items out = a.items();
  out.insert(out.end(), b.items().begin(), b.items().end());
  return a.is(Kind::kList) ? Value::List(std::move(out)) : Value::Tuple(std::move(out));
}

}  // namespace

absl::StatusOr<Value> Binary(absl::string_view op, const Value& a, const Value& b, Budget& budget) {
  if (a.is_undefined()) return UndefinedError(a);
  if (op == "%" && a.is_string()) return Fail("formatting a string with % is not built");
  if (b.is_undefined()) return UndefinedError(b);
  if (a.is_integral() && b.is_integral()) return Integers(op, a.integer(), b.integer());
  if (a.is_number() && b.is_number()) return Floats(op, a.number(), b.number());
  if (op == "+" && a.kind() == b.kind() && (a.is_string() || a.is_sequence()))
    return Concatenate(a, b, budget);
  if (op == "*" && b.is_integral() && (a.is_string() || a.is_sequence()))
    return Repeat(a, b.integer(), budget);
  if (op == "*" && a.is_integral() && (b.is_string() || b.is_sequence()))
    return Repeat(b, a.integer(), budget);
  if (op == "-" && (a.is(Kind::kView) || b.is(Kind::kView)))
    return Fail("set operations on views are not built");
  return Unsupported(op, a, b);
}

absl::StatusOr<Value> Negate(const Value& value) {
  if (value.is_undefined()) return UndefinedError(value);
  if (value.is_integral()) return Integers("-", 0, value.integer());
  if (value.is(Kind::kFloat)) return Value::Float(-value.number());
  return Fail(absl::StrCat("bad operand type for unary -: '", TypeName(value), "'"));
}

absl::StatusOr<bool> CompareValues(absl::string_view op, const Value& a, const Value& b,
                                   Budget& budget) {
  if (op == "==") return Equals(a, b, budget);
  if (op == "<") return Less(a, b, budget);
  if (op == ">") return Less(b, a, budget);
  if (op == "in") return Contains(a, b, budget);
  absl::StatusOr<bool> result;
  if (op == "!=") {
    result = Equals(a, b, budget);
  } else if (op == "not in") {
    result = Contains(a, b, budget);
  } else {
    // a <= b is not (b < a), but for nan.
    auto nan = [](const Value& v) { return v.is(Kind::kFloat) && std::isnan(v.number()); };
    if (nan(a) || nan(b))
      return a.is_number() && b.is_number() ? absl::StatusOr<bool>(false) : Less(a, b, budget);
    result = op == "<=" ? Less(b, a, budget) : Less(a, b, budget);
  }
  if (!result.ok()) return result;
  return !*result;
}

}  // namespace steer::jinja
