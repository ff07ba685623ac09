// Reads YAML mappings strictly and collects every problem with its line. Private to client/plan.
#ifndef STEER_CLIENT_PLAN_YAML_READER_H_
#define STEER_CLIENT_PLAN_YAML_READER_H_

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "absl/types/span.h"
#include "common/errors.h"
#include "yaml-cpp/yaml.h"

namespace steer {

// What all mappings of one file share. Violations get the field "<name>:<line>".
struct YamlProblems {
  explicit YamlProblems(absl::string_view file) : name(file) {}
  void Add(const YAML::Mark& mark, absl::string_view path, absl::string_view problem);
  std::string name;
  ViolationList violations;
};

// One mapping. Getters record a problem and return their fallback where the value is wrong; a key
// that is absent is a problem for Required getters only. Call Finish when all keys have been asked
// for.
class YamlMap {
 public:
  // Repeated and non-scalar keys are recorded here. A node that is no mapping is recorded and reads
  // as empty.
  YamlMap(const YAML::Node& node, std::string path, YamlProblems* problems);

  bool Has(absl::string_view key);
  // Records a problem at the key's line (at the mapping's if absent).
  void Add(absl::string_view key, absl::string_view problem);

  std::string String(absl::string_view key, absl::string_view fallback = "");
  std::string RequiredString(absl::string_view key);
  // One of `known`.
  std::string Choice(absl::string_view key, absl::Span<const absl::string_view> known,
                     bool required, absl::string_view fallback);
  bool Bool(absl::string_view key, bool fallback);
  int64_t Int(absl::string_view key, int64_t low, int64_t high, bool required, int64_t fallback);
  double Number(absl::string_view key, double low, double high, double fallback);
  // A list of distinct integers, in the file's order.
  std::vector<int64_t> Ints(absl::string_view key, int64_t low, int64_t high, size_t least,
                            size_t most);
  YamlMap Map(absl::string_view key, bool required);
  // A list of mappings; empty if absent.
  std::vector<YamlMap> Maps(absl::string_view key, size_t most);
  // True if the value is the plain or quoted scalar `word`.
  bool IsWord(absl::string_view key, absl::string_view word);

  // Records every key that nobody asked for.
  void Finish();

 private:
  // The value under `key`; an undefined node if absent. Marks the key as known.
  YAML::Node Find(absl::string_view key);
  // Where the key stands: an empty value has no place of its own. The mapping's place if absent.
  YAML::Mark KeyMark(absl::string_view key) const;
  absl::optional<std::string> Scalar(absl::string_view key, bool required);
  bool ParseInt(const YAML::Node& node, absl::string_view path, int64_t low, int64_t high,
                int64_t* value);
  std::string Path(absl::string_view key) const;

  YAML::Node node_;
  std::string path_;
  YamlProblems* problems_;
  std::set<std::string> known_;
};

}  // namespace steer

#endif  // STEER_CLIENT_PLAN_YAML_READER_H_
