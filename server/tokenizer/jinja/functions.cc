#include "server/tokenizer/jinja/functions.h"

#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "server/tokenizer/jinja/compare.h"
#include "server/tokenizer/jinja/print.h"

namespace steer::jinja {
namespace {

constexpr int64_t kMaxRange = 100000;  // as jinja2's sandbox

constexpr Signature kFunctions[] = {{"range", "/start stop? step?"},
                                    {"dict", "..."},
                                    {"namespace", "..."},
                                    {"raise_exception", "message"}};

absl::StatusOr<Value> Range(const Arguments& arguments) {
  STEER_ASSIGN_OR_RETURN(Bound bound, Bound::Bind(kFunctions[0], arguments));
  auto range = std::make_shared<RangeObject>();
  STEER_ASSIGN_OR_RETURN(int64_t first, bound.integer(0, 0));
  STEER_ASSIGN_OR_RETURN(int64_t second, bound.integer(1, 0));
  STEER_ASSIGN_OR_RETURN(range->step, bound.integer(2, 1));
  range->start = bound.has(1) ? first : 0;
  range->stop = bound.has(1) ? second : first;
  if (range->step == 0) return Fail("range: the step must not be zero");
  for (int64_t part : {range->start, range->stop, range->step}) {
    if (part > kMaxRangeBound || part < -kMaxRangeBound)
      return Fail("range: a bound beyond 2^53 is not built");
  }
  if (range->size() > kMaxRange)
    return TooMuch(absl::StrCat("a range of more than ", kMaxRange, " items"));
  return Value::FromObject(Kind::kRange, std::move(range));
}

absl::StatusOr<DictItems> MakeDict(const Arguments& arguments, Budget& budget) {
  if (arguments.positional.size() > 1)
    return Fail("dict and namespace take one argument without a name at most");
  DictItems items;
  if (!arguments.positional.empty()) {
    const Value& source = arguments.positional[0];
    if (source.is(Kind::kDict)) {
      STEER_RETURN_IF_ERROR(budget.Step(static_cast<int64_t>(source.dict().size())));
      items = source.dict();
    } else {
      STEER_ASSIGN_OR_RETURN(Items pairs, Iterate(source, budget));
      for (const Value& pair : pairs) {
        STEER_ASSIGN_OR_RETURN(Items parts, Iterate(pair, budget));
        if (parts.size() != 2) return Fail("dict needs pairs");
        STEER_RETURN_IF_ERROR(InsertKey(items, parts[0], parts[1], budget));
      }
    }
  }
  for (const auto& [name, value] : arguments.named) {
    STEER_RETURN_IF_ERROR(InsertKey(items, Value::String(name), value, budget));
  }
  return items;
}

absl::StatusOr<Value> Namespace(const Arguments& arguments, Runtime& runtime) {
  STEER_ASSIGN_OR_RETURN(DictItems items, MakeDict(arguments, runtime.budget));
  auto owned = std::make_unique<NamespaceObject>();
  for (const auto& [key, value] : items) {
    if (!key.is_string()) return Fail("namespace: a name is not a string");
    if (value.depth() > kMaxValueDepth)
      return TooMuch(absl::StrCat("values nested deeper than ", kMaxValueDepth));
    owned->attributes.emplace_back(key.text(), value);
  }
  STEER_RETURN_IF_ERROR(runtime.budget.Bytes(sizeof(NamespaceObject)));
  NamespaceObject* raw = owned.get();
  runtime.owned.push_back(std::move(owned));
  // Not owning: the rendering does.
  return Value::FromObject(Kind::kNamespace,
                           std::shared_ptr<Object>(std::shared_ptr<Object>(), raw));
}

}  // namespace

const Signature* FindFunction(absl::string_view name) {
  for (const Signature& signature : kFunctions) {
    if (name == signature.name) return &signature;
  }
  return nullptr;
}

absl::StatusOr<Value> CallFunction(absl::string_view name, const Arguments& arguments,
                                   Runtime& runtime) {
  if (name == "range") return Range(arguments);
  if (name == "namespace") return Namespace(arguments, runtime);
  if (name == "dict") {
    STEER_ASSIGN_OR_RETURN(DictItems items, MakeDict(arguments, runtime.budget));
    return Value::Dict(std::move(items));
  }
  STEER_ASSIGN_OR_RETURN(Bound bound, Bound::Bind(kFunctions[3], arguments));
  STEER_ASSIGN_OR_RETURN(std::string words, Str(bound.at(0), runtime.budget));
  return MakeError(absl::StatusCode::kInvalidArgument, kRaisedReason, words);
}

}  // namespace steer::jinja
