// Python's operators, and how jinja2 looks attributes and items up.
#ifndef STEER_SERVER_TOKENIZER_JINJA_OPERATORS_H_
#define STEER_SERVER_TOKENIZER_JINJA_OPERATORS_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/tokenizer/jinja/budget.h"
#include "server/tokenizer/jinja/value.h"

namespace steer::jinja {

// op is one of + - * / // % **. Integers have 64 bits; a result beyond them is an error.
absl::StatusOr<Value> Binary(absl::string_view op, const Value& a, const Value& b, Budget& budget);
absl::StatusOr<Value> Negate(const Value& value);
// op is one of == != < <= > >= in, not in.
absl::StatusOr<bool> CompareValues(absl::string_view op, const Value& a, const Value& b,
                                   Budget& budget);

// value.name: the attribute, else the item, else undefined. An error if value is undefined.
absl::StatusOr<Value> GetAttribute(const Value& value, absl::string_view name, Budget& budget);
// value[key]: the item, else the attribute, else undefined.
absl::StatusOr<Value> GetItem(const Value& value, const Value& key, Budget& budget);
// value[start:stop:step]; each bound is an integer or none.
absl::StatusOr<Value> Slice(const Value& value, const Value& start, const Value& stop,
                            const Value& step, Budget& budget);

}  // namespace steer::jinja

#endif  // STEER_SERVER_TOKENIZER_JINJA_OPERATORS_H_
