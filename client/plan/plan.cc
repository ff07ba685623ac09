#include "client/plan/plan.h"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <limits>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/types/span.h"
#include "client/plan/yaml_documents.h"
#include "client/plan/yaml_reader.h"
#include "client/stats/decision.h"
#include "client/stats/selection.h"
#include "common/digest.h"
#include "common/files.h"
#include "common/status_macros.h"
#include "common/utf8.h"

namespace steer {
namespace {

// JSON carries whole numbers exactly up to here.
constexpr int64_t kMaxSeed = (int64_t{1} << 53) - 1;
constexpr int64_t kMaxSplit = 1000000;
constexpr int64_t kMaxCharacters = kMaxPromptBytes;
constexpr size_t kMaxSeeds = 64;
constexpr size_t kMaxPositions = 64;
constexpr size_t kMaxLayers = 4096;
constexpr size_t kMaxFilters = 64;
constexpr int64_t kMaxInt = std::numeric_limits<int32_t>::max();

// Names that end up in folders, arms and labels. Not of an empty text.
bool IsName(absl::string_view text) {
  return text.size() <= 64 && text[0] != '.' && text[0] != '-' &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' ||
                  c == '-';
         });
}

std::string NameField(YamlMap& map, absl::string_view key) {
  const std::string name = map.RequiredString(key);
  if (!name.empty() && !IsName(name)) {
    map.Add(key,
            "wants 1 to 64 of letters, digits, '.', '_' and '-', the first a letter, digit or '_'");
  }
  return name;
}

std::vector<int> ToInts(const std::vector<int64_t>& values) {
  return {values.begin(), values.end()};
}

void ReadFilters(YamlMap& map, PromptSource* source) {
  for (YamlMap& entry : map.Maps("filters", kMaxFilters)) {
    FieldFilter filter;
    const bool csv = source->format == PromptFormat::kCsv;
    filter.field = entry.RequiredString(csv ? "column" : "key");
    const bool equals = entry.Has("equals");
    if (equals == entry.Has("differs")) {
      entry.Add("equals", "a filter has either equals or differs");
    } else {
      filter.equal = equals;
      filter.value = entry.String(equals ? "equals" : "differs");
    }
    entry.Finish();
    source->filters.push_back(std::move(filter));
  }
}

PromptSource ReadSource(YamlMap map) {
  static constexpr absl::string_view kFormats[] = {"csv", "json", "jsonl", "text"};
  PromptSource source;
  source.file = map.RequiredString("file");
  if (!source.file.empty() && source.file[0] == '/') {
    map.Add("file",
            "wants a path relative to the data root (the plan's folder, or --data-root): a lock "
            "must hold on other machines");
  }
  if (source.file.find('\0') != std::string::npos) map.Add("file", "holds a NUL character");
  const std::vector<absl::string_view> parts = absl::StrSplit(source.file, '/');
  // What a plan from elsewhere names is sent to the server as prompts.
  if (std::count(parts.begin(), parts.end(), "..") > 0)
    map.Add("file", "leads out of the data root: \"..\" is not taken");
  source.format = ParsePromptFormat(map.Choice("format", kFormats, true, "text")).value();
  if (source.format == PromptFormat::kCsv) {
    source.field = map.RequiredString("column");
  } else if (source.format != PromptFormat::kText) {
    source.field = map.String("key");
    if (map.Has("key") && source.field.empty())
      map.Add("key", "is empty; leave it out for strings");
  }
  if (source.field.empty() && source.format != PromptFormat::kCsv && map.Has("filters")) {
    map.Add("filters", "prompts without columns or keys cannot be filtered by one");
  } else {
    ReadFilters(map, &source);
  }
  source.min_characters = map.Int("min_characters", 1, kMaxCharacters, false, 1);
  source.max_characters = map.Int("max_characters", 1, kMaxCharacters, false, 0);
  if (source.max_characters != 0 && source.max_characters < source.min_characters) {
    map.Add("max_characters", "is below min_characters");
  }
  map.Finish();
  return source;
}

void ReadModel(YamlMap map, Plan* plan) {
  static constexpr absl::string_view kTypes[] = {"float32", "bfloat16"};
  plan->model_name = map.RequiredString("name");
  plan->dtype = map.Choice("dtype", kTypes, true, "");
  plan->model_fingerprint = map.String("fingerprint");
  if (map.Has("fingerprint") && !IsSha256Hex(plan->model_fingerprint)) {
    map.Add("fingerprint", "wants 64 lower-case hex digits, as `steerctl model` shows");
  }
  map.Finish();
}

void ReadPrompt(YamlMap map, Plan* plan) {
  if (map.Has("system")) {
    plan->system = map.String("system");
    if (static_cast<int64_t>(plan->system->size()) > kMaxPromptBytes) {
      map.Add("system", absl::StrCat("is longer than ", kMaxPromptBytes, " bytes"));
    }
    if (plan->system->find('\0') != std::string::npos) map.Add("system", "holds a NUL character");
  }
  map.Finish();
}

void ReadFit(YamlMap map, Plan* plan) {
  static constexpr absl::string_view kMethods[] = {"difference-of-means"};
  plan->fit_method = map.Choice("method", kMethods, false, plan->fit_method);
  if (map.Has("positions")) {
    const std::vector<int> positions =
        ToInts(map.Ints("positions", -kMaxInt, -1, 1, kMaxPositions));
    // After a mistake the default stands in, so that selection.position is not reported as well.
    if (!positions.empty()) plan->positions = positions;
    std::sort(plan->positions.begin(), plan->positions.end(), std::greater<>());
  }
  plan->keep_states = map.Bool("keep_states", plan->keep_states);
  map.Finish();
}

