// A Jinja template as transformers compiles it: ImmutableSandboxedEnvironment, trim_blocks,
// lstrip_blocks, loopcontrols, generation blocks, its own tojson, raise_exception; no autoescape,
// no inheritance or inclusion.
#ifndef STEER_SERVER_TOKENIZER_JINJA_TEMPLATE_H_
#define STEER_SERVER_TOKENIZER_JINJA_TEMPLATE_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/tokenizer/jinja/ast.h"
#include "server/tokenizer/jinja/value.h"

namespace steer::jinja {

using Variables = std::vector<std::pair<std::string, Value>>;

// Immutable; Render may be called from any thread.
class Template {
 public:
  // INVALID_ARGUMENT "line N: ..." for a template that is malformed or names anything that is not
  // built; RESOURCE_EXHAUSTED beyond 1 MiB.
  static absl::StatusOr<std::shared_ptr<const Template>> Compile(absl::string_view source);

  // INVALID_ARGUMENT where Python would raise, with the line; reason kRaisedReason and the
  // template's words from raise_exception. RESOURCE_EXHAUSTED beyond the limits of budget.h.
  absl::StatusOr<std::string> Render(const Variables& variables) const;

 private:
  explicit Template(Body body) : body_(std::move(body)) {}
  Body body_;
};

}  // namespace steer::jinja

#endif  // STEER_SERVER_TOKENIZER_JINJA_TEMPLATE_H_
