#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/json.h"
#include "common/status_macros.h"
#include "common/utf8.h"
#include "server/weights/safetensors.h"
#include "server/weights/tensor_type.h"

namespace steer {
namespace {

absl::Status CheckTensor(const std::string& name, const TensorView& view) {
  const auto bad = [&name](absl::string_view rule) {
    return absl::InvalidArgumentError(absl::StrCat("tensor \"", name.substr(0, 80), "\": ", rule));
  };
  if (name == "__metadata__") return bad("the name is reserved");
  if (name.size() > kMaxTensorNameBytes || !IsValidUtf8(name)) {
    return bad("the name is not UTF-8 of at most 512 bytes");
  }
  if (view.shape.size() > kMaxTensorRank) return bad("rank over 8");
  const absl::optional<int64_t> bytes = TensorBytes(view.type, view.shape);
  if (!bytes.has_value() || static_cast<uint64_t>(*bytes) != view.bytes.size()) {
    return bad(absl::StrCat("its shape does not fit its ", view.bytes.size(), " bytes"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> SerializeSafetensors(
    const std::map<std::string, TensorView>& tensors,
    const std::map<std::string, std::string>& metadata) {
  if (tensors.size() > kMaxTensors) return absl::InvalidArgumentError("more than 100000 tensors");
  Json header = Json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  uint64_t offset = 0;
  for (const auto& [name, view] : tensors) {
    STEER_RETURN_IF_ERROR(CheckTensor(name, view));
    header[name] = {{"dtype", std::string(TensorTypeName(view.type))},
                    {"shape", view.shape},
                    {"data_offsets", {offset, offset + view.bytes.size()}}};
    offset += view.bytes.size();
  }
  STEER_ASSIGN_OR_RETURN(std::string text, CanonicalJson(header));
  // Spaces up to a multiple of eight, so that the first tensor is aligned for any type.
  text.resize((text.size() + 7) / 8 * 8, ' ');
  std::string bytes;
  bytes.reserve(8 + text.size() + offset);
  for (int shift = 0; shift < 64; shift += 8) {
    bytes.push_back(static_cast<char>(uint64_t{text.size()} >> shift & 0xff));
  }
  bytes += text;
  for (const auto& [name, view] : tensors) absl::StrAppend(&bytes, view.bytes);
  return bytes;
}

}  // namespace steer
