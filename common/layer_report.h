// How far a fitted direction separates the classes: one entry of a set's facts, of the log's record of a fit and of the
// summary, in one form of JSON for all of them.
#ifndef STEER_COMMON_LAYER_REPORT_H_
#define STEER_COMMON_LAYER_REPORT_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/json.h"

namespace steer {

// Separation of the classes along the direction of one (position, layer). Units as in proto
// LayerReport.
struct LayerReport {
  int position = -1;
  int layer = 0;
  bool usable = false;
  double norm = 0;            // residual-stream units
  double projection_gap = 0;  // residual-stream units
  double auc = 0.5;
  double largest_coordinate_share = 0;
  double mean_state_norm = 0;
  double mean_cosine = 0;
  std::string direction_digest;
  friend bool operator==(const LayerReport&, const LayerReport&) = default;
};

Json ToJson(const LayerReport& report);

// INVALID_ARGUMENT that begins with `where` and names the key unless the object has all keys that
// ToJson writes, no other, each of its type. Ranges are the caller's to check.
absl::StatusOr<LayerReport> ReadLayerReport(const Json& json, absl::string_view where);

}  // namespace steer

#endif  // STEER_COMMON_LAYER_REPORT_H_
