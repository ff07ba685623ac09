// A Hugging Face checkpoint folder: config.json, generation_config.json (optional), model.safetensors or model.safetensors.index.json with
// its shards. No torch; tensors stay mapped.
#ifndef STEER_SERVER_WEIGHTS_CHECKPOINT_H_
#define STEER_SERVER_WEIGHTS_CHECKPOINT_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/json.h"
#include "server/weights/fingerprint.h"
#include "server/weights/safetensors.h"

namespace steer {

// Immutable after Open, thread-safe.
class Checkpoint {
 public:
  // Errors name the file and the place. Shard names must be plain file names inside the folder; every tensor of the index must be in the
  // shard that it names and every tensor of a shard in the index. .bin, .pt and .gguf files are never opened. Adapters, quantised
  // checkpoints and git-LFS pointers are recognised and refused. Links are followed wherever they lead: LocateModel checks them first.
  static absl::StatusOr<std::shared_ptr<const Checkpoint>> Open(const std::string& folder);

  const std::string& folder() const { return folder_; }
  const Json& config() const { return config_; }
  // Null if the folder has no generation_config.json.
  const Json& generation_config() const { return generation_config_; }
  const std::map<std::string, TensorView>& tensors() const { return tensors_; }
  // SHA-256 over config.json, generation_config.json, tokenizer.json, tokenizer_config.json, chat_template.jinja (those that exist, by name)
  // and every tensor by name, type, shape and bytes: equal for single and sharded files; see fingerprint.h. Taken in the background from
  // Open on; this waits for it.
  const std::string& fingerprint() const { return fingerprint_->Hex(); }

  // The file that holds a tensor of this checkpoint.
  std::string PathOf(const TensorView& tensor) const;
  // Lets bytes of tensors() out of memory; they are read from the file again if they are looked at once more.
  void Release(absl::string_view bytes) const;

 private:
  Checkpoint() = default;
  std::string folder_;
  Json config_;
  Json generation_config_;
  std::vector<std::shared_ptr<const SafetensorsFile>> files_;
  std::map<std::string, TensorView> tensors_;
  std::unique_ptr<Fingerprint> fingerprint_;  // last: its threads read what the tensors view
};

// What generation_config.json says about stopping and decoding.
struct GenerationDefaults {
  std::vector<int32_t> end_of_turn;  // eos_token_id, one or several; config.json's if generation_config.json has none. Sorted, never empty.
  double repetition_penalty = 0;     // 0: none named
};
// INVALID_ARGUMENT if no end-of-turn id is named anywhere or one is outside [0, vocabulary).
absl::StatusOr<GenerationDefaults> ReadGenerationDefaults(const Checkpoint& checkpoint, int64_t vocabulary);

}  // namespace steer

#endif  // STEER_SERVER_WEIGHTS_CHECKPOINT_H_
