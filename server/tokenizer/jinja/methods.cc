#include "server/tokenizer/jinja/methods.h"

#include <algorithm>
#include <iterator>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "server/tokenizer/jinja/loop.h"

namespace steer::jinja {
namespace {

template <size_t n>
bool IsIn(const absl::string_view (&names)[n], absl::string_view name) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

// What ImmutableSandboxedEnvironment forbids.
bool IsForbidden(Kind kind, absl::string_view name) {
  static constexpr absl::string_view kList[] = {"append", "clear", "pop",    "reverse",
                                                "insert", "sort",  "extend", "remove"};
  static constexpr absl::string_view kDict[] = {"clear", "pop", "popitem", "setdefault", "update"};
  return (kind == Kind::kList && IsIn(kList, name)) || (kind == Kind::kDict && IsIn(kDict, name));
}

bool IsNotBuilt(const Value& receiver, absl::string_view name) {
  static constexpr absl::string_view kString[] = {
      "casefold",     "encode",    "expandtabs",  "format",  "format_map",
      "isidentifier", "isnumeric", "isprintable", "istitle", "maketrans",
      "translate",    "isdigit",   "isalnum"};
  static constexpr absl::string_view kMarkup[] = {"unescape", "striptags", "escape"};
  static constexpr absl::string_view kNumber[] = {
      "real",       "imag",      "numerator", "denominator", "conjugate",
      "bit_length", "bit_count", "to_bytes",  "from_bytes",  "as_integer_ratio",
      "is_integer", "hex",       "fromhex"};
  static constexpr absl::string_view kView[] = {"mapping", "isdisjoint"};
  static constexpr absl::string_view kCallable[] = {
      "name", "arguments", "catch_kwargs", "catch_varargs", "caller", "explicit_caller"};
  static constexpr absl::string_view kIterator[] = {"send",         "close",       "throw",
                                                    "gi_frame",     "gi_code",     "gi_running",
                                                    "gi_yieldfrom", "gi_suspended"};
  switch (receiver.kind()) {
    case Kind::kString:
      return IsIn(kString, name) || (receiver.is_markup() && IsIn(kMarkup, name));
    case Kind::kBool:
    case Kind::kInt:
    case Kind::kFloat:
      return IsIn(kNumber, name);
    case Kind::kDict:
      return name == "fromkeys";
    case Kind::kView:
      return IsIn(kView, name);
    case Kind::kCallable:
      return IsIn(kCallable, name);
    case Kind::kIterator:
      return IsIn(kIterator, name);
    default:
      return false;
  }
}

const Method* Find(const Value& receiver, absl::string_view name) {
  return receiver.is_string() ? FindStringMethod(name) : FindContainerMethod(receiver, name);
}

}  // namespace

MethodClass ClassifyMethod(const Value& receiver, absl::string_view name) {
  if (receiver.is(Kind::kLoop) && (name == "cycle" || name == "changed"))
    return MethodClass::kBuilt;
  if (IsForbidden(receiver.kind(), name)) return MethodClass::kForbidden;
  if (IsNotBuilt(receiver, name)) return MethodClass::kNotBuilt;
  return Find(receiver, name) != nullptr ? MethodClass::kBuilt : MethodClass::kNone;
}

bool IsMethodName(absl::string_view name) {
  static const Value* const samples =
      new Value[]{Value::Dict({}), Value::List({}), Value::Tuple({})};
  if (name == "cycle" || name == "changed" || FindStringMethod(name) != nullptr) return true;
  return std::any_of(samples, samples + 3, [&](const Value& sample) {
    return FindContainerMethod(sample, name) != nullptr;
  });
}

absl::StatusOr<Value> CallMethod(const Value& receiver, absl::string_view name,
                                 const Arguments& arguments, Runtime& runtime) {
  if (receiver.is(Kind::kLoop)) {
    if (!arguments.named.empty())
      return Fail(absl::StrCat("loop.", name, " takes no arguments with names"));
    if (name == "cycle") return receiver.loop().Cycle(arguments.positional);
    STEER_ASSIGN_OR_RETURN(bool changed,
                           receiver.loop().Changed(arguments.positional, runtime.budget));
    return Value::Bool(changed);
  }
  const Method* method = Find(receiver, name);
  STEER_RETURN_IF_ERROR(ChargeTexts(receiver, arguments, runtime.budget));
  STEER_ASSIGN_OR_RETURN(Bound bound, Bound::Bind(method->signature, arguments));
  if (receiver.is_markup()) {
    // Markup's methods escape what they are given.
    for (const Value& argument : arguments.positional) {
      if (argument.is_string() && argument.text().find_first_of("&<>'\"") != std::string::npos) {
        return Fail(absl::StrCat(
            "'", name, "' of a safe string with an argument that needs escaping is not built"));
      }
    }
  }
  return method->call(receiver, bound, runtime);
}

}  // namespace steer::jinja
