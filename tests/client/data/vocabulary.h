// Made-up harmless prompts for tests.
#ifndef STEER_TESTS_CLIENT_DATA_VOCABULARY_H_
#define STEER_TESTS_CLIENT_DATA_VOCABULARY_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "client/data/pool.h"
#include "common/philox.h"

namespace steer {

// `words` random words of 2 to 4 syllables, so that two prompts are hardly ever alike.
inline std::string RandomPrompt(uint64_t stream, int words) {
  static constexpr const char* kSyllables[] = {"ba", "do", "fi", "gu", "ke", "lo",
                                               "mi", "nu", "pe", "ra", "so", "ti"};
  const PhiloxStream random(20240607, stream);
  std::string prompt;
  uint64_t index = 0;
  for (int w = 0; w < words; ++w) {
    if (w > 0) prompt += ' ';
    const uint64_t syllables = 2 + random.Word(index++) % 3;
    for (uint64_t s = 0; s < syllables; ++s) prompt += kSyllables[random.Word(index++) % 12];
  }
  return prompt;
}

inline PromptFile FileOf(const std::vector<std::string>& prompts, const std::string& name) {
  PromptFile file;
  file.file = name;
  for (const std::string& prompt : prompts) file.kept.push_back({file.rows++, prompt});
  return file;
}

inline PromptFile RandomFile(const std::string& name, uint64_t first_stream, int64_t rows) {
  std::vector<std::string> prompts;
  for (int64_t i = 0; i < rows; ++i)
    prompts.push_back(RandomPrompt(first_stream + static_cast<uint64_t>(i), 8));
  return FileOf(prompts, name);
}

}  // namespace steer

#endif  // STEER_TESTS_CLIENT_DATA_VOCABULARY_H_
