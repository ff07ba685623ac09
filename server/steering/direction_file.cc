#include "server/rpc/direction_file.h"

#include <cstdint>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "common/json.h"

namespace steer {

std::string SerializeDirection(const ResolvedDirection& direction, const DirectionRef& ref) {
  const size_t bytes = direction.values.size() * sizeof(float);
  // The format wants string values only.
  Json metadata = {{"format", "steer-direction-1"},
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
  const Json header = {
      {"__metadata__", metadata},
      {"direction",
       {{"dtype", "F32"}, {"shape", {direction.values.size()}}, {"data_offsets", {0, bytes}}}}};
  std::string text = header.dump();
  // Eight-byte alignment of the data, as the reference writer pads.
  text.append((8 - text.size() % 8) % 8, ' ');
  std::string file;
  for (int i = 0; i < 8; ++i) {
    file.push_back(static_cast<char>((static_cast<uint64_t>(text.size()) >> (8 * i)) & 0xff));
  }
  file += text;
  static_assert(sizeof(float) == 4, "float32");
  file.append(reinterpret_cast<const char*>(direction.values.data()), bytes);
  return file;
}

}  // namespace steer
