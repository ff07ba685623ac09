// Reads config.json key by key: every number has a range, every key must be claimed by somebody,
// and all problems come in one error. No torch.
#ifndef STEER_SERVER_MODEL_CONFIG_READER_H_
#define STEER_SERVER_MODEL_CONFIG_READER_H_

#include <cstdint>
#include <initializer_list>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "common/json.h"

namespace steer {

// Over one JSON object. A key that is null counts as absent unless IsNull is asked. Not
// thread-safe.
class ConfigReader {
 public:
  // `prefix` is put before keys in errors ("rope_parameters."). The object and `problems` outlive
  // the reader.
  ConfigReader(const Json& object, std::string prefix, std::vector<std::string>* problems);

  bool Has(absl::string_view key) const;
  // Present and null: where transformers has another default than None, that is not the same as
  // absent.
  bool IsNull(absl::string_view key) const;
  // Without a default the key is required. A wrong type or a value outside [low, high] is a
  // problem, and `low` is returned.
  int64_t Int(absl::string_view key, int64_t low, int64_t high,
              absl::optional<int64_t> otherwise = absl::nullopt);
  double Number(absl::string_view key, double low, double high,
                absl::optional<double> otherwise = absl::nullopt);
  bool Bool(absl::string_view key, bool otherwise);
  std::string String(absl::string_view key, absl::string_view otherwise);
  // Empty if the key is absent.
  std::vector<std::string> Strings(absl::string_view key);
  // Null if the key is absent or no object.
  const Json* Object(absl::string_view key);

  // The key, if present, must have this value.
  void RequireFalse(absl::string_view key);
  void RequireNumber(absl::string_view key, double value);
  // Keys that do not change the forward pass.
  void Ignore(std::initializer_list<absl::string_view> keys);
  // A problem that a caller found: "<key> = <value>: <what>".
  void Problem(absl::string_view key, absl::string_view what);
  // Reports every key that nobody has claimed, private ones (with a leading underscore) aside.
  void RefuseTheRest();
  std::vector<std::string>* problems() const { return problems_; }

 private:
  const Json* Find(absl::string_view key);

  const Json& object_;
  const std::string prefix_;
  std::vector<std::string>* const problems_;
  std::set<std::string> claimed_;
};

}  // namespace steer

#endif  // STEER_SERVER_MODEL_CONFIG_READER_H_
