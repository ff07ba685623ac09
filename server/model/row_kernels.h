// CPU kernels over one row of numbers. Each result depends on the row's own contents and length
// alone: not on its address, its place in a batch or the number of threads. float and
// c10::BFloat16; arithmetic is float32. Pure functions, any thread.
#ifndef STEER_SERVER_MODEL_ROW_KERNELS_H_
#define STEER_SERVER_MODEL_ROW_KERNELS_H_

#include <c10/util/BFloat16.h>

#include <cstdint>
#include <string>

#include "server/model/model_config.h"

namespace steer {

// out = x / sqrt(mean(x^2) + epsilon) * gain. `round_first` rounds the normalised value to T before
// the gain (Llama, Qwen) instead of after it only (Gemma). In place if out == x.
struct NormParameters {
  const float* gain;
  float epsilon;
  bool round_first;
};
void NormRow(const float* x, int64_t n, const NormParameters& p, float* out);
void NormRow(const c10::BFloat16* x, int64_t n, const NormParameters& p, c10::BFloat16* out);

// Rotates the pairs (x[i], x[i + half]) by the angle whose cosine and sine are given; out may be x.
void RotateHead(const float* x, const float* cosine, const float* sine, int64_t half, float* out);
void RotateHead(const c10::BFloat16* x, const float* cosine, const float* sine, int64_t half,
                c10::BFloat16* out);

// out = activation(gate) * up, the activation rounded to T first.
void GateRow(const float* gate, const float* up, int64_t n, Activation activation, float* out);
void GateRow(const c10::BFloat16* gate, const c10::BFloat16* up, int64_t n, Activation activation,
             c10::BFloat16* out);

// x = cap * tanh(x / cap), in place.
void SoftcapRow(float* x, int64_t n, float cap);

// One token's attention with the query heads that share a key head.
template <typename T>
struct AttendArguments {
  const T* queries;  // [group, head_dim]
  const T* keys;     // of the first visible position; positions are `stride` elements apart
  const T* values;
  int64_t group;
  int64_t head_dim;
  int64_t visible;  // keys seen, the token's own included
  int64_t stride;
  float scale;
  float softcap;   // 0: none
  float* scratch;  // AttendScratch floats
  T* out;          // [group, head_dim]
};
int64_t AttendScratch(int64_t group, int64_t head_dim, int64_t visible);
void Attend(const AttendArguments<float>& arguments);
void Attend(const AttendArguments<c10::BFloat16>& arguments);

// The variant that this machine runs ("x86-64-v4", "x86-64-v3" or "baseline"): it decides where
// products and sums are fused.
std::string RowKernelVariant();

}  // namespace steer

#endif  // STEER_SERVER_MODEL_ROW_KERNELS_H_
