#include "common/set_digest.h"

#include <bit>

#include "common/digest.h"

namespace steer {
namespace {

// Positions are hashed as they lie in memory.
static_assert(std::endian::native == std::endian::little);

void AddTensor(absl::string_view name, absl::string_view bytes, Sha256* digest) {
  digest->Field(name).Field(uint64_t{bytes.size() / sizeof(float)}).Update(bytes);
}

}  // namespace

std::string SetContentDigest(const SetContent& content) {
  Sha256 digest;
  digest.Field("steer-direction-content").Field(static_cast<uint64_t>(content.format));
  digest.Field(content.method);
  digest.Field(static_cast<uint64_t>(content.layers)).Field(static_cast<uint64_t>(content.hidden));
  digest.Field(uint64_t{content.positions.size()});
  digest.Update(content.positions.data(), content.positions.size() * sizeof(int32_t));
  AddTensor("directions", content.directions, &digest);
  AddTensor("harmful_means", content.harmful_means, &digest);
  AddTensor("harmless_means", content.harmless_means, &digest);
  AddTensor("harmful_mean_norms", content.harmful_mean_norms, &digest);
  AddTensor("harmless_mean_norms", content.harmless_mean_norms, &digest);
  for (const bool usable : content.usable) digest.Field(uint64_t{usable});
  return digest.Hex();
}

}  // namespace steer
