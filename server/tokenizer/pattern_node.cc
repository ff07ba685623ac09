#include "server/tokenizer/pattern_node.h"

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace steer::tok {

absl::StatusOr<std::shared_ptr<const Pattern>> ReadPattern(const Node& node) {
  STEER_RETURN_IF_ERROR(node.CheckKeys({"Regex", "String"}));
  if (node.value().size() != 1) return node.Error("needs \"Regex\" or \"String\"");
  const char* kind = node.Has("Regex") ? "Regex" : "String";
  STEER_ASSIGN_OR_RETURN(std::string text, node.String(kind));
  auto pattern = node.Has("Regex") ? Pattern::CompileRegex(text) : Pattern::CompileLiteral(text);
  if (!pattern.ok()) {
    return absl::Status(pattern.status().code(),
                        absl::StrCat(node.path(), ".", kind, ": ", pattern.status().message()));
  }
  return pattern;
}

}  // namespace steer::tok
