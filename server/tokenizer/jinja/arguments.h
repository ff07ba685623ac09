// Arguments of calls, filters and tests, and how they meet parameters.
#ifndef STEER_SERVER_TOKENIZER_JINJA_ARGUMENTS_H_
#define STEER_SERVER_TOKENIZER_JINJA_ARGUMENTS_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "server/tokenizer/jinja/budget.h"
#include "server/tokenizer/jinja/value.h"

namespace steer::jinja {

struct Arguments {
  Items positional;
  std::vector<std::pair<std::string, Value>> named;
};

// Parameters as text: "old new count?". '?' may be left out; a leading '/' means that none may be
// given by name; "..." alone takes anything.
struct Signature {
  const char* name;
  const char* parameters;
};

// What the arguments look like, as far as the template's text tells.
struct CallShape {
  size_t positional = 0;
  std::vector<std::string> named;
};

// INVALID_ARGUMENT "<name> takes ...".
absl::Status CheckShape(const Signature& signature, const CallShape& shape);

// Arguments in the order of the parameters.
class Bound {
 public:
  static absl::StatusOr<Bound> Bind(const Signature& signature, const Arguments& arguments);

  bool has(size_t i) const { return values_[i].has_value(); }
  // Requires has(i).
  const Value& at(size_t i) const { return *values_[i]; }
  // True if given and not none.
  bool set(size_t i) const { return has(i) && !at(i).is(Kind::kNone); }
  bool truth(size_t i, bool otherwise) const;
  absl::StatusOr<int64_t> integer(size_t i, int64_t otherwise) const;
  absl::StatusOr<std::string> text(size_t i) const;  // must be given and a string

 private:
  const char* name_ = "";
  std::vector<absl::optional<Value>> values_;
};

// Charges the bytes of the texts that a method or filter is about to read.
absl::Status ChargeTexts(const Value& receiver, const Arguments& arguments, Budget& budget);

// What a rendering hands to built-in functions.
struct Runtime {
  Budget budget;
  std::vector<std::unique_ptr<Object>> owned;  // namespaces and macros
};

}  // namespace steer::jinja

#endif  // STEER_SERVER_TOKENIZER_JINJA_ARGUMENTS_H_
