// server/weights/safetensors. An input that starts with '{' is a header, up to the first line end, and its data: the length before it is put
// right, since a mutation of the header would otherwise always break it. Any other input is a file as it stands.
#include "server/weights/safetensors.h"

#include "absl/strings/str_cat.h"
#include "tests/fuzz/check.h"

namespace {

std::string FileOf(absl::string_view input) {
  if (input.empty() || input[0] != '{') return std::string(input);
  const size_t end = std::min(input.find('\n'), input.size());
  std::string bytes;
  for (int shift = 0; shift < 64; shift += 8)
    bytes.push_back(static_cast<char>(uint64_t{end} >> shift & 0xff));
  absl::StrAppend(&bytes, input.substr(0, end), input.substr(std::min(end + 1, input.size())));
  return bytes;
}

bool Same(const steer::TensorView& a, const steer::TensorView& b) {
  return a.type == b.type && a.shape == b.shape && a.bytes == b.bytes;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string bytes = FileOf(steer::fuzz::Text(data, size));
  const auto file = steer::SafetensorsFile::FromBytes(bytes, "in.safetensors");
  if (!file.ok()) {
    steer::fuzz::CheckRefusal(file.status(), "in.safetensors: ");
    return 0;
  }
  size_t covered = 0;
  for (const auto& [name, view] : (*file)->tensors()) {
    FUZZ_CHECK(view.bytes.empty() || (view.bytes.data() >= bytes.data() + 8 &&
                                      view.bytes.end() <= bytes.data() + bytes.size()));
    FUZZ_CHECK(static_cast<size_t>(view.elements() * steer::BytesPerElement(view.type)) ==
               view.bytes.size());
    covered += view.bytes.size();
    const auto floats = steer::ToFloat32(view);
    if (floats.ok()) FUZZ_CHECK(floats->size() == static_cast<size_t>(view.elements()));
  }
  FUZZ_CHECK(covered + 8 <= bytes.size());
  const auto written = steer::SerializeSafetensors((*file)->tensors(), (*file)->metadata());
  FUZZ_CHECK(written.ok());
  const auto again = steer::SafetensorsFile::FromBytes(*written, "again");
  FUZZ_CHECK(again.ok());
  FUZZ_CHECK((*again)->metadata() == (*file)->metadata());
  FUZZ_CHECK((*again)->tensors().size() == (*file)->tensors().size());
  for (const auto& [name, view] : (*file)->tensors())
    FUZZ_CHECK(Same(view, (*again)->tensors().at(name)));
  FUZZ_CHECK(*steer::SerializeSafetensors((*again)->tensors(), (*again)->metadata()) == *written);
  return 0;
}
