// The one decoder of every family: weights and the layer loop. It knows nothing of rows' purposes, of directions or of sampling.
//
// Thread rule: Load anywhere; every other call on the engine thread only, under c10::InferenceMode. Throws c10::Error where libtorch does;
// the engine catches.
#ifndef STEER_SERVER_MODEL_DECODER_H_
#define STEER_SERVER_MODEL_DECODER_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "server/model/model_config.h"
#include "server/model/site_hook.h"
#include "server/weights/checkpoint.h"

namespace steer {

// The tokens of one row inside a step: `tokens` of them from `first_token`, at positions context .. context + tokens - 1, whose keys and
// values go to arena slots kv_begin + context ... Keys of positions 0 .. context - 1 are there already.
struct StepRow {
  int64_t kv_begin = 0;
  int32_t context = 0;
  int32_t first_token = 0;
  int32_t tokens = 0;
};

// One forward pass over T flattened tokens. Tokens that no row covers are padding: their results are finite and mean nothing.
struct Step {
  absl::Span<const int32_t> ids;  // [T], each in [0, vocabulary)
  absl::Span<const StepRow> rows;
};

struct DecoderOptions {
  std::string device = "cpu";      // "cpu" or "cuda"
  std::string dtype = "float32";   // "float32" or "bfloat16"
  int64_t kv_tokens = 0;           // capacity of the KV arena, tokens over all rows
};

class Decoder {
 public:
  // INVALID_ARGUMENT listing every missing, unused and misshapen tensor of the checkpoint, all in one message.
  static absl::StatusOr<std::unique_ptr<Decoder>> Load(const Checkpoint& checkpoint, const DecoderOptions& options);
  // The same under a configuration other than the checkpoint's own config.json: shows what each knob does.
  static absl::StatusOr<std::unique_ptr<Decoder>> Load(ModelConfig config, const Checkpoint& checkpoint, const DecoderOptions& options);
  virtual ~Decoder() = default;

  virtual const ModelConfig& config() const = 0;
  virtual int64_t parameters() const = 0;
  // Bytes of the KV arena for one token.
  virtual int64_t kv_bytes_per_token() const = 0;

  // The stream after the last block [T, hidden], hooks applied. The order of arithmetic of a token depends on T, its row's content and its
  // position alone: at a fixed T, neither mates nor place change a bit of it. `hook` may be null.
  virtual at::Tensor Forward(const Step& step, SiteHook* hook) = 0;

  // Final norm and head of `x` [R, hidden] -> float32 [R, vocabulary] (softcap applied). The same bit promise at a fixed R.
  virtual at::Tensor Logits(const at::Tensor& x) = 0;
};

// Readable facts that can change bits, for the numeric fingerprint: libtorch version, CPU capability, threads, device, type.
std::vector<std::pair<std::string, std::string>> NumericFacts(const DecoderOptions& options);

}  // namespace steer

#endif  // STEER_SERVER_MODEL_DECODER_H_
