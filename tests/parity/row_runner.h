// Runs one prompt through the product's decoder, as one row, and keeps everything that parity.py compares.
#ifndef STEER_TESTS_PARITY_ROW_RUNNER_H_
#define STEER_TESTS_PARITY_ROW_RUNNER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "server/model/decoder.h"

namespace steer {

struct RowValues {
  std::vector<float>
      states;  // [layers + 1, n, hidden]: inputs of every block, then the last output
  std::vector<float> logits;    // [positions, vocabulary]
  std::vector<int32_t> top1;    // [n], the most likely token after each position
  std::vector<int32_t> greedy;  // what decoding appends, end-of-turn tokens not obeyed
};

// `ids` in pieces of at most 128 tokens, then `greedy` single tokens; logits are kept at `positions`.
// INVALID_ARGUMENT if the row leaves the decoder's arena or context. One thread.
absl::StatusOr<RowValues> RunRow(Decoder& decoder, absl::Span<const int32_t> ids, int32_t greedy,
                                 absl::Span<const int32_t> positions);

// A safetensors file of `values`. The widths follow from the decoder's configuration.
absl::Status WriteRow(const RowValues& values, const ModelConfig& config, const std::string& path);

}  // namespace steer

#endif  // STEER_TESTS_PARITY_ROW_RUNNER_H_
