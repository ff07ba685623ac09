#include "server/tokenizer/jinja/filters.h"

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/status_macros.h"
#include "server/tokenizer/jinja/operators.h"

namespace steer::jinja {

const Filter* FindFilter(absl::string_view name) {
  for (absl::Span<const Filter> table :
       {TextFilters(), NumberFilters(), SequenceFilters(), SelectionFilters()}) {
    for (const Filter& filter : table) {
      if (name == filter.signature.name) return &filter;
    }
  }
  return nullptr;
}

absl::StatusOr<Value> CallFilter(absl::string_view name, const Value& input,
                                 const Arguments& arguments, Runtime& runtime) {
  const Filter* filter = FindFilter(name);
  if (filter == nullptr) return Fail(absl::StrCat("the filter '", name, "' is not built"));
  STEER_RETURN_IF_ERROR(ChargeTexts(input, arguments, runtime.budget));
  if (filter->call_raw != nullptr) return filter->call_raw(input, arguments, runtime);
  STEER_ASSIGN_OR_RETURN(Bound bound, Bound::Bind(filter->signature, arguments));
  return filter->call(input, bound, runtime);
}

absl::StatusOr<Value> AttributePath(const Value& item, const Value& path, Budget& budget) {
  if (path.is(Kind::kNone)) return item;
  if (!path.is_string()) return GetItem(item, path, budget);
  Value found = item;
  for (absl::string_view part : absl::StrSplit(path.text(), '.')) {
    STEER_RETURN_IF_ERROR(budget.Step());
    STEER_RETURN_IF_ERROR(budget.Bytes(part.size()));
    int64_t index = 0;
    const bool digits =
        !part.empty() && part.find_first_not_of("0123456789") == absl::string_view::npos;
    Value key = Value::String(part);
    if (digits) {
      if (!absl::SimpleAtoi(part, &index)) return Fail("an attribute's index is too large");
      key = Value::Int(index);
    }
    STEER_ASSIGN_OR_RETURN(found, GetItem(found, key, budget));
  }
  return found;
}

}  // namespace steer::jinja
