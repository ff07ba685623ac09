// Values as text: str(), repr() and json.dumps() of Python.
#ifndef STEER_SERVER_TOKENIZER_JINJA_PRINT_H_
#define STEER_SERVER_TOKENIZER_JINJA_PRINT_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/types/optional.h"
#include "server/tokenizer/jinja/budget.h"
#include "server/tokenizer/jinja/value.h"

namespace steer::jinja {

// str(value). An error for functions and iterators, whose text in Python is an address.
absl::StatusOr<std::string> Str(const Value& value, Budget& budget);
absl::StatusOr<std::string> Repr(const Value& value, Budget& budget);
// repr(float): the shortest text that reads back.
std::string FloatRepr(double d);

struct JsonOptions {
  bool ensure_ascii = false;
  absl::optional<std::string> indent;  // one level of it
  std::string item_separator;
  std::string key_separator;
  bool sort_keys = false;
};
// As the filter tojson that transformers installs: json.dumps without HTML escapes.
absl::StatusOr<std::string> ToJson(const Value& value, const JsonOptions& options, Budget& budget);

}  // namespace steer::jinja

#endif  // STEER_SERVER_TOKENIZER_JINJA_PRINT_H_
