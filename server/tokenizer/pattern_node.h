// The pattern of a Split or Replace node: {"Regex": "..."} or {"String": "..."}.
#ifndef STEER_SERVER_TOKENIZER_PATTERN_NODE_H_
#define STEER_SERVER_TOKENIZER_PATTERN_NODE_H_

#include <memory>

#include "absl/status/statusor.h"
#include "server/tokenizer/node.h"
#include "server/tokenizer/regex.h"

namespace steer::tok {

absl::StatusOr<std::shared_ptr<const Pattern>> ReadPattern(const Node& node);

}  // namespace steer::tok

#endif  // STEER_SERVER_TOKENIZER_PATTERN_NODE_H_
