// JSON with the checks that nlohmann::json leaves out: depth, duplicate keys, non-finite numbers.
// Its exceptions stay inside.
#ifndef STEER_COMMON_JSON_H_
#define STEER_COMMON_JSON_H_

#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "nlohmann/json.hpp"

namespace steer {

// Objects iterate in sorted key order.
using Json = nlohmann::json;
// Objects keep the file's order (vocabularies, templates' tojson).
using OrderedJson = nlohmann::ordered_json;

inline constexpr int kMaxJsonDepth = 64;

// INVALID_ARGUMENT naming the line and what is wrong: syntax, a duplicate key, depth over
// kMaxJsonDepth, a number that is not finite, trailing text, invalid UTF-8.
absl::StatusOr<Json> ParseJson(absl::string_view text);
absl::StatusOr<OrderedJson> ParseOrderedJson(absl::string_view text);
// Errors are prefixed with the path; NOT_FOUND if there is no such file.
absl::StatusOr<Json> ReadJsonFile(const std::string& path);

// The one byte sequence of a value: sorted keys, no spaces, shortest float that reads back,
// integers as integers. INVALID_ARGUMENT for a non-finite number (which JSON cannot carry) or text
// that is not UTF-8.
absl::StatusOr<std::string> CanonicalJson(const Json& value);

// Typed access with an error that names the key; `where` is the path shown ("config.json").
absl::StatusOr<int64_t> JsonInt(const Json& object, absl::string_view key, absl::string_view where);
absl::StatusOr<double> JsonNumber(const Json& object, absl::string_view key,
                                  absl::string_view where);
absl::StatusOr<bool> JsonBool(const Json& object, absl::string_view key, absl::string_view where);
absl::StatusOr<std::string> JsonString(const Json& object, absl::string_view key,
                                       absl::string_view where);

}  // namespace steer

#endif  // STEER_COMMON_JSON_H_
