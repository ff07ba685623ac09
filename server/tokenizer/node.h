// A JSON value and its path in tokenizer.json, so that every error names the node.
#ifndef STEER_SERVER_TOKENIZER_NODE_H_
#define STEER_SERVER_TOKENIZER_NODE_H_

#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "common/json.h"

namespace steer::tok {

// Refers to a tree that must outlive it.
class Node {
 public:
  Node(const Json& value, std::string path) : value_(&value), path_(std::move(path)) {}

  const Json& value() const { return *value_; }
  const std::string& path() const { return path_; }
  bool is_null() const { return value_->is_null(); }
  // INVALID_ARGUMENT "<path>: <what>".
  absl::Status Error(absl::string_view what) const;

  // OK if this is an object whose keys are all among these: a key that is not understood is an
  // error, never skipped.
  absl::Status CheckKeys(std::initializer_list<absl::string_view> allowed) const;
  bool Has(absl::string_view key) const;
  // A field that must be there.
  absl::StatusOr<Node> Field(absl::string_view key) const;
  absl::StatusOr<std::string> String(absl::string_view key) const;
  // A field of exactly one character.
  absl::StatusOr<uint32_t> Character(absl::string_view key) const;
  absl::StatusOr<bool> Bool(absl::string_view key) const;
  // The default where the field is absent or null.
  absl::StatusOr<bool> Bool(absl::string_view key, bool absent) const;
  absl::StatusOr<int64_t> Integer(absl::string_view key, int64_t minimum, int64_t maximum) const;
  // nullopt where the field is absent or null.
  absl::StatusOr<absl::optional<std::string>> OptionalString(absl::string_view key) const;
  // The elements of an array field.
  absl::StatusOr<std::vector<Node>> Array(absl::string_view key) const;

 private:
  const Json* value_;
  std::string path_;
};

}  // namespace steer::tok

#endif  // STEER_SERVER_TOKENIZER_NODE_H_