void ReadSelection(YamlMap map, Plan* plan) {
  // Not constexpr: under the sanitizers an inline variable's address is no constant expression.
  static const absl::string_view kRules[] = {kLargestSwing};
  plan->selection_rule = map.Choice("rule", kRules, false, plan->selection_rule);
  plan->selection_position = static_cast<int>(map.Int("position", -kMaxInt, -1, false, -1));
  if (std::count(plan->positions.begin(), plan->positions.end(), plan->selection_position) == 0) {
    map.Add("position", absl::StrCat(plan->selection_position, " is none of fit.positions"));
  }
  if (map.Has("layers") && !map.IsWord("layers", "all")) {
    // Layer 0 reads the embedding, where both classes end in the same template token: no candidate.
    std::vector<int> layers = ToInts(map.Ints("layers", 1, kMaxInt, 1, kMaxLayers));
    std::sort(layers.begin(), layers.end());
    plan->layers = std::move(layers);
  }
  map.Finish();
}

void ReadReadout(YamlMap map, Plan* plan) {
  plan->readout = NameField(map, "name");
  plan->quality = map.Bool("quality", false);
  plan->scores = map.Bool("scores", false);
  plan->refusal_token_ids = ToInts(map.Ints("refusal_token_ids", 0, kMaxInt, 0, 4096));
  std::sort(plan->refusal_token_ids.begin(), plan->refusal_token_ids.end());
  if (!plan->refusal_token_ids.empty() && !plan->scores) {
    map.Add("refusal_token_ids", "has no effect without scores: true");
  }
  map.Finish();
}

void ReadDecoding(YamlMap map, Plan* plan) {
  plan->max_new_tokens = static_cast<int>(map.Int("max_new_tokens", 1, kMaxInt, true, 1));
  plan->repetition_penalty = map.Number("repetition_penalty", 1.0, 2.0, 1.0);
  map.Finish();
}

void ReadControls(YamlMap map, Plan* plan) {
  plan->control_family = NameField(map, "family");
  plan->control_seed = static_cast<uint64_t>(map.Int("seed", 0, kMaxSeed, true, 0));
  plan->control_draws = static_cast<int>(map.Int("draws", 1, 10000, false, 1));
  map.Finish();
}

Plan ReadPlan(const YAML::Node& root, YamlProblems* problems) {
  // Not constexpr: under the sanitizers an inline variable's address is no constant expression.
  static const absl::string_view kRules[] = {kPostRule};
  Plan plan;
  YamlMap map(root, "", problems);
  map.Int("version", 1, 1, true, 1);
  plan.name = NameField(map, "name");
  ReadModel(map.Map("model", true), &plan);
  ReadPrompt(map.Map("prompt", false), &plan);
  YamlMap data = map.Map("data", true);
  plan.harmful = ReadSource(data.Map("harmful", true));
  plan.harmless = ReadSource(data.Map("harmless", true));
  data.Finish();
  YamlMap splits = map.Map("splits", true);
  plan.sizes.train = splits.Int("train", 2, kMaxSplit, true, 2);
  plan.sizes.validation = splits.Int("validation", 1, kMaxSplit, true, 1);
  plan.sizes.test = splits.Int("test", 1, kMaxSplit, true, 1);
  splits.Finish();
  if (!map.Has("seeds")) map.Add("seeds", "is missing");
  for (int64_t seed : map.Ints("seeds", 0, kMaxSeed, 1, kMaxSeeds))
    plan.seeds.push_back(static_cast<uint64_t>(seed));
  ReadFit(map.Map("fit", false), &plan);
  ReadSelection(map.Map("selection", false), &plan);
  ReadReadout(map.Map("readout", true), &plan);
  ReadDecoding(map.Map("decoding", true), &plan);
  ReadControls(map.Map("controls", true), &plan);
  plan.rule = map.Choice("rule", kRules, true, "");
  map.Finish();
  return plan;
}

}  // namespace

absl::StatusOr<Plan> ParsePlan(absl::string_view yaml, absl::string_view name) {
  YamlProblems problems(name);
  if (static_cast<int64_t>(yaml.size()) > kMaxPlanBytes) {
    problems.Add(YAML::Mark(), "", absl::StrCat("a plan has at most ", kMaxPlanBytes, " bytes"));
    return problems.violations.ToStatus();
  }
  const size_t valid = ValidUtf8Prefix(yaml);
  if (valid < yaml.size()) {
    YAML::Mark mark;
    mark.line = static_cast<int>(
        std::count(yaml.begin(), yaml.begin() + static_cast<std::ptrdiff_t>(valid), '\n'));
    problems.Add(mark, "", "not valid UTF-8");
    return problems.violations.ToStatus();
  }
  // yaml-cpp throws; nothing of that leaves this function.
  try {
    const std::string text(yaml);
    if (!CheckOneDocument(text, &problems)) return problems.violations.ToStatus();
    Plan plan = ReadPlan(YAML::Load(text), &problems);
    STEER_RETURN_IF_ERROR(problems.violations.ToStatus());
    return plan;
  } catch (const YAML::Exception& e) {
    problems.Add(e.mark, "", absl::StrCat("not valid YAML: ", e.msg));
  } catch (const std::exception& e) {
    problems.Add(YAML::Mark(), "", absl::StrCat("cannot be read: ", e.what()));
  }
  return problems.violations.ToStatus();
}

absl::StatusOr<Plan> LoadPlan(const std::string& path) {
  STEER_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMaxPlanBytes));
  return ParsePlan(text, path);
}

}  // namespace steer
