#include "server/weights/convert_floats.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/target_clones.h"

namespace steer {
namespace {

// Elements between two looks at the flag: long enough for vectors, short enough to find the place
// again in no time.
constexpr int64_t kBlock = 1024;

template <typename To, typename From>
inline To BitCast(From from) {
  static_assert(sizeof(To) == sizeof(From), "same size");
  To to;
  std::memcpy(&to, &from, sizeof(to));
  return to;
}

// Stored bits as float32 bits. Tensors in a file are aligned only by luck.
template <TensorType kFrom>
inline uint32_t Read(const char* from, int64_t i) {
  if constexpr (kFrom == TensorType::kFloat64) {
    double value;
    std::memcpy(&value, from + 8 * i, sizeof(value));
    return BitCast<uint32_t>(static_cast<float>(value));
  } else if constexpr (kFrom == TensorType::kFloat32) {
    uint32_t bits;
    std::memcpy(&bits, from + 4 * i, sizeof(bits));
    return bits;
  } else {
    uint16_t half;
    std::memcpy(&half, from + 2 * i, sizeof(half));
    if constexpr (kFrom == TensorType::kBFloat16) return uint32_t{half} << 16;
    // Exponent and mantissa in float32's places, then the difference of the biases as a product:
    // exact, for subnormal halves too.
    const uint32_t magnitude = uint32_t{half} & 0x7fffu;
    const uint32_t special = magnitude >= 0x7c00u ? 0x7f800000u : 0u;
    const float scaled = BitCast<float>(magnitude << 13) * 0x1p112f;
    return BitCast<uint32_t>(scaled) | special | (uint32_t{half} & 0x8000u) << 16;
  }
}

inline uint32_t Write(uint32_t bits, uint32_t* out) {
  *out = bits;
  return bits;
}

inline uint32_t Write(uint32_t bits, uint16_t* out) {
  const uint32_t rounded = bits + 0x7fffu + ((bits >> 16) & 1u);
  const uint32_t kept = (bits & 0x7fffffffu) > 0x7f800000u ? 0x7fc00000u : rounded & 0xffff0000u;
  *out = static_cast<uint16_t>(kept >> 16);
  return kept;
}

// True if all `count` results are finite.
template <TensorType kFrom, typename To>
inline bool Block(const char* from, int64_t count, To* out) {
  uint32_t not_finite = 0;
  for (int64_t i = 0; i < count; ++i) {
    const uint32_t bits = Write(Read<kFrom>(from, i), out + i);
    not_finite |= (bits & 0x7f800000u) == 0x7f800000u ? 1u : 0u;
  }
  return not_finite == 0;
}

template <TensorType kFrom, typename To>
STEER_TARGET_CLONES int64_t Convert(const char* from, int64_t count, To* out) {
  constexpr int64_t kSize = kFrom == TensorType::kFloat64   ? 8
                            : kFrom == TensorType::kFloat32 ? 4
                                                            : 2;
  int64_t first = count;
  for (int64_t begin = 0; begin < count; begin += kBlock) {
    const int64_t size = std::min(kBlock, count - begin);
    if (Block<kFrom>(from + kSize * begin, size, out + begin) || first != count) continue;
    To scratch;
    for (first = begin; Block<kFrom>(from + kSize * first, 1, &scratch);) ++first;
  }
  return first;
}

template <typename To>
int64_t ConvertTo(TensorType type, const char* from, int64_t count, To* out) {
  switch (type) {
    case TensorType::kFloat64:
      return Convert<TensorType::kFloat64>(from, count, out);
    case TensorType::kFloat32:
      return Convert<TensorType::kFloat32>(from, count, out);
    case TensorType::kFloat16:
      return Convert<TensorType::kFloat16>(from, count, out);
    default:
      return Convert<TensorType::kBFloat16>(from, count, out);
  }
}

// "[3, 17]"
std::string Place(const std::vector<int64_t>& shape, int64_t index) {
  std::vector<int64_t> place(shape.size());
  for (size_t i = shape.size(); i-- > 0;) {
    place[i] = index % shape[i];
    index /= shape[i];
  }
  return absl::StrCat("[", absl::StrJoin(place, ", "), "]");
}

}  // namespace

bool IsFloatType(TensorType type) {
  return type == TensorType::kFloat64 || type == TensorType::kFloat32 ||
         type == TensorType::kFloat16 || type == TensorType::kBFloat16;
}

int64_t ConvertFloats(const TensorView& view, int64_t begin, int64_t count, ModelType to,
                      void* out) {
  const char* from = view.bytes.data() + begin * BytesPerElement(view.type);
  return begin + (to == ModelType::kFloat32
                      ? ConvertTo(view.type, from, count, static_cast<uint32_t*>(out))
                      : ConvertTo(view.type, from, count, static_cast<uint16_t*>(out)));
}

std::string DescribeNonFinite(const TensorView& view, int64_t index, ModelType to) {
  double value = 0;
  if (view.type == TensorType::kFloat64) {
    std::memcpy(&value, view.bytes.data() + 8 * index, sizeof(value));
  } else {
    float wide = 0;
    ConvertFloats(view, index, 1, ModelType::kFloat32, &wide);
    value = wide;
  }
  const std::string place = Place(view.shape, index);
  if (std::isnan(value)) return absl::StrCat("holds NaN at ", place);
  if (std::isinf(value)) return absl::StrCat("holds ", value > 0 ? "inf" : "-inf", " at ", place);
  return absl::StrCat("holds ", value, " at ", place, ", which ",
                      to == ModelType::kFloat32 ? "float32" : "bfloat16", " cannot hold");
}

}  // namespace steer
