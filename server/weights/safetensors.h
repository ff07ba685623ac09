// The safetensors format (https://github.com/huggingface/safetensors): u64 little-endian header length, JSON header, tensor bytes. Strict:
// a file that the reference implementation would refuse is refused here. No torch.
#ifndef STEER_SERVER_WEIGHTS_SAFETENSORS_H_
#define STEER_SERVER_WEIGHTS_SAFETENSORS_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/files.h"

namespace steer {

enum class TensorType { kFloat64, kFloat32, kFloat16, kBFloat16, kInt64, kInt32, kInt16, kInt8, kUInt8, kBool };
int64_t BytesPerElement(TensorType type);
absl::string_view TensorTypeName(TensorType type);  // "F32", "BF16", ...

// A tensor inside a mapped file or a string: row-major, little-endian, aligned to its type only by luck.
struct TensorView {
  TensorType type;
  std::vector<int64_t> shape;
  absl::string_view bytes;
  int64_t elements() const;
};

// A parsed file. Immutable, thread-safe; views are valid for the object's lifetime.
class SafetensorsFile {
 public:
  // Header at most 100 000 000 bytes, starts with '{', no duplicate names, offsets tile the data exactly, shape x type = span (overflow
  // checked), at most 100 000 tensors, rank at most 8. INVALID_ARGUMENT names the file, the tensor and the rule.
  static absl::StatusOr<std::shared_ptr<const SafetensorsFile>> Open(const std::string& path);
  // The same from bytes, which the caller keeps alive; `name` is shown in errors.
  static absl::StatusOr<std::shared_ptr<const SafetensorsFile>> FromBytes(absl::string_view bytes, absl::string_view name);

  const std::map<std::string, TensorView>& tensors() const { return tensors_; }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  // Empty and null if from bytes.
  const std::string& path() const { return path_; }
  const MappedFile* mapping() const { return file_.get(); }

 private:
  SafetensorsFile() = default;
  std::shared_ptr<const MappedFile> file_;  // null if from bytes
  std::string path_;
  std::map<std::string, TensorView> tensors_;
  std::map<std::string, std::string> metadata_;
};

// Bytes of a file with the tensors in name order (so the same tensors give the same bytes).
absl::StatusOr<std::string> SerializeSafetensors(const std::map<std::string, TensorView>& tensors,
                                                 const std::map<std::string, std::string>& metadata);

// A float32 view of host memory that outlives it.
TensorView Float32View(const std::vector<float>& values, std::vector<int64_t> shape);
// Copies any float type to float32; INVALID_ARGUMENT for others.
absl::StatusOr<std::vector<float>> ToFloat32(const TensorView& view);

}  // namespace steer

#endif  // STEER_SERVER_WEIGHTS_SAFETENSORS_H_
