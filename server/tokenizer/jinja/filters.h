// Filters and tests by name.
#ifndef STEER_SERVER_TOKENIZER_JINJA_FILTERS_H_
#define STEER_SERVER_TOKENIZER_JINJA_FILTERS_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "server/tokenizer/jinja/arguments.h"
#include "server/tokenizer/jinja/value.h"

namespace steer::jinja {

struct Filter {
  Signature signature;
  absl::StatusOr<Value> (*call)(const Value& input, const Bound& bound, Runtime& runtime);
  // Set instead of `call` where arguments name other filters or tests (map, select, ...).
  absl::StatusOr<Value> (*call_raw)(const Value& input, const Arguments& arguments,
                                    Runtime& runtime) = nullptr;
};

struct Test {
  Signature signature;
  absl::StatusOr<bool> (*call)(const Value& input, const Bound& bound, Runtime& runtime);
};

// nullptr if there is none.
const Filter* FindFilter(absl::string_view name);
const Test* FindTest(absl::string_view name);

absl::StatusOr<Value> CallFilter(absl::string_view name, const Value& input,
                                 const Arguments& arguments, Runtime& runtime);
absl::StatusOr<bool> CallTest(absl::string_view name, const Value& input,
                              const Arguments& arguments, Runtime& runtime);

// The tables, each in its own file.
absl::Span<const Filter> TextFilters();
absl::Span<const Filter> NumberFilters();
absl::Span<const Filter> SequenceFilters();
absl::Span<const Filter> SelectionFilters();

// item.a.0.b for "a.0.b"; item for none.
absl::StatusOr<Value> AttributePath(const Value& item, const Value& path, Budget& budget);

}  // namespace steer::jinja

#endif  // STEER_SERVER_TOKENIZER_JINJA_FILTERS_H_
