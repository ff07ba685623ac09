#include "server/steering/direction_file.h"

#include <cstdint>
#include <map>

#include "absl/strings/str_cat.h"
#include "server/weights/safetensors.h"

namespace steer {

absl::StatusOr<std::string> SerializeDirection(const ResolvedDirection& direction,
                                               const DirectionRef& ref) {
  // The format wants string values only.
  std::map<std::string, std::string> metadata = {{"format", "steer-direction-1"},
                                                 {"set_id", ref.set_id},
                                                 {"content_digest", direction.content_digest},
                                                 {"direction_digest", direction.digest},
                                                 {"position", absl::StrCat(ref.position)},
                                                 {"layer", absl::StrCat(ref.layer)},
                                                 {"component", absl::StrCat(ref.component)}};
  if (ref.control) {
    metadata["control_family"] = "isotropic";
    metadata["control_seed"] = absl::StrCat(ref.control->seed);
    metadata["control_draw"] = absl::StrCat(ref.control->draw);
  }
  const int64_t hidden = static_cast<int64_t>(direction.values.size());
  return SerializeSafetensors({{"direction", Float32View(direction.values, {hidden})}}, metadata);
}

}  // namespace steer
