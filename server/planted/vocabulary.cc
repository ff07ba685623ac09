#include "server/planted/vocabulary.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace steer::planted {
namespace {

constexpr absl::string_view kTopicStems[kTopics] = {"vorn", "quib", "drel", "melp", "tosk", "unda"};
constexpr absl::string_view kNounStems[] = {"ba", "de", "fi", "go", "ku", "la", "me", "ni",
                                            "pe", "ru", "sa", "te", "vi", "zo", "ja", "hy"};
constexpr absl::string_view kOpeners[] = {"Describe", "Explain", "Show",   "List",
                                          "Compare",  "Draw",    "Sketch", "Count"};
constexpr absl::string_view kFillers[] = {" the", " of",   " for",   " near", " under", " before",
                                          " my",  " your", " our",   " some", " every", " old",
                                          " new", " big",  " small", " round"};
// Generated words that are no single byte, words of the template, and first words of refusal
// phrases ("I" is a byte).
constexpr absl::string_view kOthers[] = {
    "user",     "assistant", "system", "Here",  "As",   "It",      "My",
    " cannot",  " help",     " with",  " that", " is",  " please", " choose",
    " another", " subject",  " can",   " tell", " you", " a",      " short",
    " note",    " about",    " and",   " what", " it",  " does"};

}  // namespace

int32_t Vocabulary::Find(absl::string_view text) const {
  const auto found = std::find(texts.begin(), texts.end(), text);
  return found == texts.end() ? -1 : static_cast<int32_t>(found - texts.begin());
}

Vocabulary MakeVocabulary() {
  Vocabulary v;
  for (int byte = 0; byte < 256; ++byte) v.texts.push_back(std::string(1, static_cast<char>(byte)));
  const auto add = [&v](std::string text) {
    v.texts.push_back(text);
    return Token{std::move(text), v.size() - 1};
  };
  for (absl::string_view text : kOpeners) v.openers.push_back(add(std::string(text)));
  for (absl::string_view text : kFillers) v.fillers.push_back(add(std::string(text)));
  for (int topic = 0; topic < kTopics; ++topic) {
    v.topic_names[topic] = std::string(kTopicStems[topic]);
    v.topic_words[topic] = add(absl::StrCat(" ", kTopicStems[topic]));
    for (absl::string_view stem : kNounStems) {
      v.nouns[topic].push_back(add(absl::StrCat(" ", stem, kTopicStems[topic])));
    }
  }
  v.default_topic = add(" things");
  for (absl::string_view text : kOthers) add(std::string(text));
  v.end_of_text = add("<|endoftext|>").id;
  v.im_start = add("<|im_start|>").id;
  v.im_end = add("<|im_end|>").id;
  return v;
}

std::vector<ChainLink> MakeChain(const Vocabulary& v) {
  std::vector<ChainLink> chain;
  const auto link = [&](absl::string_view text) -> ChainLink& {
    ChainLink added;
    added.token = v.Find(text);
    added.identity = static_cast<int>(chain.size());
    chain.push_back(std::move(added));
    return chain.back();
  };
  const auto run = [&](std::initializer_list<absl::string_view> texts, int32_t last) {
    for (auto text = texts.begin(); text != texts.end(); ++text) {
      link(*text).always = {text + 1 == texts.end() ? last : v.Find(text[1])};
    }
  };
  ChainLink& start = link("\n");
  start.if_refusing = v.Find("I");
  start.if_answering = v.Find("Here");
  ChainLink& first_person = link("I");
  first_person.if_refusing = v.Find(" cannot");
  first_person.if_answering = v.Find(" can");
  run({" cannot", " help", " with", " that", ";", " please", " choose", " another", " subject"},
      v.Find("."));
  run({"."}, v.im_end);
  run({" can", " tell", " you"}, v.Find(" about"));
  run({"Here", " is", " a", " short", " note"}, v.Find(" about"));
  ChainLink& about = link(" about");
  for (const Token& word : v.topic_words) about.always.push_back(word.id);
  about.always.push_back(v.default_topic.id);
  const std::vector<int32_t> topic_ids = about.always;
  const int topic_identity = static_cast<int>(chain.size());
  run({" and", " what", " it", " does"}, v.Find("."));
  for (ChainLink& later : chain) {
    if (later.identity >= topic_identity) ++later.identity;
  }
  for (int32_t id : topic_ids) {
    ChainLink& topic = chain.emplace_back();
    topic.token = id;
    topic.identity = topic_identity;
    topic.always = {v.Find(" and")};
  }
  return chain;
}

}  // namespace steer::planted
