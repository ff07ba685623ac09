#include "server/weights/tensor_type.h"

#include <cmath>
#include <cstring>
#include <limits>

#include "absl/strings/str_cat.h"

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

float FloatFromBits(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

float FromHalf(uint16_t half) {
  const int exponent = (half >> 10) & 0x1f;
  const int mantissa = half & 0x3ff;
  const float sign = (half & 0x8000) != 0 ? -1.0f : 1.0f;
  if (exponent == 0x1f) {
    return mantissa != 0 ? std::numeric_limits<float>::quiet_NaN()
                         : sign * std::numeric_limits<float>::infinity();
  }
  // Every half, subnormal or not, is an integer below 2^11 times a power of two: exact in float32.
  return exponent == 0 ? sign * std::ldexp(static_cast<float>(mantissa), -24)
                       : sign * std::ldexp(static_cast<float>(mantissa | 0x400), exponent - 25);
}

template <typename T>
T Load(absl::string_view bytes, size_t index) {
  T value;
  std::memcpy(&value, bytes.data() + index * sizeof(T), sizeof(T));
  return value;
}

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
  std::vector<float> values(view.bytes.size() / static_cast<size_t>(BytesPerElement(view.type)));
  switch (view.type) {
    case TensorType::kFloat32:
      if (!values.empty()) std::memcpy(values.data(), view.bytes.data(), view.bytes.size());
      return values;
    case TensorType::kFloat64:
      for (size_t i = 0; i < values.size(); ++i) {
        values[i] = static_cast<float>(Load<double>(view.bytes, i));
      }
      return values;
    case TensorType::kFloat16:
      for (size_t i = 0; i < values.size(); ++i)
        values[i] = FromHalf(Load<uint16_t>(view.bytes, i));
      return values;
    case TensorType::kBFloat16:
      for (size_t i = 0; i < values.size(); ++i) {
        values[i] = FloatFromBits(uint32_t{Load<uint16_t>(view.bytes, i)} << 16);
      }
      return values;
    default:
      return absl::InvalidArgumentError(
          absl::StrCat("a tensor of type ", TensorTypeName(view.type), " is not a float tensor"));
  }
}

}  // namespace steer
