#include "server/tokenizer/jinja/arguments.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/status_macros.h"
#include "server/tokenizer/jinja/compare.h"

namespace steer::jinja {
namespace {

struct ParameterList {
  std::vector<std::string> names;
  size_t required = 0;
  bool by_name = true;
};

ParameterList ParseParameters(absl::string_view text) {
  ParameterList list;
  if (!text.empty() && text[0] == '/') {
    list.by_name = false;
    text.remove_prefix(1);
  }
  for (absl::string_view word : absl::StrSplit(text, ' ', absl::SkipEmpty())) {
    const bool optional = word.back() == '?';
    if (optional) word.remove_suffix(1);
    if (!optional) ++list.required;
    list.names.emplace_back(word);
  }
  return list;
}

}  // namespace

absl::Status CheckShape(const Signature& signature, const CallShape& shape) {
  if (absl::string_view(signature.parameters) == "...") return absl::OkStatus();
  const ParameterList list = ParseParameters(signature.parameters);
  if (shape.positional > list.names.size()) {
    return Fail(absl::StrCat(signature.name, " takes at most ", list.names.size(),
                             " argument(s), not ", shape.positional));
  }
  std::vector<bool> given(list.names.size());
  std::fill_n(given.begin(), shape.positional, true);
  for (const std::string& name : shape.named) {
    auto it = std::find(list.names.begin(), list.names.end(), name);
    if (it == list.names.end() || !list.by_name) {
      return Fail(absl::StrCat(signature.name, " has no argument named '", name, "'"));
    }
    const size_t at = static_cast<size_t>(it - list.names.begin());
    if (given[at]) return Fail(absl::StrCat(signature.name, " gets two values for '", name, "'"));
    given[at] = true;
  }
  for (size_t i = 0; i < list.required; ++i) {
    if (!given[i])
      return Fail(absl::StrCat(signature.name, " needs the argument '", list.names[i], "'"));
  }
  return absl::OkStatus();
}

absl::StatusOr<Bound> Bound::Bind(const Signature& signature, const Arguments& arguments) {
  CallShape shape;
  shape.positional = arguments.positional.size();
  for (const auto& named : arguments.named) shape.named.push_back(named.first);
  STEER_RETURN_IF_ERROR(CheckShape(signature, shape));
  const ParameterList list = ParseParameters(signature.parameters);
  Bound bound;
  bound.name_ = signature.name;
  bound.values_.resize(list.names.size());
  for (size_t i = 0; i < arguments.positional.size(); ++i)
    bound.values_[i] = arguments.positional[i];
  for (const auto& [name, value] : arguments.named) {
    bound.values_[static_cast<size_t>(std::find(list.names.begin(), list.names.end(), name) -
                                      list.names.begin())] = value;
  }
  return bound;
}

bool Bound::truth(size_t i, bool otherwise) const { return has(i) ? IsTrue(at(i)) : otherwise; }

absl::StatusOr<int64_t> Bound::integer(size_t i, int64_t otherwise) const {
  if (!has(i)) return otherwise;
  if (at(i).is_undefined()) return UndefinedError(at(i));
  if (!at(i).is_integral()) {
    return Fail(
        absl::StrCat(name_, " needs an integer, not a value of type '", TypeName(at(i)), "'"));
  }
  return at(i).integer();
}

absl::StatusOr<std::string> Bound::text(size_t i) const {
  if (!at(i).is_string()) {
    return Fail(
        absl::StrCat(name_, " needs a string, not a value of type '", TypeName(at(i)), "'"));
  }
  return at(i).text();
}

absl::Status ChargeTexts(const Value& receiver, const Arguments& arguments, Budget& budget) {
  size_t bytes = 0;
  auto add = [&bytes](const Value& value) {
    if (value.is_string()) bytes += value.text().size();
  };
  add(receiver);
  for (const Value& value : arguments.positional) add(value);
  for (const auto& [name, value] : arguments.named) add(value);
  return budget.Bytes(bytes);
}

}  // namespace steer::jinja
