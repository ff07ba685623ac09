// Filters that pick from sequences and order them.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/status_macros.h"
#include "server/tokenizer/jinja/compare.h"
#include "server/tokenizer/jinja/filters.h"
#include "server/tokenizer/jinja/operators.h"
#include "server/tokenizer/jinja/text.h"

namespace steer::jinja {
namespace {

using Result = absl::StatusOr<Value>;

Result Folded(const Value& value, bool case_sensitive, Budget& budget) {
  if (!value.is_string() || case_sensitive) return value;
  STEER_RETURN_IF_ERROR(budget.Bytes(value.text().size()));
  return Value::String(Lower(value.text()));
}

// Stable, by keys; sorting in reverse keeps equal items in order, as Python does.
absl::StatusOr<Items> SortByKey(const Items& items, const Items& keys, bool reverse,
                                Budget& budget) {
  std::vector<size_t> order(items.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  absl::Status failed;
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    if (!failed.ok()) return false;
    absl::StatusOr<bool> less =
        reverse ? Less(keys[b], keys[a], budget) : Less(keys[a], keys[b], budget);
    if (!less.ok()) failed = less.status();
    return less.ok() && *less;
  });
  STEER_RETURN_IF_ERROR(failed);
  Items out;
  for (size_t i : order) out.push_back(items[i]);
  return out;
}

Result First(const Value& input, const Bound&, Runtime& runtime) {
  if (input.is(Kind::kIterator)) {
    IteratorObject& it = input.iterator();
    if (it.next < it.items.size()) return it.items[it.next++];
    return Value::Undefined("No first item, sequence was empty.");
  }
  STEER_ASSIGN_OR_RETURN(Items items, Iterate(input, runtime.budget));
  if (items.empty()) return Value::Undefined("No first item, sequence was empty.");
  return items.front();
}

Result Last(const Value& input, const Bound&, Runtime& runtime) {
  if (input.is(Kind::kIterator))
    return Fail("last: a generator cannot be reversed (add |list before)");
  STEER_ASSIGN_OR_RETURN(Items items, Iterate(input, runtime.budget));
  if (items.empty()) return Value::Undefined("No last item, sequence was empty.");
  return items.back();
}

Result List(const Value& input, const Bound&, Runtime& runtime) {
  STEER_ASSIGN_OR_RETURN(Items items, Iterate(input, runtime.budget));
  return Value::List(std::move(items));
}

Result ItemsOf(const Value& input, const Bound&, Runtime& runtime) {
  if (input.is_undefined()) return Value::Iterator({});
  if (!input.is(Kind::kDict)) return Fail("items needs a mapping");
  STEER_RETURN_IF_ERROR(runtime.budget.Step(static_cast<int64_t>(input.dict().size())));
  Items items;
  for (const auto& [key, value] : input.dict()) items.push_back(Value::Tuple({key, value}));
  return Value::Iterator(std::move(items));
}

Result DictSort(const Value& input, const Bound& bound, Runtime& runtime) {
  if (input.is_undefined()) return UndefinedError(input);
  if (!input.is(Kind::kDict)) return Fail("dictsort needs a mapping");
  std::string by = "key";
  if (bound.has(1)) {
    STEER_ASSIGN_OR_RETURN(by, bound.text(1));
  }
  if (by != "key" && by != "value") return Fail("dictsort: by must be \"key\" or \"value\"");
  Items pairs, keys;
  for (const auto& [key, value] : input.dict()) {
    pairs.push_back(Value::Tuple({key, value}));
    STEER_ASSIGN_OR_RETURN(
        Value folded, Folded(by == "key" ? key : value, bound.truth(0, false), runtime.budget));
    keys.push_back(std::move(folded));
  }
  STEER_ASSIGN_OR_RETURN(Items sorted,
                         SortByKey(pairs, keys, bound.truth(2, false), runtime.budget));
  return Value::List(std::move(sorted));
}

Result Sort(const Value& input, const Bound& bound, Runtime& runtime) {
  STEER_ASSIGN_OR_RETURN(Items items, Iterate(input, runtime.budget));
  std::vector<Value> paths = {Value::None()};
  if (bound.set(2) && bound.at(2).is_string()) {
    paths.clear();
    for (absl::string_view path : absl::StrSplit(bound.at(2).text(), ','))
      paths.push_back(Value::String(path));
  } else if (bound.set(2)) {
    paths = {bound.at(2)};
  }
  Items keys;
  for (const Value& item : items) {
    Items key;
    for (const Value& path : paths) {
      STEER_ASSIGN_OR_RETURN(Value part, AttributePath(item, path, runtime.budget));
      STEER_ASSIGN_OR_RETURN(part, Folded(part, bound.truth(1, false), runtime.budget));
      key.push_back(std::move(part));
    }
    keys.push_back(Value::List(std::move(key)));
  }
  STEER_ASSIGN_OR_RETURN(Items sorted,
                         SortByKey(items, keys, bound.truth(0, false), runtime.budget));
  return Value::List(std::move(sorted));
}

Result Unique(const Value& input, const Bound& bound, Runtime& runtime) {
  STEER_ASSIGN_OR_RETURN(Items items, Iterate(input, runtime.budget));
  Items seen, kept;
  for (const Value& item : items) {
    STEER_ASSIGN_OR_RETURN(
        Value key, AttributePath(item, bound.has(1) ? bound.at(1) : Value::None(), runtime.budget));
    STEER_ASSIGN_OR_RETURN(key, Folded(key, bound.truth(0, false), runtime.budget));
    STEER_RETURN_IF_ERROR(CheckHashable(key, runtime.budget));
    bool found = false;
    for (size_t i = 0; i < seen.size() && !found; ++i) {
      STEER_ASSIGN_OR_RETURN(found, Equals(seen[i], key, runtime.budget));
    }
    if (found) continue;
    seen.push_back(std::move(key));
    kept.push_back(item);
  }
  return Value::Iterator(std::move(kept));
}

template <bool largest>
Result Extreme(const Value& input, const Bound& bound, Runtime& runtime) {
  STEER_ASSIGN_OR_RETURN(Items items, Iterate(input, runtime.budget));
  if (items.empty()) return Value::Undefined("No aggregated item, sequence was empty.");
  Value best, best_key;
  for (size_t i = 0; i < items.size(); ++i) {
    STEER_ASSIGN_OR_RETURN(
        Value key,
        AttributePath(items[i], bound.has(1) ? bound.at(1) : Value::None(), runtime.budget));
    STEER_ASSIGN_OR_RETURN(key, Folded(key, bound.truth(0, false), runtime.budget));
    if (i > 0) {
      STEER_ASSIGN_OR_RETURN(bool better, largest ? Less(best_key, key, runtime.budget)
                                                  : Less(key, best_key, runtime.budget));
      if (!better) continue;
    }
    best = items[i];
    best_key = std::move(key);
  }
  return best;
}

Result ReverseFilter(const Value& input, const Bound&, Runtime& runtime) {
  if (input.is_string()) {
    // Slicing with [::-1] keeps the type.
    return Slice(input, Value::None(), Value::None(), Value::Int(-1), runtime.budget);
  }
  const bool was_iterator = input.is(Kind::kIterator);
  STEER_ASSIGN_OR_RETURN(Items items, Iterate(input, runtime.budget));
  std::reverse(items.begin(), items.end());
  return was_iterator ? Value::List(std::move(items)) : Value::Iterator(std::move(items));
}

Result Default(const Value& input, const Bound& bound, Runtime&) {
  const bool use = input.is_undefined() || (bound.truth(1, false) && !IsTrue(input));
  if (!use) return input;
  return bound.has(0) ? bound.at(0) : Value::String("");
}

Result Attr(const Value& input, const Bound& bound, Runtime& runtime) {
  STEER_ASSIGN_OR_RETURN(std::string name, bound.text(0));
  if (input.is(Kind::kDict) || name.substr(0, 1) == "_")
    return Fail("attr is built for namespaces and loops only");
  return GetAttribute(input, name, runtime.budget);
}

constexpr Filter kFilters[] = {
    {{"attr", "name"}, Attr},
    {{"d", "default_value? boolean?"}, Default},
    {{"default", "default_value? boolean?"}, Default},
    {{"dictsort", "case_sensitive? by? reverse?"}, DictSort},
    {{"first", ""}, First},
    {{"items", ""}, ItemsOf},
    {{"last", ""}, Last},
    {{"list", ""}, List},
    {{"max", "case_sensitive? attribute?"}, Extreme<true>},
    {{"min", "case_sensitive? attribute?"}, Extreme<false>},
    {{"reverse", ""}, ReverseFilter},
    {{"sort", "reverse? case_sensitive? attribute?"}, Sort},
    {{"unique", "case_sensitive? attribute?"}, Unique},
};

}  // namespace

absl::Span<const Filter> SequenceFilters() { return kFilters; }

}  // namespace steer::jinja
