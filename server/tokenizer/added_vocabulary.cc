#include "server/tokenizer/added_vocabulary.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "common/utf8.h"
#include "server/tokenizer/unicode.h"

namespace steer::tok {
namespace {

absl::StatusOr<AddedToken> ReadToken(const Node& node) {
  STEER_RETURN_IF_ERROR(node.CheckKeys(
      {"id", "content", "single_word", "lstrip", "rstrip", "normalized", "special"}));
  AddedToken token;
  STEER_ASSIGN_OR_RETURN(int64_t id, node.Integer("id", 0, (1 << 22) - 1));
  token.id = static_cast<int32_t>(id);
  STEER_ASSIGN_OR_RETURN(token.content, node.String("content"));
  if (token.content.empty()) return node.Field("content")->Error("empty");
  STEER_ASSIGN_OR_RETURN(token.single_word, node.Bool("single_word"));
  STEER_ASSIGN_OR_RETURN(token.lstrip, node.Bool("lstrip"));
  STEER_ASSIGN_OR_RETURN(token.rstrip, node.Bool("rstrip"));
  STEER_ASSIGN_OR_RETURN(token.normalized, node.Bool("normalized"));
  STEER_ASSIGN_OR_RETURN(token.special, node.Bool("special"));
  return token;
}

// The code point that ends at byte `end` > 0.
uint32_t CodePointBefore(absl::string_view text, size_t end, size_t* begin) {
  *begin = end - 1;
  while (*begin > 0 && (static_cast<unsigned char>(text[*begin]) & 0xC0) == 0x80) --*begin;
  size_t at = *begin;
  return NextCodePoint(text, &at);
}

bool StandsAlone(absl::string_view text, size_t begin, size_t end) {
  size_t at = 0;
  if (begin > 0 && IsWordCharacter(CodePointBefore(text, begin, &at))) return false;
  at = end;
  return end == text.size() || !IsWordCharacter(NextCodePoint(text, &at));
}

size_t WhitespaceBefore(absl::string_view text, size_t end) {
  for (size_t begin; end > 0 && IsWhitespace(CodePointBefore(text, end, &begin));) end = begin;
  return end;
}

size_t WhitespaceAfter(absl::string_view text, size_t begin) {
  for (size_t at = begin; at < text.size(); begin = at) {
    if (!IsWhitespace(NextCodePoint(text, &at))) break;
  }
  return begin;
}

}  // namespace

absl::StatusOr<AddedVocabulary> AddedVocabulary::Create(const Node& root, const Bpe& bpe,
                                                        const Normalizer& normalizer) {
  AddedVocabulary added;
  if (!root.Has("added_tokens")) return added;
  STEER_ASSIGN_OR_RETURN(std::vector<Node> nodes, root.Array("added_tokens"));
  int32_t next_id = bpe.size();
  for (const Node& node : nodes) {
    STEER_ASSIGN_OR_RETURN(AddedToken token, ReadToken(node));
    absl::optional<int32_t> known = bpe.Find(token.content);
    int32_t id = known.has_value() ? *known : next_id++;
    if (id != token.id) {
      return node.Field("id")->Error(absl::StrCat(
          token.id, ", but the tokenizers library gives \"", token.content.substr(0, 80),
          "\" the id ", id,
          known.has_value() ? " that it has in model.vocab"
                            : ": ids of new tokens count on from the size of model.vocab"));
    }
    token.surface = token.content;
    if (token.normalized) {
      STEER_RETURN_IF_ERROR(normalizer.Apply(&token.surface));
      if (token.surface.empty())
        return node.Field("content")->Error("nothing is left of it after normalisation");
    }
    int32_t index = static_cast<int32_t>(added.tokens_.size());
    if (!added.by_content_.emplace(token.content, index).second) {
      return node.Field("content")->Error(
          absl::StrCat("\"", token.content.substr(0, 80), "\" occurs twice"));
    }
    added.by_id_.emplace(id, index);
    (token.normalized ? added.normalized_ : added.plain_).Add(token.surface, index);
    added.id_limit_ = std::max(added.id_limit_, id + 1);
    added.tokens_.push_back(std::move(token));
  }
  return added;
}

void AddedVocabulary::Find(const TokenTrie& trie, absl::string_view text,
                           std::vector<Match>* matches) const {
  size_t covered = 0;
  for (size_t at = 0; !trie.empty() && at < text.size();) {
    int32_t index = 0;
    size_t length = trie.LongestPrefix(text.substr(at), &index);
    if (length == 0) {
      ++at;
      continue;
    }
    const AddedToken& token = tokens_[static_cast<size_t>(index)];
    size_t begin = at, end = at + length;
    at = end;  // the search goes on behind the token itself, whether it counts or not and whatever
               // it strips
    if (token.single_word && !StandsAlone(text, begin, end)) continue;
    if (token.lstrip) begin = std::max(WhitespaceBefore(text, begin), covered);
    if (token.rstrip) end = WhitespaceAfter(text, end);
    if (covered < begin) matches->push_back({covered, begin, nullptr});
    matches->push_back({begin, end, &token});
    covered = end;
  }
  if (covered < text.size()) matches->push_back({covered, text.size(), nullptr});
}

absl::StatusOr<std::vector<Piece>> AddedVocabulary::Split(absl::string_view text,
                                                          const Normalizer& normalizer) const {
  std::vector<Piece> pieces;
  std::vector<Match> outer, inner;
  Find(plain_, text, &outer);
  for (const Match& part : outer) {
    if (part.token != nullptr) {
      pieces.push_back({"", part.token->id, false});
      continue;
    }
    std::string normal(text.substr(part.begin, part.end - part.begin));
    STEER_RETURN_IF_ERROR(normalizer.Apply(&normal));
    inner.clear();
    Find(normalized_, normal, &inner);
    for (const Match& match : inner) {
      if (match.token != nullptr) {
        pieces.push_back({"", match.token->id, false});
      } else {
        pieces.push_back({normal.substr(match.begin, match.end - match.begin), -1,
                          part.begin == 0 && match.begin == 0});
      }
    }
  }
  return pieces;
}

const AddedToken* AddedVocabulary::FindId(int32_t id) const {
  auto it = by_id_.find(id);
  return it == by_id_.end() ? nullptr : &tokens_[it->second];
}

const AddedToken* AddedVocabulary::FindContent(absl::string_view content) const {
  auto it = by_content_.find(content);
  return it == by_content_.end() ? nullptr : &tokens_[it->second];
}

bool AddedVocabulary::IsSpecialSurface(absl::string_view surface) const {
  const AddedToken* token = FindContent(surface);
  return token != nullptr && token->special;
}

}  // namespace steer::tok
