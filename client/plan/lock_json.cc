#include "client/plan/lock_json.h"

#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/plan/show.h"
#include "client/stats/decision.h"
#include "client/stats/selection.h"
#include "common/digest.h"
#include "common/errors.h"
#include "common/prompt_form.h"
#include "common/status_macros.h"

namespace steer {
namespace {

// More than any model has. A list of candidate layers is made from the number, so it is checked before.
constexpr int64_t kMaxModelLayers = 4096;

Json FileJson(const LockedFile& file) {
  return {{"sha256", file.sha256},  {"bytes", file.bytes},       {"rows", file.rows},
          {"blank", file.blank},    {"filtered", file.filtered}, {"duplicates", file.duplicates},
          {"in_both", file.in_both}};
}

Json ArmJson(const ArmSpec& arm, const Plan& plan) {
  Json json = {{"name", arm.name},
               {"prompts", std::string(PromptClassName(arm.prompts))},
               {"edit", std::string(EditKindName(arm.edit))}};
  if (arm.edit == EditKind::kAdd) json["coefficient"] = kAdditionCoefficient;
  if (arm.control_draw.has_value()) {
    json["control"] = {{"family", plan.control_family}, {"draw", *arm.control_draw}};
  }
  return json;
}

// A member by path; null if absent, so that the round trip below reports it.
const Json& At(const Json& json, const std::string& pointer) {
  static const Json null;
  const Json::json_pointer path(pointer);
  return json.contains(path) ? json.at(path) : null;
}

std::string TextAt(const Json& json, const std::string& pointer) {
  const Json& value = At(json, pointer);
  return value.is_string() ? value.get<std::string>() : std::string();
}

int64_t NumberAt(const Json& json, const std::string& pointer) {
  const Json& value = At(json, pointer);
  return value.is_number_integer() ? value.get<int64_t>() : -1;
}

LockedFile FileFrom(const Json& content, const std::string& pointer) {
  LockedFile file;
  file.sha256 = TextAt(content, pointer + "/sha256");
  file.bytes = NumberAt(content, pointer + "/bytes");
  file.rows = NumberAt(content, pointer + "/rows");
  file.blank = NumberAt(content, pointer + "/blank");
  file.filtered = NumberAt(content, pointer + "/filtered");
  file.duplicates = NumberAt(content, pointer + "/duplicates");
  file.in_both = NumberAt(content, pointer + "/in_both");
  return file;
}

SeedSplits SplitsFrom(const Json& json, uint64_t seed) {
  SeedSplits splits;
  splits.seed = seed;
  for (PromptClass prompt_class : {PromptClass::kHarmful, PromptClass::kHarmless}) {
    for (SplitPart part : kSplitParts) {
      const Json& rows = At(json, absl::StrCat("/", seed, "/", PromptClassName(prompt_class), "/",
                                               SplitPartName(part)));
      if (!rows.is_array()) continue;
      for (size_t i = 0; i < rows.size(); ++i) {
        splits.of(prompt_class)
            .of(part)
            .push_back({NumberAt(rows[i], "/0"), TextAt(rows[i], "/1"), ""});
      }
    }
  }
  return splits;
}

// Sizes as planned, hashes that are hashes, and none twice within a class or in both.
absl::Status CheckSplits(const Lock& lock) {
  for (const SeedSplits& seed : lock.splits) {
    std::map<std::string, int> seen;
    for (PromptClass prompt_class : {PromptClass::kHarmful, PromptClass::kHarmless}) {
      for (SplitPart part : kSplitParts) {
        const std::vector<PromptRecord>& records = seed.of(prompt_class).of(part);
        const std::string where = absl::StrCat(
            "/splits/", seed.seed, "/", PromptClassName(prompt_class), "/", SplitPartName(part));
        if (static_cast<int64_t>(records.size()) != lock.plan.sizes.of(part)) {
          return absl::InvalidArgumentError(absl::StrCat(where, ": ", records.size(),
                                                         " prompts where the plan has ",
                                                         lock.plan.sizes.of(part)));
        }
        for (const PromptRecord& record : records) {
          if (record.row < 0 || !IsSha256Hex(record.hash)) {
            return absl::InvalidArgumentError(absl::StrCat(where, ": an entry is no (row, hash)"));
          }
          if (++seen[record.hash] > 1) {
            return absl::InvalidArgumentError(
                absl::StrCat(where, ": the prompt of row ", record.row, " occurs twice"));
          }
        }
      }
    }
  }
  return absl::OkStatus();
}

absl::Status CheckVersions(const Json& content) {
  const std::pair<std::string, std::string> versions[] = {
      {"/format", kLockFormat},
      {"/prompt_form", kPromptFormVersion},
      {"/split_version", kSplitVersion},
      {"/decision/digest", PostRuleDigest()},
  };
  for (const auto& [pointer, ours] : versions) {
    const std::string theirs = TextAt(content, pointer);
    if (theirs != ours) {
      return MakeError(
          absl::StatusCode::kFailedPrecondition, "LOCK_VERSION",
          absl::StrCat(
              pointer, ": the lock was frozen under \"", theirs, "\", this program has \"", ours,
              "\"; run it with the version of steerctl that froze it, or freeze the plan anew"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

Json LockContent(const Lock& lock) {
  Json arms = Json::array();
  for (const ArmSpec& arm : lock.arms) arms.push_back(ArmJson(arm, lock.plan));
  Json control_seeds = Json::object();
  for (uint64_t seed : lock.plan.seeds)
    control_seeds[absl::StrCat(seed)] = ControlSeed(lock.plan, seed);
  return {{"format", kLockFormat},
          {"prompt_form", kPromptFormVersion},
          {"split_version", kSplitVersion},
          {"contract_version", lock.contract_version},
          {"plan", PlanToJson(lock.plan)},
          {"model",
           {{"layers", lock.model_layers},
            {"fingerprint", lock.model_fingerprint},
            {"chat_template_digest", lock.chat_template_digest}}},
          {"data", {{"harmful", FileJson(lock.harmful)}, {"harmless", FileJson(lock.harmless)}}},
          {"splits", SplitsJson(lock.splits)},
          {"selection",
           {{"statistic", "drop in harmful refusal + rise in harmless refusal"},
            {"candidates", lock.candidate_layers},
            {"ties", "lowest layer"},
            {"no_usable_layer", "INCOMPLETE"}}},
          {"arms", arms},
          {"control_seeds", control_seeds},
          {"readout_digest", lock.readout_digest},
          {"refusal_token_ids", lock.refusal_token_ids},
          {"decision", {{"rule", PostRuleJson()}, {"digest", lock.rule_digest}}}};
}

absl::StatusOr<Lock> LockFromContent(const Json& content) {
  STEER_RETURN_IF_ERROR(CheckVersions(content));
  Lock lock;
  STEER_ASSIGN_OR_RETURN(lock.plan, PlanFromJson(At(content, "/plan")));
  lock.harmful = FileFrom(content, "/data/harmful");
  lock.harmless = FileFrom(content, "/data/harmless");
  for (uint64_t seed : lock.plan.seeds)
    lock.splits.push_back(SplitsFrom(At(content, "/splits"), seed));
  lock.arms = TestArms(lock.plan);
  const int64_t layers = NumberAt(content, "/model/layers");
  if (layers < 1 || layers > kMaxModelLayers) {
    return absl::InvalidArgumentError(
        absl::StrCat("/model/layers: not a whole number from 1 to ", kMaxModelLayers));
  }
  lock.model_layers = static_cast<int>(layers);
  lock.candidate_layers = CandidateLayers(lock.plan, lock.model_layers);
  lock.model_fingerprint = TextAt(content, "/model/fingerprint");
  lock.chat_template_digest = TextAt(content, "/model/chat_template_digest");
  lock.contract_version = TextAt(content, "/contract_version");
  lock.readout_digest = TextAt(content, "/readout_digest");
  lock.rule_digest = TextAt(content, "/decision/digest");
  lock.refusal_token_ids = lock.plan.scores ? lock.plan.refusal_token_ids : std::vector<int>();
  const Json difference = Json::diff(LockContent(lock), content);
  if (!difference.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "not a lock as this program writes it, first at ", difference.front().value("path", "/")));
  }
  STEER_RETURN_IF_ERROR(CheckSplits(lock));
  return lock;
}

}  // namespace steer
