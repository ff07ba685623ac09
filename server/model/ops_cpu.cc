#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>

#include <cstring>

#include "server/model/ops.h"
#include "server/model/row_kernels.h"

namespace steer::cpu {
namespace {

// Below this many elements a second thread costs more than it saves.
constexpr int64_t kParallelElements = 16384;

NormParameters ParametersOf(const Norm& norm) {
  return {norm.gain.data_ptr<float>(), static_cast<float>(norm.epsilon), norm.round_first};
}

template <typename T>
void NormRows(const at::Tensor& x, const Norm& norm, at::Tensor& out) {
  const int64_t rows = x.size(0), n = x.size(1);
  const NormParameters parameters = ParametersOf(norm);
  const T* from = x.data_ptr<T>();
  T* to = out.data_ptr<T>();
#pragma omp parallel for if (rows * n > kParallelElements)
  for (int64_t row = 0; row < rows; ++row) NormRow(from + row * n, n, parameters, to + row * n);
}

template <typename T>
void GateRows(const at::Tensor& gate_up, Activation activation, at::Tensor& out) {
  const int64_t rows = out.size(0), n = out.size(1);
  const T* from = gate_up.data_ptr<T>();
  T* to = out.data_ptr<T>();
#pragma omp parallel for if (rows * n > kParallelElements)
  for (int64_t row = 0; row < rows; ++row) {
    const T* gate = from + row * 2 * n;
    GateRow(gate, gate + n, n, activation, to + row * n);
  }
}

template <typename T>
struct TokenWriter {
  T* qkv;
  T* keys;
  T* values;
  const QueryKeyNorms& norms;
  const float* cosine;
  const float* sine;
  const AttentionShape& shape;

  void Write(const TokenPlace& place) const {
    const int64_t d = shape.head_dim, half = d / 2, width = shape.kv_heads * d;
    T* query = qkv + place.token * (shape.heads * d + 2 * width);
    T* key = query + shape.heads * d;
    const float* c = cosine + place.position * half;
    const float* s = sine + place.position * half;
    for (int64_t head = 0; head < shape.heads + shape.kv_heads; ++head) {
      const Norm& norm = head < shape.heads ? norms.query : norms.key;
      T* x = query + head * d;
      if (norm.gain.defined()) NormRow(x, d, ParametersOf(norm), x);
      RotateHead(x, c, s, half, x);
    }
    const size_t bytes = static_cast<size_t>(width) * sizeof(T);
    std::memcpy(keys + place.slot() * width, key, bytes);
    std::memcpy(values + place.slot() * width, key + width, bytes);
  }
};

template <typename T>
void WriteTokens(at::Tensor& qkv, const QueryKeyNorms& norms, const RopeTable& rope,
                 const StepLayout& layout, const AttentionShape& shape, at::Tensor& keys,
                 at::Tensor& values) {
  const TokenWriter<T> writer{qkv.data_ptr<T>(),
                              keys.data_ptr<T>(),
                              values.data_ptr<T>(),
                              norms,
                              rope.cosine.data_ptr<float>(),
                              rope.sine.data_ptr<float>(),
                              shape};
  const int64_t tokens = static_cast<int64_t>(layout.places.size());
#pragma omp parallel for if (tokens * qkv.size(1) > kParallelElements)
  for (int64_t i = 0; i < tokens; ++i) writer.Write(layout.places[static_cast<size_t>(i)]);
}

}  // namespace

at::Tensor RmsNorm(const at::Tensor& x, const Norm& norm) {
  at::Tensor out = at::empty_like(x);
  (x.scalar_type() == at::kFloat ? NormRows<float> : NormRows<at::BFloat16>)(x, norm, out);
  return out;
}

at::Tensor Gate(const at::Tensor& gate_up, Activation activation) {
  at::Tensor out = at::empty({gate_up.size(0), gate_up.size(1) / 2}, gate_up.options());
  (out.scalar_type() == at::kFloat ? GateRows<float> : GateRows<at::BFloat16>)(gate_up, activation,
                                                                               out);
  return out;
}

void Softcap(at::Tensor& x, double cap) {
  const int64_t rows = x.size(0), n = x.size(1);
  float* values = x.data_ptr<float>();
#pragma omp parallel for if (rows * n > kParallelElements)
  for (int64_t row = 0; row < rows; ++row) {
    SoftcapRow(values + row * n, n, static_cast<float>(cap));
  }
}

void RotateAndStore(at::Tensor& qkv, const QueryKeyNorms& norms, const RopeTable& rope,
                    const StepLayout& layout, const AttentionShape& shape, at::Tensor& keys,
                    at::Tensor& values) {
  (qkv.scalar_type() == at::kFloat
       ? WriteTokens<float>
       : WriteTokens<at::BFloat16>)(qkv, norms, rope, layout, shape, keys, values);
}

}  // namespace steer::cpu
