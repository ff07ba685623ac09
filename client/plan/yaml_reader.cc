#include "client/plan/yaml_reader.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"

namespace steer {
namespace {

// Tags that yaml-cpp gives to scalars without one: plain and quoted.
constexpr char kPlainTag[] = "?";
constexpr char kQuotedTag[] = "!";
// As much of a key or value as an error quotes.
constexpr size_t kShown = 60;

bool IsPlain(const YAML::Node& node) { return node.IsScalar() && node.Tag() == kPlainTag; }

std::string Shown(const std::string& text) {
  return text.size() <= kShown ? absl::StrCat("\"", text, "\"")
                               : absl::StrCat("\"", text.substr(0, kShown), "...\"");
}

std::string KindOf(const YAML::Node& node) {
  switch (node.Type()) {
    case YAML::NodeType::Map:
      return "a mapping";
    case YAML::NodeType::Sequence:
      return "a list";
    case YAML::NodeType::Scalar:
      return Shown(node.Scalar());
    default:
      return "nothing";
  }
}

// No sign but a minus, no blank, no other base: what absl::SimpleAtoi takes beyond these.
bool IsDecimal(absl::string_view text) {
  absl::ConsumePrefix(&text, "-");
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return absl::ascii_isdigit(static_cast<unsigned char>(c)); });
}

}  // namespace

void YamlProblems::Add(const YAML::Mark& mark, absl::string_view path, absl::string_view problem) {
  violations.Add(absl::StrCat(name, ":", std::max(mark.line, 0) + 1), path,
                 path.empty() ? "" : ": ", problem);
}

YamlMap::YamlMap(const YAML::Node& node, std::string path, YamlProblems* problems)
    : node_(node), path_(std::move(path)), problems_(problems) {
  if (!node_.IsDefined()) return;
  if (!node_.IsMap()) {
    problems_->Add(node_.Mark(), path_,
                   absl::StrCat("wants a mapping of keys, has ", KindOf(node_)));
    return;
  }
  std::set<std::string> seen;
  for (const auto& entry : node_) {
    if (!entry.first.IsScalar()) {
      problems_->Add(entry.first.Mark(), path_,
                     absl::StrCat("a key must be a word, this is ", KindOf(entry.first)));
    } else if (!seen.insert(entry.first.Scalar()).second) {
      problems_->Add(entry.first.Mark(), Path(entry.first.Scalar()), "this key occurs twice");
    }
  }
}

std::string YamlMap::Path(absl::string_view key) const {
  return path_.empty() ? std::string(key) : absl::StrCat(path_, ".", key);
}

YAML::Node YamlMap::Find(absl::string_view key) {
  known_.emplace(key);
  if (node_.IsDefined() && node_.IsMap()) {
    for (const auto& entry : node_) {
      if (entry.first.IsScalar() && entry.first.Scalar() == key) return entry.second;
    }
  }
  return YAML::Node(YAML::NodeType::Undefined);
}

bool YamlMap::Has(absl::string_view key) { return Find(key).IsDefined(); }

YAML::Mark YamlMap::KeyMark(absl::string_view key) const {
  if (!node_.IsDefined()) return YAML::Mark();
  if (node_.IsMap()) {
    for (const auto& entry : node_) {
      if (entry.first.IsScalar() && entry.first.Scalar() == key) return entry.first.Mark();
    }
  }
  return node_.Mark();
}

void YamlMap::Add(absl::string_view key, absl::string_view problem) {
  known_.emplace(key);
  problems_->Add(KeyMark(key), Path(key), problem);
}

absl::optional<std::string> YamlMap::Scalar(absl::string_view key, bool required) {
  const YAML::Node value = Find(key);
  if (!value.IsDefined()) {
    // A mapping that is itself absent or no mapping has been recorded once already.
    if (required && node_.IsDefined() && node_.IsMap()) Add(key, "is missing");
    return absl::nullopt;
  }
  if (!value.IsScalar()) {
    Add(key, absl::StrCat("wants one value, has ", KindOf(value)));
    return absl::nullopt;
  }
  return value.Scalar();
}

std::string YamlMap::String(absl::string_view key, absl::string_view fallback) {
  return Scalar(key, false).value_or(std::string(fallback));
}

std::string YamlMap::RequiredString(absl::string_view key) {
  const absl::optional<std::string> value = Scalar(key, true);
  if (value && value->empty()) Add(key, "is empty");
  return value.value_or("");
}

std::string YamlMap::Choice(absl::string_view key, absl::Span<const absl::string_view> known,
                            bool required, absl::string_view fallback) {
  const absl::optional<std::string> value = Scalar(key, required);
  if (!value) return std::string(fallback);
  if (std::find(known.begin(), known.end(), *value) == known.end()) {
    Add(key, absl::StrCat("wants ", absl::StrJoin(known, " or "), ", has ", Shown(*value)));
    return std::string(fallback);
  }
  return *value;
}

