// Filters that apply another filter or test to each item.
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "server/tokenizer/jinja/compare.h"
#include "server/tokenizer/jinja/filters.h"

namespace steer::jinja {
namespace {

using Result = absl::StatusOr<Value>;

Result MapAttribute(const Items& items, const Arguments& arguments, Runtime& runtime) {
  absl::optional<Value> path;
  Value otherwise = Value::None();
  for (const auto& [name, value] : arguments.named) {
    if (name == "attribute") {
      path = value;
    } else if (name == "default") {
      otherwise = value;
    } else {
      return Fail(absl::StrCat("map has no argument named '", name, "'"));
    }
  }
  if (!path.has_value()) return Fail("map needs the name of a filter or attribute=...");
  Items out;
  for (const Value& item : items) {
    STEER_ASSIGN_OR_RETURN(Value found, AttributePath(item, *path, runtime.budget));
    out.push_back(found.is_undefined() && !otherwise.is(Kind::kNone) ? otherwise : found);
  }
  return Value::Iterator(std::move(out));
}

Result Map(const Value& input, const Arguments& arguments, Runtime& runtime) {
  if (!IsTrue(input)) return Value::Iterator({});
  STEER_ASSIGN_OR_RETURN(Items items, Iterate(input, runtime.budget));
  if (arguments.positional.empty() && !arguments.named.empty())
    return MapAttribute(items, arguments, runtime);
  if (arguments.positional.empty() || !arguments.positional[0].is_string()) {
    return Fail("map needs the name of a filter or attribute=...");
  }
  DepthGuard guard(runtime.budget);
  STEER_RETURN_IF_ERROR(guard.status());
  Arguments rest;
  rest.positional.assign(arguments.positional.begin() + 1, arguments.positional.end());
  rest.named = arguments.named;
  Items out;
  for (const Value& item : items) {
    STEER_RETURN_IF_ERROR(runtime.budget.Step());
    STEER_ASSIGN_OR_RETURN(Value mapped,
                           CallFilter(arguments.positional[0].text(), item, rest, runtime));
    out.push_back(std::move(mapped));
  }
  return Value::Iterator(std::move(out));
}

template <bool keep, bool by_attribute>
Result Select(const Value& input, const Arguments& arguments, Runtime& runtime) {
  if (!IsTrue(input)) return Value::Iterator({});
  STEER_ASSIGN_OR_RETURN(Items items, Iterate(input, runtime.budget));
  const size_t offset = by_attribute ? 1 : 0;
  if (arguments.positional.size() < offset)
    return Fail("selectattr and rejectattr need the name of an attribute");
  Arguments rest;
  std::string test;
  if (arguments.positional.size() > offset) {
    if (!arguments.positional[offset].is_string())
      return Fail("the name of a test must be a string");
    test = arguments.positional[offset].text();
    rest.positional.assign(arguments.positional.begin() + static_cast<std::ptrdiff_t>(offset) + 1,
                           arguments.positional.end());
    rest.named = arguments.named;
  }
  Items out;
  for (const Value& item : items) {
    STEER_RETURN_IF_ERROR(runtime.budget.Step());
    Value subject = item;
    if (by_attribute) {
      STEER_ASSIGN_OR_RETURN(subject, AttributePath(item, arguments.positional[0], runtime.budget));
    }
    bool passes = IsTrue(subject);
    if (!test.empty()) {
      STEER_ASSIGN_OR_RETURN(passes, CallTest(test, subject, rest, runtime));
    }
    if (passes == keep) out.push_back(item);
  }
  return Value::Iterator(std::move(out));
}

constexpr Filter kFilters[] = {
    {{"map", "..."}, nullptr, Map},
    {{"reject", "..."}, nullptr, Select<false, false>},
    {{"rejectattr", "..."}, nullptr, Select<false, true>},
    {{"select", "..."}, nullptr, Select<true, false>},
    {{"selectattr", "..."}, nullptr, Select<true, true>},
};

}  // namespace

absl::Span<const Filter> SelectionFilters() { return kFilters; }

}  // namespace steer::jinja
