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

inline constexpr int kPrompts = 3;
inline const char* const kTinyModels[] = {"llama", "llama_tied",   "llama_bias", "qwen2",
                                          "qwen3", "qwen2_window", "gemma3"};

// expected.safetensors of a golden checkpoint.
class Golden {
 public:
  explicit Golden(const std::string& model);
  std::vector<int32_t> Ids(const std::string& name, int prompt) const;  // "prompt", "greedy"
  at::Tensor Floats(const std::string& name, int prompt) const;  // "states", "logits", "bf16"

 private:
  std::shared_ptr<const SafetensorsFile> file_;
};

// A copy of a checkpoint in memory, to be changed and written out.
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

}  // namespace steer

#endif  // STEER_TESTS_SERVER_MODEL_GOLDEN_H_
