// Golden cases of the template tests.
#ifndef STEER_TESTS_SERVER_TOKENIZER_JINJA_GOLDEN_H_
#define STEER_TESTS_SERVER_TOKENIZER_JINJA_GOLDEN_H_

#include <string>
#include <utility>

#include "common/files.h"
#include "common/json.h"
#include "server/tokenizer/jinja/template.h"
#include "tests/support/paths.h"

namespace steer {

inline OrderedJson ReadGolden(const std::string& name) {
  auto text = ReadFile(SourcePath("tests/golden/templates/" + name));
  if (!text.ok()) return OrderedJson();
  return ParseOrderedJson(*text).value_or(OrderedJson());
}

inline jinja::Value ToValue(const OrderedJson& json) {
  using jinja::Value;
  if (json.is_null()) return Value::None();
  if (json.is_boolean()) return Value::Bool(json.get<bool>());
  if (json.is_number_integer()) return Value::Int(json.get<int64_t>());
  if (json.is_number_float()) return Value::Float(json.get<double>());
  if (json.is_string()) return Value::String(json.get<std::string>());
  if (json.is_array()) {
    jinja::Items items;
    for (const auto& item : json) items.push_back(ToValue(item));
    return Value::List(std::move(items));
  }
  jinja::DictItems items;
  for (const auto& [key, item] : json.items())
    items.emplace_back(Value::String(key), ToValue(item));
  return Value::Dict(std::move(items));
}

inline jinja::Variables GoldenContext() {
  jinja::Variables variables;
  const OrderedJson context = ReadGolden("context.json");
  for (const auto& [key, item] : context.items()) variables.emplace_back(key, ToValue(item));
  return variables;
}

}  // namespace steer

#endif  // STEER_TESTS_SERVER_TOKENIZER_JINJA_GOLDEN_H_
