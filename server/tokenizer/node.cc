#include "server/tokenizer/node.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "common/utf8.h"

namespace steer::tok {

absl::Status Node::Error(absl::string_view what) const {
  return absl::InvalidArgumentError(absl::StrCat(path_, ": ", what));
}

absl::Status Node::CheckKeys(std::initializer_list<absl::string_view> allowed) const {
  if (!value_->is_object()) return Error("not an object");
  for (const auto& [key, value] : value_->items()) {
    if (std::find(allowed.begin(), allowed.end(), key) == allowed.end()) {
      return absl::InvalidArgumentError(
          absl::StrCat(path_, ".", key.substr(0, 80), ": no such field is built"));
    }
  }
  return absl::OkStatus();
}

bool Node::Has(absl::string_view key) const {
  return value_->contains(std::string(key));  // false of what is no object
}

absl::StatusOr<Node> Node::Field(absl::string_view key) const {
  if (!value_->is_object()) return Error("not an object");
  auto it = value_->find(std::string(key));
  std::string path = path_.empty() ? std::string(key) : absl::StrCat(path_, ".", key);
  if (it == value_->end()) return absl::InvalidArgumentError(absl::StrCat(path, ": missing"));
  return Node(*it, std::move(path));
}

absl::StatusOr<std::string> Node::String(absl::string_view key) const {
  STEER_ASSIGN_OR_RETURN(Node field, Field(key));
  if (!field.value().is_string()) return field.Error("not a string");
  return field.value().get<std::string>();
}

absl::StatusOr<uint32_t> Node::Character(absl::string_view key) const {
  STEER_ASSIGN_OR_RETURN(std::string text, String(key));
  if (CountCodePoints(text) != 1) return Field(key)->Error("not one character");
  size_t at = 0;
  return NextCodePoint(text, &at);
}

absl::StatusOr<bool> Node::Bool(absl::string_view key) const {
  STEER_ASSIGN_OR_RETURN(Node field, Field(key));
  if (!field.value().is_boolean()) return field.Error("not true or false");
  return field.value().get<bool>();
}

absl::StatusOr<bool> Node::Bool(absl::string_view key, bool absent) const {
  if (!Has(key) || Field(key)->is_null()) return absent;
  return Bool(key);
}

absl::StatusOr<int64_t> Node::Integer(absl::string_view key, int64_t minimum,
                                      int64_t maximum) const {
  STEER_ASSIGN_OR_RETURN(Node field, Field(key));
  const Json& value = field.value();
  if (!value.is_number_integer() ||
      (value.is_number_unsigned() && value.get<uint64_t>() > uint64_t{INT64_MAX}) ||
      value.get<int64_t>() < minimum || value.get<int64_t>() > maximum) {
    return field.Error(absl::StrCat("not an integer from ", minimum, " to ", maximum));
  }
  return value.get<int64_t>();
}

absl::StatusOr<absl::optional<std::string>> Node::OptionalString(absl::string_view key) const {
  absl::optional<std::string> text;
  if (Has(key) && !Field(key)->is_null()) {
    STEER_ASSIGN_OR_RETURN(text, String(key));
  }
  return text;
}

absl::StatusOr<std::vector<Node>> Node::Array(absl::string_view key) const {
  STEER_ASSIGN_OR_RETURN(Node field, Field(key));
  if (!field.value().is_array()) return field.Error("not an array");
  std::vector<Node> nodes;
  for (size_t i = 0; i < field.value().size(); ++i) {
    nodes.emplace_back(field.value()[i], absl::StrCat(field.path(), "[", i, "]"));
  }
  return nodes;
}

}  // namespace steer::tok
