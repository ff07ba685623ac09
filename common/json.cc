#include "common/json.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/files.h"
#include "common/status_macros.h"

namespace steer {
namespace {

// A SAX pass that only checks, so that the tree is built once it is known to be sane: copying or
// printing a value of 200 000 nested arrays overflows the stack.
class Checker : public nlohmann::json_sax<Json> {
 public:
  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  // The parser itself refuses a number beyond double's range, as an error of the text.
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool start_object(std::size_t) override {
    keys_.emplace_back();
    return Enter();
  }
  bool key(string_t& name) override {
    if (keys_.back().insert(name).second) return true;
    return Fail(absl::StrCat("the key \"", name.substr(0, 80), "\" occurs twice in one object"));
  }
  bool end_object() override {
    keys_.pop_back();
    --depth_;
    return true;
  }
  bool start_array(std::size_t) override { return Enter(); }
  bool end_array() override {
    --depth_;
    return true;
  }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception& e) override {
    const std::string what = e.what();
    // "[json.exception.parse_error.101] parse error at line 1, column 2: syntax error ..." -> what
    // follows the bracket
    return Fail(what.substr(what.find("] ") + 2));
  }
  const std::string& problem() const { return problem_; }

 private:
  bool Enter() {
    if (++depth_ <= kMaxJsonDepth) return true;
    return Fail(absl::StrCat("nested deeper than ", kMaxJsonDepth));
  }
  // The parser stops at the first.
  bool Fail(std::string problem) {
    problem_ = std::move(problem);
    return false;
  }
  int depth_ = 0;
  std::vector<std::set<std::string>> keys_;
  std::string problem_;
};

template <typename T>
absl::StatusOr<T> Parse(absl::string_view text) {
  // The parser takes a NUL for the end, and would not look at what follows it.
  if (const size_t at = text.find('\0'); at != absl::string_view::npos) {
    return absl::InvalidArgumentError(absl::StrCat("not valid JSON: a NUL character at byte ", at));
  }
  Checker checker;
  const char* begin = text.data();
  if (!nlohmann::json::sax_parse(begin, begin + text.size(), &checker)) {
    return absl::InvalidArgumentError(
        absl::StrCat("not valid JSON: ", checker.problem().substr(0, 400)));
  }
  T value = T::parse(begin, begin + text.size(), nullptr, false);
  if (value.is_discarded()) return absl::InvalidArgumentError("not valid JSON");
  return value;
}

bool AllFinite(const Json& value) {
  if (value.is_number_float()) return std::isfinite(value.get<double>());
  if (value.is_structured()) return std::all_of(value.begin(), value.end(), AllFinite);
  return true;
}

absl::StatusOr<Json> Field(const Json& object, absl::string_view key, absl::string_view where) {
  if (!object.is_object())
    return absl::InvalidArgumentError(absl::StrCat(where, ": not a JSON object"));
  auto it = object.find(std::string(key));
  if (it == object.end())
    return absl::InvalidArgumentError(absl::StrCat(where, ": \"", key, "\" is missing"));
  return *it;
}

absl::Status WrongType(absl::string_view where, absl::string_view key, absl::string_view wanted) {
  return absl::InvalidArgumentError(absl::StrCat(where, ": \"", key, "\" is not ", wanted));
}

}  // namespace

absl::StatusOr<Json> ParseJson(absl::string_view text) { return Parse<Json>(text); }
absl::StatusOr<OrderedJson> ParseOrderedJson(absl::string_view text) {
  return Parse<OrderedJson>(text);
}

absl::StatusOr<Json> ReadJsonFile(const std::string& path) {
  STEER_ASSIGN_OR_RETURN(std::string text, ReadFile(path));
  auto value = ParseJson(text);
  if (!value.ok()) return Annotate(value.status(), path);
  return value;
}

absl::StatusOr<std::string> CanonicalJson(const Json& value) {
  if (!AllFinite(value)) return absl::InvalidArgumentError("a number is not finite");
  try {
    return value.dump();
  } catch (const nlohmann::detail::exception& e) {
    return absl::InvalidArgumentError(absl::StrCat("cannot be written as JSON: ", e.what()));
  }
}

absl::StatusOr<int64_t> JsonInt(const Json& object, absl::string_view key,
                                absl::string_view where) {
  STEER_ASSIGN_OR_RETURN(Json field, Field(object, key, where));
  if (!field.is_number_integer() ||
      (field.is_number_unsigned() && field.get<uint64_t>() > uint64_t{INT64_MAX})) {
    return WrongType(where, key, "an integer");
  }
  return field.get<int64_t>();
}

absl::StatusOr<double> JsonNumber(const Json& object, absl::string_view key,
                                  absl::string_view where) {
  STEER_ASSIGN_OR_RETURN(Json field, Field(object, key, where));
  if (!field.is_number()) return WrongType(where, key, "a number");
  return field.get<double>();
}

absl::StatusOr<bool> JsonBool(const Json& object, absl::string_view key, absl::string_view where) {
  STEER_ASSIGN_OR_RETURN(Json field, Field(object, key, where));
  if (!field.is_boolean()) return WrongType(where, key, "true or false");
  return field.get<bool>();
}

absl::StatusOr<std::string> JsonString(const Json& object, absl::string_view key,
                                       absl::string_view where) {
  STEER_ASSIGN_OR_RETURN(Json field, Field(object, key, where));
  if (!field.is_string()) return WrongType(where, key, "a string");
  return field.get<std::string>();
}

}  // namespace steer
