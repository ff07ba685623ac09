#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "common/utf8.h"
#include "server/tokenizer/jinja/compare.h"
#include "server/tokenizer/jinja/loop.h"
#include "server/tokenizer/jinja/methods.h"
#include "server/tokenizer/jinja/operators.h"
#include "server/tokenizer/jinja/print.h"
#include "server/tokenizer/jinja/text.h"

namespace steer::jinja {
namespace {

std::string Described(const Value& value) {
  return value.is(Kind::kNone) ? "None" : absl::StrCat("'", TypeName(value), " object'");
}

Value Missing(const Value& value, absl::string_view name) {
  return Value::Undefined(
      absl::StrCat(Described(value), " has no attribute '", name.substr(0, 100), "'"));
}

// getattr(value, name) where Python finds something; nullopt where it does not.
absl::StatusOr<absl::optional<Value>> PythonAttribute(const Value& value, absl::string_view name) {
  if (value.is(Kind::kNamespace)) {
    for (const auto& [key, item] : value.name_space().attributes) {
      if (key == name) return absl::optional<Value>(item);
    }
    return absl::optional<Value>();
  }
  if (value.is(Kind::kLoop)) {
    STEER_ASSIGN_OR_RETURN(absl::optional<Value> found, value.loop().Attribute(name));
    if (found.has_value()) return found;
  }
  if (value.is(Kind::kRange)) {
    const RangeObject& r = value.range();
    if (name == "start") return absl::optional<Value>(Value::Int(r.start));
    if (name == "stop") return absl::optional<Value>(Value::Int(r.stop));
    if (name == "step") return absl::optional<Value>(Value::Int(r.step));
  }
  switch (ClassifyMethod(value, name)) {
    case MethodClass::kNone:
      return absl::optional<Value>();
    case MethodClass::kForbidden:
      return absl::optional<Value>(Value::Undefined(
          absl::StrCat("access to attribute '", name, "' of ", Described(value), " is unsafe")));
    case MethodClass::kNotBuilt:
      return Fail(
          absl::StrCat("the attribute '", name, "' of ", Described(value), " is not built"));
    case MethodClass::kBuilt:
      break;
  }
  auto method = std::make_shared<CallableObject>();
  method->kind = CallableKind::kMethod;
  method->name = std::string(name);
  method->receiver = value;
  method->depth = value.depth() + 1;
  return absl::optional<Value>(Value::FromObject(Kind::kCallable, std::move(method)));
}

// value[key] where Python finds something.
absl::StatusOr<absl::optional<Value>> PythonItem(const Value& value, const Value& key,
                                                 Budget& budget) {
  if (value.is(Kind::kDict)) {
    const absl::Status hashable = CheckHashable(key, budget);
    if (absl::IsResourceExhausted(hashable)) return hashable;
    if (!hashable.ok()) return absl::optional<Value>();
    STEER_ASSIGN_OR_RETURN(int64_t at, FindKey(value.dict(), key, budget));
    if (at < 0) return absl::optional<Value>();
    return absl::optional<Value>(value.dict()[static_cast<size_t>(at)].second);
  }
  if (!key.is_integral()) return absl::optional<Value>();
  if (!value.is_string() && !value.is_sequence() && !value.is(Kind::kRange))
    return absl::optional<Value>();
  const int64_t size = *Length(value);  // these have one
  int64_t index = key.integer();
  if (index < 0) index += size;
  if (index < 0 || index >= size) return absl::optional<Value>();
  if (value.is(Kind::kRange)) return absl::optional<Value>(Value::Int(value.range().at(index)));
  if (value.is_sequence()) return absl::optional<Value>(value.items()[static_cast<size_t>(index)]);
  STEER_RETURN_IF_ERROR(budget.Bytes(value.text().size()));
  const size_t from = OffsetOf(value.text(), index);
  size_t to = from;
  NextCodePoint(value.text(), &to);
  std::string character = value.text().substr(from, to - from);
  return absl::optional<Value>(value.is_markup() ? Value::Markup(std::move(character))
                                                 : Value::String(std::move(character)));
}

}  // namespace

absl::StatusOr<Value> GetAttribute(const Value& value, absl::string_view name, Budget& budget) {
  if (value.is_undefined()) return UndefinedError(value);
  if (value.is(Kind::kNamespace))
    STEER_RETURN_IF_ERROR(budget.Names(value.name_space().attributes.size()));
  STEER_ASSIGN_OR_RETURN(absl::optional<Value> found, PythonAttribute(value, name));
  if (found.has_value()) return *std::move(found);
  if (value.is(Kind::kDict)) {
    STEER_ASSIGN_OR_RETURN(found, PythonItem(value, Value::String(name), budget));
    if (found.has_value()) return *std::move(found);
  }
  return Missing(value, name);
}

absl::StatusOr<Value> GetItem(const Value& value, const Value& key, Budget& budget) {
  if (value.is_undefined()) return UndefinedError(value);
  STEER_ASSIGN_OR_RETURN(absl::optional<Value> found, PythonItem(value, key, budget));
  if (found.has_value()) return *std::move(found);
  if (key.is_string()) {
    if (absl::StartsWith(key.text(), "__"))
      return Fail(absl::StrCat("the attribute '", key.text(), "' is not built"));
    STEER_ASSIGN_OR_RETURN(found, PythonAttribute(value, key.text()));
    if (found.has_value()) return *std::move(found);
    return Missing(value, key.text());
  }
  std::string shown = TypeName(key);
  if (key.is_number()) {
    STEER_ASSIGN_OR_RETURN(shown, Repr(key, budget));
  }
  return Value::Undefined(absl::StrCat(Described(value), " has no element ", shown));
}

absl::StatusOr<Value> Slice(const Value& value, const Value& start, const Value& stop,
                            const Value& step, Budget& budget) {
  if (value.is_undefined()) return UndefinedError(value);
  if (!value.is_string() && !value.is_sequence() && !value.is(Kind::kRange)) {
    return Fail(absl::StrCat("a value of type '", TypeName(value), "' cannot be sliced"));
  }
  for (const Value* bound : {&start, &stop, &step}) {
    if (!bound->is_integral() && !bound->is(Kind::kNone))
      return Fail("slice bounds must be integers or none");
  }
  const int64_t by = step.is(Kind::kNone) ? 1 : step.integer();
  if (by == 0) return Fail("a slice's step must not be zero");
  const int64_t size = *Length(value);  // these have one
  // The bounds of Python's slice.indices.
  const int64_t lowest = by > 0 ? 0 : -1, highest = by > 0 ? size : size - 1;
  auto clamp = [&](const Value& bound, int64_t otherwise) {
    if (bound.is(Kind::kNone)) return otherwise;
    int64_t i = bound.integer();
    if (i < 0) i = i < -size ? lowest : i + size;
    return std::min(std::max(i, lowest), highest);
  };
  const int64_t from = clamp(start, by > 0 ? lowest : highest);
  const int64_t to = clamp(stop, by > 0 ? highest : lowest);
  // A step beyond the size takes one item at most, and must not overflow below.
  const int64_t stride = std::min(std::max(by, -size - 1), size + 1);
  if (value.is(Kind::kRange)) {
    const RangeObject& r = value.range();
    auto range = std::make_shared<RangeObject>();
    range->start = r.at(from);
    range->stop = r.at(to);
    // Both bounds are within 2^53, so that the size times the step is within 2^55.
    range->step = r.step * stride;
    if (range->step > kMaxRangeBound || range->step < -kMaxRangeBound) {
      return Fail("a range with a step beyond 2^53 is not built");
    }
    return Value::FromObject(Kind::kRange, std::move(range));
  }
  auto inside = [&](int64_t i) { return by > 0 ? i < to : i > to; };
  if (value.is_sequence()) {
    Items out;
    for (int64_t i = from; inside(i); i += stride)
      out.push_back(value.items()[static_cast<size_t>(i)]);
    STEER_RETURN_IF_ERROR(budget.Bytes(out.size() * sizeof(Value)));
    return value.is(Kind::kList) ? Value::List(std::move(out)) : Value::Tuple(std::move(out));
  }
  STEER_RETURN_IF_ERROR(budget.Bytes(value.text().size()));
  std::string out;
  if (by == 1) {
    const size_t begin = OffsetOf(value.text(), from);
    const size_t end = to > from ? OffsetOf(value.text(), to) : begin;
    out = value.text().substr(begin, end - begin);
  } else {
    const std::vector<uint32_t> points = ToCodePoints(value.text());
    for (int64_t i = from; inside(i); i += stride) AppendUtf8(points[static_cast<size_t>(i)], &out);
  }
  return value.is_markup() ? Value::Markup(std::move(out)) : Value::String(std::move(out));
}

}  // namespace steer::jinja
