#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "server/tokenizer/jinja/compare.h"
#include "server/tokenizer/jinja/methods.h"

namespace steer::jinja {
namespace {

using Result = absl::StatusOr<Value>;

Result DictGet(const Value& self, const Bound& bound, Runtime& runtime) {
  STEER_RETURN_IF_ERROR(CheckHashable(bound.at(0), runtime.budget));
  STEER_ASSIGN_OR_RETURN(int64_t at, FindKey(self.dict(), bound.at(0), runtime.budget));
  if (at >= 0) return self.dict()[static_cast<size_t>(at)].second;
  return bound.has(1) ? bound.at(1) : Value::None();
}

enum class Part { kKeys, kValues, kItems };
template <Part part>
Result DictView(const Value& self, const Bound&, Runtime& runtime) {
  STEER_RETURN_IF_ERROR(runtime.budget.Step(static_cast<int64_t>(self.dict().size()) + 1));
  STEER_RETURN_IF_ERROR(runtime.budget.Bytes(self.dict().size() * 4 * sizeof(Value)));
  Items items;
  for (const auto& [key, value] : self.dict()) {
    items.push_back(part == Part::kKeys     ? key
                    : part == Part::kValues ? value
                                            : Value::Tuple({key, value}));
  }
  return Value::View(std::move(items), part == Part::kKeys     ? "dict_keys"
                                       : part == Part::kValues ? "dict_values"
                                                               : "dict_items");
}

Result Copy(const Value& self, const Bound&, Runtime&) { return self; }

Result CountItems(const Value& self, const Bound& bound, Runtime& runtime) {
  STEER_ASSIGN_OR_RETURN(Items items, Iterate(self, runtime.budget));
  int64_t count = 0;
  for (const Value& item : items) {
    STEER_ASSIGN_OR_RETURN(bool same, Equals(item, bound.at(0), runtime.budget));
    count += same ? 1 : 0;
  }
  return Value::Int(count);
}

Result IndexOf(const Value& self, const Bound& bound, Runtime& runtime) {
  STEER_ASSIGN_OR_RETURN(Items items, Iterate(self, runtime.budget));
  const int64_t size = static_cast<int64_t>(items.size());
  STEER_ASSIGN_OR_RETURN(int64_t from, bound.integer(1, 0));
  STEER_ASSIGN_OR_RETURN(int64_t to, bound.integer(2, size));
  if (from < 0) from = std::max<int64_t>(0, from + size);
  if (to < 0) to += size;
  for (int64_t i = from; i < to && i < size; ++i) {
    STEER_ASSIGN_OR_RETURN(bool same,
                           Equals(items[static_cast<size_t>(i)], bound.at(0), runtime.budget));
    if (same) return Value::Int(i);
  }
  return Fail("the value is not in the list");
}

constexpr Method kDictMethods[] = {
    {{"copy", ""}, Copy},
    {{"get", "/key default?"}, DictGet},
    {{"items", ""}, DictView<Part::kItems>},
    {{"keys", ""}, DictView<Part::kKeys>},
    {{"values", ""}, DictView<Part::kValues>},
};
constexpr Method kListMethods[] = {
    {{"copy", ""}, Copy},
    {{"count", "/value"}, CountItems},
    {{"index", "/value start? stop?"}, IndexOf},
};
constexpr Method kTupleMethods[] = {
    {{"count", "/value"}, CountItems},
    {{"index", "/value start? stop?"}, IndexOf},
};
constexpr Method kRangeMethods[] = {
    {{"count", "/value"}, CountItems},
    {{"index", "/value start? stop?"}, IndexOf},
};

template <size_t n>
const Method* FindIn(const Method (&methods)[n], absl::string_view name) {
  for (const Method& method : methods) {
    if (name == method.signature.name) return &method;
  }
  return nullptr;
}

}  // namespace

const Method* FindContainerMethod(const Value& receiver, absl::string_view name) {
  switch (receiver.kind()) {
    case Kind::kDict:
      return FindIn(kDictMethods, name);
    case Kind::kList:
      return FindIn(kListMethods, name);
    case Kind::kTuple:
      return FindIn(kTupleMethods, name);
    case Kind::kRange:
      return FindIn(kRangeMethods, name);
    default:
      return nullptr;
  }
}

}  // namespace steer::jinja
