#include "common/layer_report.h"

#include <cstdint>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace steer {
namespace {

absl::Status ReadInt(const Json& json, absl::string_view key, absl::string_view where, int* out) {
  STEER_ASSIGN_OR_RETURN(const int64_t value, JsonInt(json, key, where));
  if (!std::in_range<int>(value)) {
    return absl::InvalidArgumentError(absl::StrCat(where, ": \"", key, "\" is out of range"));
  }
  *out = static_cast<int>(value);
  return absl::OkStatus();
}

}  // namespace

Json ToJson(const LayerReport& report) {
  return {{"position", report.position},
          {"layer", report.layer},
          {"usable", report.usable},
          {"norm", report.norm},
          {"projection_gap", report.projection_gap},
          {"auc", report.auc},
          {"largest_coordinate_share", report.largest_coordinate_share},
          {"mean_state_norm", report.mean_state_norm},
          {"mean_cosine", report.mean_cosine},
          {"direction_digest", report.direction_digest}};
}

absl::StatusOr<LayerReport> ReadLayerReport(const Json& json, absl::string_view where) {
  static const Json* const kKeys = new Json(ToJson(LayerReport()));
  if (!json.is_object()) return absl::InvalidArgumentError(absl::StrCat(where, ": not an object"));
  for (const auto& item : json.items()) {
    if (!kKeys->contains(item.key())) {
      return absl::InvalidArgumentError(
          absl::StrCat(where, ": unknown key \"", item.key().substr(0, 80), "\""));
    }
  }
  LayerReport report;
  STEER_RETURN_IF_ERROR(ReadInt(json, "position", where, &report.position));
  STEER_RETURN_IF_ERROR(ReadInt(json, "layer", where, &report.layer));
  STEER_ASSIGN_OR_RETURN(report.usable, JsonBool(json, "usable", where));
  for (const auto& [key, value] :
       {std::pair{"norm", &report.norm}, std::pair{"projection_gap", &report.projection_gap},
        std::pair{"auc", &report.auc},
        std::pair{"largest_coordinate_share", &report.largest_coordinate_share},
        std::pair{"mean_state_norm", &report.mean_state_norm},
        std::pair{"mean_cosine", &report.mean_cosine}}) {
    STEER_ASSIGN_OR_RETURN(*value, JsonNumber(json, key, where));
  }
  STEER_ASSIGN_OR_RETURN(report.direction_digest, JsonString(json, "direction_digest", where));
  return report;
}

}  // namespace steer
