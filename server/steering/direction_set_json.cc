#include "server/steering/direction_set_json.h"

#include <cstdint>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace steer {
namespace {

constexpr char kWhere[] = "facts";

absl::Status Wrong(absl::string_view key, absl::string_view rule) {
  return absl::InvalidArgumentError(absl::StrCat(kWhere, ": \"", key, "\" ", rule));
}

// `facts` is an object.
absl::Status CheckKeys(const Json& facts) {
  static const Json* const kKeys = new Json(DirectionSetFacts(DirectionSet()));
  for (const auto& item : facts.items()) {
    if (!kKeys->contains(item.key())) {
      return absl::InvalidArgumentError(
          absl::StrCat(kWhere, ": unknown key \"", item.key().substr(0, 80), "\""));
    }
  }
  return absl::OkStatus();
}

}  // namespace

Json DirectionSetFacts(const DirectionSet& set) {
  Json reports = Json::array();
  for (const LayerReport& report : set.reports) reports.push_back(ToJson(report));
  return {{"format_version", kDirectionSetFormat},
          {"set_id", set.set_id},
          {"content_digest", set.content_digest},
          {"method", set.method},
          {"model_fingerprint", set.model_fingerprint},
          {"numeric_fingerprint", set.numeric_fingerprint},
          {"positions", set.positions},
          {"layers", set.layers},
          {"hidden", set.hidden},
          {"harmful_prompts", set.harmful_prompts},
          {"harmless_prompts", set.harmless_prompts},
          {"reports", std::move(reports)},
          {"fit_prompt_hashes", set.fit_prompt_hashes},
          {"create_unix_nanoseconds", absl::ToUnixNanos(set.create_time)},
          {"imported", set.imported}};
}

absl::Status ReadDirectionSetFacts(const Json& facts, DirectionSet* set) {
  // Before any other key: what this build does not know may have other keys.
  STEER_ASSIGN_OR_RETURN(const int64_t format, JsonInt(facts, "format_version", kWhere));
  if (format != kDirectionSetFormat) {
    return absl::InvalidArgumentError(
        absl::StrCat("format version ", format, "; this build reads ", kDirectionSetFormat));
  }
  STEER_RETURN_IF_ERROR(CheckKeys(facts));
  STEER_ASSIGN_OR_RETURN(set->set_id, JsonString(facts, "set_id", kWhere));
  STEER_ASSIGN_OR_RETURN(set->content_digest, JsonString(facts, "content_digest", kWhere));
  STEER_ASSIGN_OR_RETURN(set->method, JsonString(facts, "method", kWhere));
  STEER_ASSIGN_OR_RETURN(set->model_fingerprint, JsonString(facts, "model_fingerprint", kWhere));
  STEER_ASSIGN_OR_RETURN(set->numeric_fingerprint,
                         JsonString(facts, "numeric_fingerprint", kWhere));
  STEER_ASSIGN_OR_RETURN(set->layers, JsonInt(facts, "layers", kWhere));
  STEER_ASSIGN_OR_RETURN(set->hidden, JsonInt(facts, "hidden", kWhere));
  STEER_ASSIGN_OR_RETURN(set->harmful_prompts, JsonInt(facts, "harmful_prompts", kWhere));
  STEER_ASSIGN_OR_RETURN(set->harmless_prompts, JsonInt(facts, "harmless_prompts", kWhere));
  STEER_ASSIGN_OR_RETURN(set->imported, JsonBool(facts, "imported", kWhere));
  STEER_ASSIGN_OR_RETURN(const int64_t created, JsonInt(facts, "create_unix_nanoseconds", kWhere));
  set->create_time = absl::FromUnixNanos(created);
  for (absl::string_view key : {"positions", "reports", "fit_prompt_hashes"}) {
    const auto it = facts.find(std::string(key));
    if (it == facts.end() || !it->is_array()) return Wrong(key, "is not an array");
  }
  for (const Json& position : facts["positions"]) {
    // An object of one key, so that one reader checks every integer.
    STEER_ASSIGN_OR_RETURN(const int64_t value,
                           JsonInt({{"positions", position}}, "positions", kWhere));
    if (!std::in_range<int>(value)) return Wrong("positions", "is out of range");
    set->positions.push_back(static_cast<int>(value));
  }
  for (const Json& hash : facts["fit_prompt_hashes"]) {
    if (!hash.is_string()) return Wrong("fit_prompt_hashes", "holds something else than strings");
    set->fit_prompt_hashes.push_back(hash.get<std::string>());
  }
  for (const Json& report : facts["reports"]) {
    STEER_ASSIGN_OR_RETURN(
        LayerReport read,
        ReadLayerReport(report, absl::StrCat(kWhere, ": reports[", set->reports.size(), "]")));
    set->reports.push_back(std::move(read));
  }
  return absl::OkStatus();
}

}  // namespace steer
