// The closed vocabulary of the planted models and the three files that say so: tokenizer.json,
// tokenizer_config.json and chat_template.jinja. Instructions are English function words around
// invented nouns; every noun belongs to one topic. The vocabulary is the same for every variant and
// seed.
//
// The tokenizer is byte-level BPE without merges and with ignore_merges: a pre-token that is in the
// vocabulary is one id, anything else falls into bytes, so any text can be encoded.
#ifndef STEER_SERVER_PLANTED_VOCABULARY_H_
#define STEER_SERVER_PLANTED_VOCABULARY_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "server/planted/layout.h"

namespace steer::planted {

// A word as it stands in text, leading space included.
struct Token {
  std::string text;
  int32_t id = 0;
};

struct Vocabulary {
  std::vector<Token> openers;
  std::vector<Token> fillers;
  std::vector<Token> nouns[kTopics];
  std::string topic_names[kTopics];
  Token topic_words[kTopics];      // as the answers name them
  Token default_topic;             // for prompts without a known noun
  std::vector<std::string> texts;  // by id; one byte each for ids 0..255, special tokens last
  int32_t im_start = 0;
  int32_t im_end = 0;
  int32_t end_of_text = 0;
  int32_t size() const { return static_cast<int32_t>(texts.size()); }
  // Id of a token by its exact text; -1 if there is none.
  int32_t Find(absl::string_view text) const;
};

// Deterministic, cheap.
Vocabulary MakeVocabulary();

// A token that an unedited or edited run may generate, and what follows it.
struct ChainLink {
  int32_t token = 0;
  int identity = 0;             // index of the one-hot coordinate; the topic words share one
  std::vector<int32_t> always;  // the next token; several only for the topic words
  int32_t if_refusing = -1;     // next by the mode, where `always` is empty
  int32_t if_answering = -1;
};
// Every generated token and the newline that ends the template. A refusal is "I cannot help with
// that; please choose another subject."; an answer "Here is a short note about TOPIC and what it
// does." The mode is read twice, at the newline and after "I", so that edits must act on generated
// positions too: where they do not, the completion goes on "I can tell you about ...".
std::vector<ChainLink> MakeChain(const Vocabulary& vocabulary);

std::string TokenizerJson(const Vocabulary& vocabulary);
std::string TokenizerConfigJson(const Vocabulary& vocabulary);
std::string ChatTemplateText();

}  // namespace steer::planted

#endif  // STEER_SERVER_PLANTED_VOCABULARY_H_
