#include "absl/strings/str_cat.h"
#include "common/json.h"
#include "common/utf8.h"
#include "server/planted/vocabulary.h"

namespace steer::planted {
namespace {

// GPT-2's printable stand-in for a byte: itself where it is printable, otherwise the next code
// point from U+0100 on.
std::string ByteLetter(int byte) {  // 0 to 255
  const auto printable = [](int b) {
    return (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174;
  };
  uint32_t code = static_cast<uint32_t>(byte);
  if (!printable(byte)) {
    code = 0x100;
    for (int b = 0; b < byte; ++b) code += printable(b) ? 0 : 1;
  }
  std::string out;
  AppendUtf8(code, &out);
  return out;
}

std::string ByteLevel(absl::string_view text) {
  std::string out;
  for (char c : text) out += ByteLetter(static_cast<unsigned char>(c));
  return out;
}

OrderedJson ByteLevelNode(bool use_regex) {
  return {{"type", "ByteLevel"},
          {"add_prefix_space", false},
          {"trim_offsets", true},
          {"use_regex", use_regex}};
}

}  // namespace

std::string TokenizerJson(const Vocabulary& v) {
  OrderedJson vocabulary = OrderedJson::object();
  OrderedJson added = OrderedJson::array();
  for (int32_t id = 0; id < v.size(); ++id) {
    if (id < v.end_of_text) {
      vocabulary[ByteLevel(v.texts[id])] = id;
      continue;
    }
    added.push_back({{"id", id},
                     {"content", v.texts[id]},
                     {"single_word", false},
                     {"lstrip", false},
                     {"rstrip", false},
                     {"normalized", false},
                     {"special", true}});
  }
  OrderedJson model = {{"type", "BPE"},
                       {"dropout", nullptr},
                       {"unk_token", nullptr},
                       {"continuing_subword_prefix", nullptr},
                       {"end_of_word_suffix", nullptr},
                       {"fuse_unk", false},
                       {"byte_fallback", false},
                       {"ignore_merges", true},
                       {"vocab", vocabulary},
                       {"merges", OrderedJson::array()}};
  OrderedJson file = {{"version", "1.0"},
                      {"truncation", nullptr},
                      {"padding", nullptr},
                      {"added_tokens", added},
                      {"normalizer", nullptr},
                      {"pre_tokenizer", ByteLevelNode(true)},
                      {"post_processor", nullptr},
                      {"decoder", ByteLevelNode(true)},
                      {"model", model}};
  return file.dump(1) + "\n";
}

std::string TokenizerConfigJson(const Vocabulary& v) {
  OrderedJson file = {{"tokenizer_class", "PreTrainedTokenizerFast"},
                      {"bos_token", nullptr},
                      {"eos_token", v.texts[v.im_end]},
                      {"pad_token", v.texts[v.end_of_text]},
                      {"clean_up_tokenization_spaces", false},
                      {"model_max_length", 512}};
  return file.dump(1) + "\n";
}

std::string ChatTemplateText() {
  return "{%- for message in messages %}\n"
         "{{- '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}\n"
         "{%- endfor %}\n"
         "{%- if add_generation_prompt %}\n"
         "{{- '<|im_start|>assistant\\n' }}\n"
         "{%- endif %}\n";
}

}  // namespace steer::planted
