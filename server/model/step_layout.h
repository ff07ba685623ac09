// Where each token of a step stands: its position, and where its row's keys and values lie in the
// arena.
#ifndef STEER_SERVER_MODEL_STEP_LAYOUT_H_
#define STEER_SERVER_MODEL_STEP_LAYOUT_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "server/model/decoder.h"

namespace steer {

struct TokenPlace {
  int64_t token = 0;     // index into the step
  int64_t position = 0;  // in its row
  int64_t kv_begin = 0;  // arena slot of the row's position 0
  int64_t slot() const { return kv_begin + position; }
};

struct StepLayout {
  int64_t tokens = 0;              // T
  std::vector<TokenPlace> places;  // tokens that a row covers, in step order; the rest are padding
  // The same for libtorch ops, int64 [places] on the device; undefined on the CPU.
  at::Tensor token_index, position_index, slot_index;
};

// Throws c10::Error if an id, a position, a slot or a token lies outside its range, or two rows
// share a token: these are the engine's bugs, and the kernels trust the layout.
StepLayout MakeStepLayout(const Step& step, int64_t vocabulary, int64_t positions,
                          int64_t kv_tokens, at::Device device);

}  // namespace steer

#endif  // STEER_SERVER_MODEL_STEP_LAYOUT_H_
