#include "server/steering/direction_set.h"

#include <algorithm>
#include <bit>

#include "common/digest.h"
#include "common/set_digest.h"

namespace steer {
namespace {

// Digests and files hold float32 little-endian; memory is copied as it is.
static_assert(std::endian::native == std::endian::little);

absl::string_view Bytes(const std::vector<float>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)};
}

void AddInts(absl::Span<const int32_t> values, Sha256* digest) {
  digest->Field(uint64_t{values.size()});
  digest->Update(values.data(), values.size() * sizeof(int32_t));
}

}  // namespace

absl::optional<size_t> DirectionSet::PositionIndex(int position) const {
  const auto it = std::find(positions.begin(), positions.end(), position);
  if (it == positions.end()) return absl::nullopt;
  return static_cast<size_t>(it - positions.begin());
}

absl::Span<const float> DirectionSet::Direction(size_t position_index, int64_t layer) const {
  const size_t width = static_cast<size_t>(hidden);
  const size_t index = position_index * static_cast<size_t>(layers) + static_cast<size_t>(layer);
  return absl::MakeConstSpan(directions).subspan(index * width, width);
}

const LayerReport& DirectionSet::Report(size_t position_index, int64_t layer) const {
  return reports[position_index * static_cast<size_t>(layers) + static_cast<size_t>(layer)];
}

std::string DirectionDigest(absl::Span<const float> direction) {
  Sha256 digest;
  digest.Update(direction.data(), direction.size() * sizeof(float));
  return digest.Hex();
}

std::string ContentDigest(const DirectionSet& set) {
  SetContent content{.format = kDirectionSetFormat,
                     .method = set.method,
                     .layers = set.layers,
                     .hidden = set.hidden,
                     .positions = {set.positions.begin(), set.positions.end()},
                     .directions = Bytes(set.directions),
                     .harmful_means = Bytes(set.harmful_means),
                     .harmless_means = Bytes(set.harmless_means),
                     .harmful_mean_norms = Bytes(set.harmful_mean_norms),
                     .harmless_mean_norms = Bytes(set.harmless_mean_norms),
                     .usable = {}};
  for (const LayerReport& report : set.reports) content.usable.push_back(report.usable);
  return SetContentDigest(content);
}

std::string DirectionSetId(absl::string_view model_fingerprint,
                           absl::string_view numeric_fingerprint,
                           absl::Span<const std::vector<int32_t>> harmful_ids,
                           absl::Span<const std::vector<int32_t>> harmless_ids,
                           absl::Span<const int> positions, bool keep_states) {
  Sha256 digest;
  digest.Field("steer-direction-set")
      .Field(uint64_t{kDirectionSetFormat})
      .Field(kDifferenceOfMeans);
  digest.Field(model_fingerprint).Field(numeric_fingerprint).Field(uint64_t{keep_states});
  AddInts(positions, &digest);
  for (const auto& prompts : {harmful_ids, harmless_ids}) {
    digest.Field(uint64_t{prompts.size()});
    for (const std::vector<int32_t>& ids : prompts) AddInts(ids, &digest);
  }
  return digest.Hex();
}

}  // namespace steer
