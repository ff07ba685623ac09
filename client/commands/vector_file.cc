#include "client/commands/vector_file.h"

#include <charconv>
#include <cmath>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "common/json.h"
#include "common/status_macros.h"

namespace steer {
namespace {

absl::Status Damaged(absl::string_view what) {
  return absl::DataLossError(absl::StrCat("the exported direction is not as it must be: ", what));
}

uint64_t LittleEndian(absl::string_view bytes) {
  uint64_t value = 0;
  for (size_t i = bytes.size(); i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

}  // namespace

absl::StatusOr<std::vector<float>> ParseDirectionFile(absl::string_view file) {
  if (file.size() < 8) return Damaged("it is too short");
  uint64_t header_size = LittleEndian(file.substr(0, 8));
  if (header_size > file.size() - 8) return Damaged("its header is cut off");
  STEER_ASSIGN_OR_RETURN(Json header, ParseJson(file.substr(8, header_size)));
  absl::string_view data = file.substr(8 + header_size);
  if (!header.is_object() || !header.contains("direction"))
    return Damaged("it has no tensor named direction");
  const Json& tensor = header["direction"];
  bool good = tensor.is_object() && tensor.value("dtype", Json()) == "F32" &&
              tensor.contains("shape") && tensor["shape"].is_array() &&
              tensor["shape"].size() == 1 && tensor["shape"][0].is_number_unsigned() &&
              tensor.contains("data_offsets");
  if (!good) return Damaged("its tensor is not a float32 vector");
  uint64_t count = tensor["shape"][0].get<uint64_t>();
  if (count > data.size() / 4 || tensor["data_offsets"] != Json::array({0, count * 4}) ||
      data.size() != count * 4) {
    return Damaged("its size does not match its shape");
  }
  std::vector<float> values(count);
  for (uint64_t i = 0; i < count; ++i) {
    uint32_t bits = static_cast<uint32_t>(LittleEndian(data.substr(i * 4, 4)));
    std::memcpy(&values[i], &bits, sizeof(bits));
    if (!std::isfinite(values[i])) return Damaged("it holds a number that is not finite");
  }
  return values;
}

std::string VectorJson(const std::vector<float>& values) {
  std::string text = "[";
  for (size_t i = 0; i < values.size(); ++i) {
    char buffer[32];
    std::to_chars_result end = std::to_chars(buffer, buffer + sizeof(buffer), values[i]);
    absl::StrAppend(&text, i == 0 ? "" : ", ",
                    absl::string_view(buffer, static_cast<size_t>(end.ptr - buffer)));
  }
  return absl::StrCat(text, "]\n");
}

}  // namespace steer
