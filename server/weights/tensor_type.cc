#include "server/weights/tensor_type.h"

#include "absl/strings/str_cat.h"
#include "server/weights/convert_floats.h"

namespace steer {
namespace {

struct TypeRow {
  TensorType type;
  absl::string_view name;
  int64_t bytes;
};

constexpr TypeRow kTypes[] = {
    {TensorType::kFloat64, "F64", 8}, {TensorType::kFloat32, "F32", 4},
    {TensorType::kFloat16, "F16", 2}, {TensorType::kBFloat16, "BF16", 2},
    {TensorType::kInt64, "I64", 8},   {TensorType::kInt32, "I32", 4},
    {TensorType::kInt16, "I16", 2},   {TensorType::kInt8, "I8", 1},
    {TensorType::kUInt8, "U8", 1},    {TensorType::kBool, "BOOL", 1},
};

// The table is in the order of the enumeration, so a type is its own index.
const TypeRow& RowOf(TensorType type) { return kTypes[static_cast<size_t>(type)]; }

}  // namespace

int64_t BytesPerElement(TensorType type) { return RowOf(type).bytes; }
absl::string_view TensorTypeName(TensorType type) { return RowOf(type).name; }

absl::optional<TensorType> TensorTypeFromName(absl::string_view name) {
  for (const TypeRow& row : kTypes) {
    if (row.name == name) return row.type;
  }
  return absl::nullopt;
}

absl::optional<int64_t> TensorBytes(TensorType type, const std::vector<int64_t>& shape) {
  int64_t bytes = BytesPerElement(type);
  for (int64_t dimension : shape) {
    if (dimension < 0 || __builtin_mul_overflow(bytes, dimension, &bytes)) return absl::nullopt;
  }
  return bytes;
}

int64_t TensorView::elements() const {
  int64_t count = 1;
  for (int64_t dimension : shape) count *= dimension;
  return count;
}

TensorView Float32View(const std::vector<float>& values, std::vector<int64_t> shape) {
  return {TensorType::kFloat32, std::move(shape),
          absl::string_view(reinterpret_cast<const char*>(values.data()),
                            values.size() * sizeof(float))};
}

absl::StatusOr<std::vector<float>> ToFloat32(const TensorView& view) {
  if (!IsFloatType(view.type)) {
    return absl::InvalidArgumentError(
        absl::StrCat("a tensor of type ", TensorTypeName(view.type), " is not a float tensor"));
  }
  std::vector<float> values(view.bytes.size() / static_cast<size_t>(BytesPerElement(view.type)));
  ConvertFloats(view, 0, static_cast<int64_t>(values.size()), ModelType::kFloat32, values.data());
  return values;
}

}  // namespace steer
