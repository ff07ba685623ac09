// server/tokenizer, fixed byte-level tokenizers, any text: what is valid UTF-8 comes back byte for byte.
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/json.h"
#include "common/utf8.h"
#include "server/tokenizer/tokenizer.h"
#include "tests/fuzz/tokenizer_checks.h"

namespace {

using steer::Json;

constexpr size_t kMaxText = 128;

// The alphabet of byte-level tokenizers: printable bytes stand for themselves, the others from U+0100 on.
std::string Letter(int byte) {
  static const std::vector<std::string>* const letters = [] {
    auto* all = new std::vector<std::string>;
    uint32_t next = 0x100;
    for (uint32_t b = 0; b < 256; ++b) {
      const bool printable = (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174;
      all->emplace_back();
      steer::AppendUtf8(printable ? b : next++, &all->back());
    }
    return all;
  }();
  return (*letters)[static_cast<size_t>(byte)];
}

// Patterns as GPT-2, Llama 3 and Qwen2 write them.
std::vector<std::shared_ptr<const steer::Tokenizer>> MakeTokenizers() {
  const char* const patterns[] = {
      R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)",
      R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
      R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"};
  Json vocabulary = Json::object();
  Json merges = Json::array();
  for (int b = 0; b < 256; ++b) vocabulary[Letter(b)] = b;
  for (const char* pair : {"th", "he", "er", "in", "an", "11", "..", "\xC4\xA0t",
                           "\xC4\xA0\xC4\xA0", "\xC3\xA4\xC2\xB8"}) {
    const absl::string_view text(pair);
    size_t middle = 0;
    steer::NextCodePoint(text, &middle);
    merges.push_back(
        Json::array({std::string(text.substr(0, middle)), std::string(text.substr(middle))}));
    vocabulary[std::string(text)] = static_cast<int>(vocabulary.size());
  }
  const int end_of_turn = static_cast<int>(vocabulary.size());
  std::vector<std::shared_ptr<const steer::Tokenizer>> made;
  for (const char* pattern : patterns) {
    const Json split = {{"type", "Split"},
                        {"pattern", {{"Regex", pattern}}},
                        {"behavior", "Isolated"},
                        {"invert", false}};
    const Json bytes = {{"type", "ByteLevel"},
                        {"add_prefix_space", false},
                        {"trim_offsets", false},
                        {"use_regex", false}};
    const Json file = {{"version", "1.0"},
                       {"added_tokens",
                        {{{"id", end_of_turn},
                          {"content", "<|end|>"},
                          {"single_word", false},
                          {"lstrip", false},
                          {"rstrip", false},
                          {"normalized", false},
                          {"special", true}}}},
                       {"normalizer", nullptr},
                       {"pre_tokenizer", {{"type", "Sequence"}, {"pretokenizers", {split, bytes}}}},
                       {"decoder", bytes},
                       {"model", {{"type", "BPE"}, {"vocab", vocabulary}, {"merges", merges}}}};
    auto tokenizer = steer::Tokenizer::FromJson(file.dump(), "fixed");
    if (!tokenizer.ok()) std::fprintf(stderr, "%s\n", tokenizer.status().ToString().c_str());
    FUZZ_CHECK(tokenizer.ok());
    made.push_back(*std::move(tokenizer));
  }
  return made;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const auto* const tokenizers =
      new std::vector<std::shared_ptr<const steer::Tokenizer>>(MakeTokenizers());
  // Long runs are the unit tests' business.
  if (size > kMaxText) return -1;
  const absl::string_view text = steer::fuzz::Text(data, size);
  std::vector<int32_t> ids;
  for (size_t i = 0; i < size; ++i) ids.push_back(data[i]);  // any bytes, as tokens
  for (const auto& tokenizer : *tokenizers) {
    const std::string decoded = steer::fuzz::CheckText(*tokenizer, text);
    if (steer::IsValidUtf8(text)) FUZZ_CHECK(decoded == text);
  }
  // Id b is byte b, for each of them.
  const steer::Tokenizer& first = *tokenizers->front();
  steer::fuzz::CheckStream(first, ids);
  if (steer::IsValidUtf8(text)) FUZZ_CHECK(first.Decode(ids, false) == text);
  return 0;
}
