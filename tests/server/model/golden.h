// Tiny checkpoints with the values that transformers computes for them, and short ways to run the
// decoder on a prompt.
#ifndef STEER_TESTS_SERVER_MODEL_GOLDEN_H_
#define STEER_TESTS_SERVER_MODEL_GOLDEN_H_

#include <ATen/core/Tensor.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "server/model/decoder.h"
#include "server/weights/checkpoint.h"

namespace steer {

inline constexpr int kPrompts = 5;  // the last is the longest, with a context of 200 or 600 tokens
inline const char* const kTinyModels[] = {
    "llama",       "llama_tied",   "llama_bias",   "llama_deep", "llama_one",   "mistral",
    "mistral_one", "mistral_tied", "qwen2",        "qwen2_deep", "qwen2_one",   "qwen2_window",
    "qwen3",       "qwen3_one",    "qwen3_window", "gemma3",     "gemma3_deep", "gemma3_one"};

// expected.safetensors of a golden checkpoint; make_model_golden.py says what it holds.
class Golden {
 public:
  explicit Golden(const std::string& model);
  // Name, family, shape and seed, for a failure's message.
  std::string Describe() const;
  bool Has(const std::string& name, int prompt) const;
  std::vector<int32_t> Ids(const std::string& name, int prompt) const;  // "prompt", "greedy"
  at::Tensor Floats(const std::string& name, int prompt) const;  // "states", "logits", "bf16"
  at::Tensor Probe() const;                                      // [hidden, 2]
  // Rows of `x` [n, width] at the positions that "logits" of the prompt are of.
  at::Tensor AtPositions(const at::Tensor& x, int prompt) const;

 private:
  const std::string model_;
  std::shared_ptr<const SafetensorsFile> file_;
};

// A copy of a checkpoint in memory, widened to float32, to be changed and written out.
struct EditableCheckpoint {
  explicit EditableCheckpoint(const std::string& model);
  // Writes to a fresh folder under the test's temporary one and opens it.
  absl::StatusOr<std::shared_ptr<const Checkpoint>> Write() const;
  // A tensor's float32 values, to be changed in place.
  float* Floats(const std::string& name);

  Json config;
  std::map<std::string, TensorView> tensors;  // views into `bytes`
  std::map<std::string, std::string> bytes;
  // Replaces or adds a float32 tensor of zeros.
  void Put(const std::string& name, const std::vector<int64_t>& shape);
};

std::shared_ptr<const Checkpoint> OpenTiny(const std::string& model);
std::unique_ptr<Decoder> LoadTiny(const std::string& model, const std::string& dtype = "float32",
                                  int64_t kv_tokens = 512);

// Keeps the stream at every site, [sites][T, hidden].
class Capture : public SiteHook {
 public:
  bool WantsWrite(int) const override { return false; }
  void OnWrite(int, at::Tensor&) override {}
  void OnStream(int, at::Tensor& x) override { streams.push_back(x.clone()); }
  std::vector<at::Tensor> streams;
};

// Runs `ids` as one row in pieces of at most `piece` tokens (0: one step). -> [n, hidden]
at::Tensor RunRow(Decoder& decoder, const std::vector<int32_t>& ids, int32_t piece = 0,
                  int64_t kv_begin = 0);

// max |a - b| / max |b| over the last dimension, the worst row.
double WorstRelative(const at::Tensor& a, const at::Tensor& b);
double MaxAbs(const at::Tensor& x);
// Contract 6: 1e-4 max(1, max |expected|).
double LogitTolerance(const at::Tensor& expected);

}  // namespace steer

#endif  // STEER_TESTS_SERVER_MODEL_GOLDEN_H_
