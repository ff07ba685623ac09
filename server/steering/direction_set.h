// A direction set: what FitDirection makes and DirectionRef names. Host memory only, no torch.
// Immutable once made.
#ifndef STEER_SERVER_STEERING_DIRECTION_SET_H_
#define STEER_SERVER_STEERING_DIRECTION_SET_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "absl/types/span.h"
#include "common/layer_report.h"

namespace steer {

inline constexpr char kDifferenceOfMeans[] = "difference-of-means-1";
inline constexpr int kDirectionSetFormat = 1;

// Sites are 2L+1; a layer's direction is read at site 2 * layer.
struct DirectionSet {
  std::string set_id;          // digest of the inputs
  std::string content_digest;  // digest over the tensors below but for `states`, and the reports'
                               // `usable` flags
  std::string method = kDifferenceOfMeans;
  std::string model_fingerprint;
  std::string numeric_fingerprint;
  std::vector<int> positions;  // descending from -1
  int64_t layers = 0;
  int64_t hidden = 0;
  int64_t harmful_prompts = 0;
  int64_t harmless_prompts = 0;
  std::vector<float> directions;           // [positions, layers, hidden]
  std::vector<float> harmful_means;        // [positions, 2L+1, hidden]
  std::vector<float> harmless_means;       // [positions, 2L+1, hidden]
  std::vector<float> harmful_mean_norms;   // [positions, 2L+1], mean |x|
  std::vector<float> harmless_mean_norms;  // [positions, 2L+1]
  std::vector<float>
      states;  // [harmful then harmless prompts, positions, layers, hidden], or empty
  std::vector<LayerReport> reports;            // [positions * layers], positions outermost
  std::vector<std::string> fit_prompt_hashes;  // of every fitted prompt, sorted
  absl::Time create_time;
  bool imported = false;

  // Index into positions; nullopt if absent.
  absl::optional<size_t> PositionIndex(int position) const;
  // [hidden]. Requires a valid pair.
  absl::Span<const float> Direction(size_t position_index, int64_t layer) const;
  const LayerReport& Report(size_t position_index, int64_t layer) const;
};

// SHA-256 over a vector's float32 little-endian bytes: what receipts and reports name.
std::string DirectionDigest(absl::Span<const float> direction);

// SHA-256 over everything that directions are read from: all tensors but for `states`, so that a
// set keeps its digest when it is exported or cached without them. A file carries a digest of its
// own over the states.
std::string ContentDigest(const DirectionSet& set);

// The id of a set before it is fitted: model and numeric fingerprint, templated ids in order,
// positions, method, format.
std::string DirectionSetId(absl::string_view model_fingerprint,
                           absl::string_view numeric_fingerprint,
                           absl::Span<const std::vector<int32_t>> harmful_ids,
                           absl::Span<const std::vector<int32_t>> harmless_ids,
                           absl::Span<const int> positions, bool keep_states);

// A safetensors file and back. Deserialising checks shapes, ranges, finiteness and the content
// digest (DATA_LOSS if it differs).
absl::StatusOr<std::string> SerializeDirectionSet(const DirectionSet& set, bool with_states);
absl::StatusOr<DirectionSet> DeserializeDirectionSet(absl::string_view bytes,
                                                     absl::string_view name);

}  // namespace steer

#endif  // STEER_SERVER_STEERING_DIRECTION_SET_H_