bool YamlMap::Bool(absl::string_view key, bool fallback) {
  if (!Scalar(key, false)) return fallback;
  const YAML::Node value = Find(key);
  if (IsPlain(value) && (value.Scalar() == "true" || value.Scalar() == "false"))
    return value.Scalar() == "true";
  Add(key, absl::StrCat("wants true or false, has ", KindOf(value)));
  return fallback;
}

bool YamlMap::ParseInt(const YAML::Node& node, absl::string_view path, int64_t low, int64_t high,
                       int64_t* value) {
  if (!IsPlain(node) || !IsDecimal(node.Scalar()) || !absl::SimpleAtoi(node.Scalar(), value)) {
    problems_->Add(node.Mark(), path, absl::StrCat("wants a whole number, has ", KindOf(node)));
    return false;
  }
  if (*value < low || *value > high) {
    problems_->Add(node.Mark(), path,
                   absl::StrCat("must lie between ", low, " and ", high, ", is ", *value));
    return false;
  }
  return true;
}

int64_t YamlMap::Int(absl::string_view key, int64_t low, int64_t high, bool required,
                     int64_t fallback) {
  if (!Scalar(key, required)) return fallback;
  int64_t value = 0;
  return ParseInt(Find(key), Path(key), low, high, &value) ? value : fallback;
}

double YamlMap::Number(absl::string_view key, double low, double high, double fallback) {
  if (!Scalar(key, false)) return fallback;
  const YAML::Node node = Find(key);
  double value = 0;
  if (!IsPlain(node) || !absl::SimpleAtod(node.Scalar(), &value) || !std::isfinite(value)) {
    Add(key, absl::StrCat("wants a number, has ", KindOf(node)));
    return fallback;
  }
  if (value < low || value > high) {
    Add(key, absl::StrCat("must lie between ", low, " and ", high, ", is ", value));
    return fallback;
  }
  return value;
}

std::vector<int64_t> YamlMap::Ints(absl::string_view key, int64_t low, int64_t high, size_t least,
                                   size_t most) {
  std::vector<int64_t> values;
  const YAML::Node list = Find(key);
  if (!list.IsDefined()) return values;
  if (!list.IsSequence()) {
    Add(key, absl::StrCat("wants a list of whole numbers, has ", KindOf(list)));
    return values;
  }
  if (list.size() < least || list.size() > most) {
    Add(key, absl::StrCat("wants ", least, " to ", most, " entries, has ", list.size()));
    return values;
  }
  for (const auto& entry : list) {
    int64_t value = 0;
    if (!ParseInt(entry, Path(key), low, high, &value)) continue;
    if (std::find(values.begin(), values.end(), value) != values.end()) {
      problems_->Add(entry.Mark(), Path(key), absl::StrCat(value, " occurs twice"));
      continue;
    }
    values.push_back(value);
  }
  return values;
}

YamlMap YamlMap::Map(absl::string_view key, bool required) {
  const YAML::Node value = Find(key);
  if (!value.IsDefined() && required && node_.IsDefined() && node_.IsMap()) Add(key, "is missing");
  if (value.IsDefined() && !value.IsMap()) {
    Add(key, absl::StrCat("wants a mapping of keys, has ", KindOf(value)));
    return YamlMap(YAML::Node(YAML::NodeType::Undefined), Path(key), problems_);
  }
  return YamlMap(value, Path(key), problems_);
}

std::vector<YamlMap> YamlMap::Maps(absl::string_view key, size_t most) {
  std::vector<YamlMap> maps;
  const YAML::Node list = Find(key);
  if (!list.IsDefined()) return maps;
  if (!list.IsSequence() || list.size() > most) {
    Add(key, absl::StrCat("wants a list of at most ", most, " mappings, has ", KindOf(list)));
    return maps;
  }
  for (const auto& entry : list) {
    maps.emplace_back(entry, absl::StrCat(Path(key), "[", maps.size(), "]"), problems_);
  }
  return maps;
}

bool YamlMap::IsWord(absl::string_view key, absl::string_view word) {
  const YAML::Node value = Find(key);
  return value.IsDefined() && value.IsScalar() && value.Scalar() == word &&
         (value.Tag() == kPlainTag || value.Tag() == kQuotedTag);
}

void YamlMap::Finish() {
  if (!node_.IsDefined() || !node_.IsMap()) return;
  std::set<std::string> reported;
  for (const auto& entry : node_) {
    if (!entry.first.IsScalar()) continue;
    const std::string& key = entry.first.Scalar();
    if (known_.count(key) > 0 || !reported.insert(key).second) continue;
    problems_->Add(
        entry.first.Mark(), path_,
        absl::StrCat("unknown key ", Shown(key), "; known here: ", absl::StrJoin(known_, ", ")));
  }
}

}  // namespace steer
