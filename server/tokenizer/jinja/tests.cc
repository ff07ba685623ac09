#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "server/tokenizer/jinja/compare.h"
#include "server/tokenizer/jinja/filters.h"
#include "server/tokenizer/jinja/operators.h"
#include "server/tokenizer/jinja/print.h"
#include "server/tokenizer/jinja/text.h"

namespace steer::jinja {
namespace {

using Result = absl::StatusOr<bool>;

template <bool (*predicate)(const Value&)>
Result Is(const Value& value, const Bound&, Runtime&) {
  return predicate(value);
}

template <Kind kind>
bool IsKind(const Value& v) {
  return v.is(kind);
}
bool IsDefined(const Value& v) { return !v.is_undefined(); }
bool IsTrueValue(const Value& v) { return v.is(Kind::kBool) && v.boolean(); }
bool IsFalseValue(const Value& v) { return v.is(Kind::kBool) && !v.boolean(); }
bool IsNumber(const Value& v) { return v.is_number(); }
// len() and __getitem__.
bool IsSequence(const Value& v) {
  return v.is_undefined() || v.is_string() || v.is_sequence() || v.is(Kind::kDict) ||
         v.is(Kind::kRange);
}

constexpr char kEqual[] = "==", kNotEqual[] = "!=", kLess[] = "<",
               kLessEqual[] = "<=", kGreater[] = ">", kGreaterEqual[] = ">=", kIn[] = "in";
template <const char* op>
Result Compared(const Value& value, const Bound& bound, Runtime& runtime) {
  return CompareValues(op, value, bound.at(0), runtime.budget);
}

template <bool (*predicate)(absl::string_view)>
Result TextIs(const Value& value, const Bound&, Runtime& runtime) {
  STEER_ASSIGN_OR_RETURN(std::string text, Str(value, runtime.budget));
  return predicate(text);
}

Result Remainder(const Value& value, const Value& by, int64_t wanted, Runtime& runtime) {
  STEER_ASSIGN_OR_RETURN(Value rest, Binary("%", value, by, runtime.budget));
  return Equals(rest, Value::Int(wanted), runtime.budget);
}
Result IsOdd(const Value& value, const Bound&, Runtime& runtime) {
  return Remainder(value, Value::Int(2), 1, runtime);
}
Result IsEven(const Value& value, const Bound&, Runtime& runtime) {
  return Remainder(value, Value::Int(2), 0, runtime);
}
Result IsDivisibleBy(const Value& value, const Bound& bound, Runtime& runtime) {
  return Remainder(value, bound.at(0), 0, runtime);
}

// Identity means something only for the singletons.
Result IsSameAs(const Value& value, const Bound& bound, Runtime& runtime) {
  for (const Value* v : {&value, &bound.at(0)}) {
    if (v->is(Kind::kNone) || v->is(Kind::kBool)) {
      if (value.kind() != bound.at(0).kind()) return false;
      return Equals(value, bound.at(0), runtime.budget);
    }
  }
  return Fail("'sameas' is built for none, true and false only");
}

constexpr Test kTests[] = {
    {{"!=", "other"}, Compared<kNotEqual>},
    {{"<", "other"}, Compared<kLess>},
    {{"<=", "other"}, Compared<kLessEqual>},
    {{"==", "other"}, Compared<kEqual>},
    {{">", "other"}, Compared<kGreater>},
    {{">=", "other"}, Compared<kGreaterEqual>},
    {{"boolean", ""}, Is<IsKind<Kind::kBool>>},
    {{"callable", ""}, Is<IsKind<Kind::kCallable>>},
    {{"defined", ""}, Is<IsDefined>},
    {{"divisibleby", "num"}, IsDivisibleBy},
    {{"eq", "other"}, Compared<kEqual>},
    {{"equalto", "other"}, Compared<kEqual>},
    {{"even", ""}, IsEven},
    {{"false", ""}, Is<IsFalseValue>},
    {{"float", ""}, Is<IsKind<Kind::kFloat>>},
    {{"ge", "other"}, Compared<kGreaterEqual>},
    {{"greaterthan", "other"}, Compared<kGreater>},
    {{"gt", "other"}, Compared<kGreater>},
    {{"in", "seq"}, Compared<kIn>},
    {{"integer", ""}, Is<IsKind<Kind::kInt>>},
    {{"iterable", ""}, Is<IsIterable>},
    {{"le", "other"}, Compared<kLessEqual>},
    {{"lessthan", "other"}, Compared<kLess>},
    {{"lower", ""}, TextIs<IsLower>},
    {{"lt", "other"}, Compared<kLess>},
    {{"mapping", ""}, Is<IsKind<Kind::kDict>>},
    {{"ne", "other"}, Compared<kNotEqual>},
    {{"none", ""}, Is<IsKind<Kind::kNone>>},
    {{"number", ""}, Is<IsNumber>},
    {{"odd", ""}, IsOdd},
    {{"sameas", "other"}, IsSameAs},
    {{"sequence", ""}, Is<IsSequence>},
    {{"string", ""}, Is<IsKind<Kind::kString>>},
    {{"true", ""}, Is<IsTrueValue>},
    {{"undefined", ""}, Is<IsKind<Kind::kUndefined>>},
    {{"upper", ""}, TextIs<IsUpper>},
};

}  // namespace

const Test* FindTest(absl::string_view name) {
  for (const Test& test : kTests) {
    if (name == test.signature.name) return &test;
  }
  return nullptr;
}

absl::StatusOr<bool> CallTest(absl::string_view name, const Value& input,
                              const Arguments& arguments, Runtime& runtime) {
  const Test* test = FindTest(name);
  if (test == nullptr) return Fail(absl::StrCat("the test '", name, "' is not built"));
  STEER_ASSIGN_OR_RETURN(Bound bound, Bound::Bind(test->signature, arguments));
  return test->call(input, bound, runtime);
}

}  // namespace steer::jinja
