// What Python's truth, ==, <, `in`, len and iter say about values. All charge the budget, for
// values may share parts and unfold to more than they hold.
#ifndef STEER_SERVER_TOKENIZER_JINJA_COMPARE_H_
#define STEER_SERVER_TOKENIZER_JINJA_COMPARE_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "server/tokenizer/jinja/budget.h"
#include "server/tokenizer/jinja/value.h"

namespace steer::jinja {

bool IsTrue(const Value& value);
absl::StatusOr<bool> Equals(const Value& a, const Value& b, Budget& budget);
// a < b; an error where Python raises a TypeError.
absl::StatusOr<bool> Less(const Value& a, const Value& b, Budget& budget);
absl::StatusOr<bool> Contains(const Value& needle, const Value& haystack, Budget& budget);
// OK if the value may be a dict's key.
absl::Status CheckHashable(const Value& value, Budget& budget);
// The entry's index in the dict, or -1.
absl::StatusOr<int64_t> FindKey(const DictItems& dict, const Value& key, Budget& budget);
// Replaces or appends.
absl::Status InsertKey(DictItems& dict, const Value& key, const Value& value, Budget& budget);
// len(value) and iter(value): errors where there is none. Iterating uses up an iterator.
absl::StatusOr<int64_t> Length(const Value& value);
bool HasLength(const Value& value);
bool IsIterable(const Value& value);
absl::StatusOr<Items> Iterate(const Value& value, Budget& budget);
// What using an undefined value raises.
absl::Status UndefinedError(const Value& undefined);

}  // namespace steer::jinja

#endif  // STEER_SERVER_TOKENIZER_JINJA_COMPARE_H_
