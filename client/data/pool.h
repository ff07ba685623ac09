// The prompts that splits are drawn from: both classes, deduplicated by the prompt normal form that
// the server's split keeping uses too (common/prompt_form.h). Pure functions; any thread.
#ifndef STEER_CLIENT_DATA_POOL_H_
#define STEER_CLIENT_DATA_POOL_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/data/prompt_file.h"
#include "common/prompt_class.h"

namespace steer {

struct PromptRecord {
  int64_t row = 0;   // in its file
  std::string hash;  // PromptHash(text), 64 hex digits
  std::string text;  // never written to a lock, log or result
};

struct ClassPool {
  std::vector<PromptRecord> prompts;  // ascending rows, distinct hashes
  int64_t duplicates = 0;             // later rows with the form of an earlier one, dropped
  int64_t in_both = 0;                // rows dropped because the other class has the form too
};

struct Pools {
  ClassPool harmful;
  ClassPool harmless;
  const ClassPool& of(PromptClass prompt_class) const {
    return prompt_class == PromptClass::kHarmful ? harmful : harmless;
  }
};

// A form that occurs in both classes is removed from both. INVALID_ARGUMENT (file and row) for a
// prompt that is not UTF-8.
absl::StatusOr<Pools> BuildPools(const PromptFile& harmful, const PromptFile& harmless);

}  // namespace steer

#endif  // STEER_CLIENT_DATA_POOL_H_
