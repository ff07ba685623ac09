// Where the tiny golden checkpoints lie.
#ifndef STEER_TESTS_SUPPORT_TINY_MODEL_H_
#define STEER_TESTS_SUPPORT_TINY_MODEL_H_

#include <string>

#include "absl/strings/string_view.h"

namespace steer {

// Folder of a checkpoint of tests/golden/model: "llama" (Llama 3 rotary scaling, untied head,
// grouped queries), "llama_tied", "llama_bias", "qwen2" (tied), "qwen2_window", "qwen3", "gemma3":
// three layers, hidden 48, vocabulary 101, context 256, no tokenizer. Others, of odd shapes and
// with a context of 1000, are listed in make_model_golden.py there.
std::string TinyCheckpoint(absl::string_view name);

}  // namespace steer

#endif  // STEER_TESTS_SUPPORT_TINY_MODEL_H_
