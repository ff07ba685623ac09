#include "server/model/config_reader.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace steer {
namespace {

// The value for an error message, short and printable whatever it holds.
std::string Shown(const Json& value) {
  std::string text = value.dump(-1, ' ', true, Json::error_handler_t::replace);
  return text.size() <= 80 ? text : absl::StrCat(text.substr(0, 77), "...");
}

}  // namespace

ConfigReader::ConfigReader(const Json& object, std::string prefix,
                           std::vector<std::string>* problems)
    : object_(object), prefix_(std::move(prefix)), problems_(problems) {}

const Json* ConfigReader::Find(absl::string_view key) {
  claimed_.emplace(key);
  auto it = object_.find(std::string(key));
  return it == object_.end() || it->is_null() ? nullptr : &*it;
}

bool ConfigReader::Has(absl::string_view key) const {
  auto it = object_.find(std::string(key));
  return it != object_.end() && !it->is_null();
}

bool ConfigReader::IsNull(absl::string_view key) const {
  auto it = object_.find(std::string(key));
  return it != object_.end() && it->is_null();
}

int64_t ConfigReader::Int(absl::string_view key, int64_t low, int64_t high,
                          absl::optional<int64_t> otherwise) {
  const Json* value = Find(key);
  if (value == nullptr) {
    if (!otherwise.has_value()) Problem(key, "is required");
    return otherwise.value_or(low);
  }
  const bool fits = value->is_number_integer() &&
                    !(value->is_number_unsigned() && value->get<uint64_t>() > INT64_MAX);
  if (!fits || value->get<int64_t>() < low || value->get<int64_t>() > high) {
    Problem(key, absl::StrCat("must be an integer in [", low, ", ", high, "]"));
    return low;
  }
  return value->get<int64_t>();
}

double ConfigReader::Number(absl::string_view key, double low, double high,
                            absl::optional<double> otherwise) {
  const Json* value = Find(key);
  if (value == nullptr) {
    if (!otherwise.has_value()) Problem(key, "is required");
    return otherwise.value_or(low);
  }
  if (!value->is_number() || !(value->get<double>() >= low && value->get<double>() <= high)) {
    Problem(key, absl::StrCat("must be a number in [", low, ", ", high, "]"));
    return low;
  }
  return value->get<double>();
}

bool ConfigReader::Bool(absl::string_view key, bool otherwise) {
  const Json* value = Find(key);
  if (value == nullptr) return otherwise;
  if (!value->is_boolean()) {
    Problem(key, "must be true or false");
    return otherwise;
  }
  return value->get<bool>();
}

std::string ConfigReader::String(absl::string_view key, absl::string_view otherwise) {
  const Json* value = Find(key);
  if (value == nullptr) return std::string(otherwise);
  if (!value->is_string()) {
    Problem(key, "must be a string");
    return std::string(otherwise);
  }
  return value->get<std::string>();
}

std::vector<std::string> ConfigReader::Strings(absl::string_view key) {
  std::vector<std::string> strings;
  const Json* value = Find(key);
  if (value == nullptr) return strings;
  bool good = value->is_array();
  for (size_t i = 0; good && i < value->size(); ++i) {
    good = (*value)[i].is_string();
    if (good) strings.push_back((*value)[i].get<std::string>());
  }
  if (!good) Problem(key, "must be an array of strings");
  return strings;
}

const Json* ConfigReader::Object(absl::string_view key) {
  const Json* value = Find(key);
  if (value == nullptr || value->is_object()) return value;
  Problem(key, "must be an object");
  return nullptr;
}

void ConfigReader::RequireFalse(absl::string_view key) {
  if (Bool(key, false)) Problem(key, "only false is built here");
}

void ConfigReader::RequireNumber(absl::string_view key, double value) {
  const Json* found = Find(key);
  if (found != nullptr && !(found->is_number() && found->get<double>() == value)) {
    Problem(key, absl::StrCat("only ", value, " is built here"));
  }
}

void ConfigReader::Ignore(std::initializer_list<absl::string_view> keys) {
  for (absl::string_view key : keys) claimed_.emplace(key);
}

void ConfigReader::Problem(absl::string_view key, absl::string_view what) {
  auto it = object_.find(std::string(key));
  problems_->push_back(absl::StrCat("\"", prefix_, key.substr(0, 80), "\"",
                                    it == object_.end() ? "" : absl::StrCat(" = ", Shown(*it)),
                                    ": ", what));
}

void ConfigReader::RefuseTheRest() {
  for (const auto& [key, value] : object_.items()) {
    // A leading underscore marks what transformers notes for itself (_name_or_path and the like).
    if (claimed_.count(key) == 0 && !value.is_null() && key[0] != '_') {
      Problem(key, "is not understood here and might change the forward pass");
    }
  }
}

}  // namespace steer
