// The tokenizers that have goldens, by name: qwen2_5, qwen3, llama3_2 and gemma3 (of ../shared), smollm2 (rebuilt from
// tests/golden/tokenizer), smollm2_file (the checkpoint's own file, where STEER_REAL_MODELS or ~/.cache/steer/real has it),
// planted (what steer-planted writes) and gpt2_style.
#ifndef STEER_TESTS_SERVER_TOKENIZER_GOLDEN_TOKENIZERS_H_
#define STEER_TESTS_SERVER_TOKENIZER_GOLDEN_TOKENIZERS_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/tokenizer/chat_template.h"
#include "server/tokenizer/tokenizer.h"

namespace steer {

// The folder of a checkpoint made from package registries ("smollm2"), empty where it is not at hand.
std::string RealModelFolder(const std::string& name);

// All of the names; smollm2_file only where it is at hand, since smollm2 stands for it everywhere. For ValuesIn.
std::vector<std::string> GoldenTokenizerNames();

// The tokenizer.json of a name. UNAVAILABLE with the reason where it is not at hand.
absl::StatusOr<std::string> GoldenTokenizerJson(const std::string& name);

absl::StatusOr<std::shared_ptr<const Tokenizer>> GoldenTokenizer(const std::string& name);

// The chat template that comes with it; all but gpt2_style have one. Errors as above.
absl::StatusOr<std::shared_ptr<const ChatTemplate>> GoldenChatTemplate(const std::string& name);

}  // namespace steer

#endif  // STEER_TESTS_SERVER_TOKENIZER_GOLDEN_TOKENIZERS_H_
