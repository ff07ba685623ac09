#include "server/model/rope.h"

#include <ATen/ops/empty.h>

#include <cmath>

namespace steer {
namespace {

// Long wavelengths are stretched by the factor, short ones kept, those between interpolated
// (Llama 3.1's rule).
float ScaleAsLlama3(const RopeScaling& scaling, float frequency) {
  const double wavelength = 2 * M_PI / frequency;
  const double context = static_cast<double>(scaling.original_context);
  if (wavelength < context / scaling.high_frequency_factor) return frequency;
  if (wavelength > context / scaling.low_frequency_factor) {
    return static_cast<float>(frequency / scaling.factor);
  }
  const double smooth = (context / wavelength - scaling.low_frequency_factor) /
                        (scaling.high_frequency_factor - scaling.low_frequency_factor);
  return static_cast<float>((1 - smooth) * frequency / scaling.factor + smooth * frequency);
}

}  // namespace

std::vector<float> RopeFrequencies(const RopeConfig& config, int64_t head_dim) {
  std::vector<float> frequencies;
  for (int64_t i = 0; i < head_dim / 2; ++i) {
    // Rounded to float32 where transformers rounds, since a frequency's error grows with the
    // position.
    const float exponent = static_cast<float>(2 * i) / static_cast<float>(head_dim);
    const float frequency = 1.0f / std::pow(static_cast<float>(config.theta), exponent);
    frequencies.push_back(config.llama3.factor != 1
                              ? ScaleAsLlama3(config.llama3, frequency)
                              : frequency / static_cast<float>(config.linear_factor));
  }
  return frequencies;
}

RopeTable MakeRopeTable(const RopeConfig& config, int64_t head_dim, int64_t positions,
                        at::Device device) {
  const std::vector<float> frequencies = RopeFrequencies(config, head_dim);
  const int64_t half = head_dim / 2;
  at::Tensor cosine = at::empty({positions, half}, at::kFloat);
  at::Tensor sine = at::empty({positions, half}, at::kFloat);
  float* c = cosine.data_ptr<float>();
  float* s = sine.data_ptr<float>();
  for (int64_t position = 0; position < positions; ++position) {
    for (int64_t i = 0; i < half; ++i) {
      const float angle = static_cast<float>(position) * frequencies[static_cast<size_t>(i)];
      *c++ = std::cos(angle);
      *s++ = std::sin(angle);
    }
  }
  return {cosine.to(device), sine.to(device)};
}

}  // namespace steer
