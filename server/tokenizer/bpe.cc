#include "server/tokenizer/bpe.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/status_macros.h"
#include "common/utf8.h"
#include "server/tokenizer/node.h"

namespace steer::tok {
namespace {

// Covers the alphabet of byte-level tokenizers.
constexpr uint32_t kLowLimit = 0x180;
constexpr int64_t kMaxId = (int64_t{1} << 22) - 1;

uint64_t PairKey(int32_t left, int32_t right) {
  return uint64_t{static_cast<uint32_t>(left)} << 32 | static_cast<uint32_t>(right);
}

// A merge that was possible when it was queued, as one number: lowest rank first, leftmost among
// equals. Half of the time of a long run of one character goes into comparing these.
uint64_t Candidate(int32_t rank, int32_t position) { return PairKey(rank, position); }

}  // namespace

// A doubly linked list over an array, so that a merge touches only its neighbours.
struct Bpe::Symbol {
  int32_t id;
  int32_t previous, next;  // -1 at the ends
  bool alive;
};

absl::StatusOr<std::unique_ptr<const Bpe>> Bpe::Create(TokenizerFile* file) {
  std::unique_ptr<Bpe> bpe(new Bpe);
  bpe->text_ = std::move(file->text);
  STEER_RETURN_IF_ERROR(bpe->AddVocabulary(*file));
  STEER_RETURN_IF_ERROR(bpe->AddMerges(*file));
  STEER_RETURN_IF_ERROR(bpe->AddOptions(*file));
  bpe->low_ids_.resize(kLowLimit);
  for (uint32_t c = 0; c < kLowLimit; ++c) {
    std::string text;
    AppendUtf8(c, &text);
    bpe->low_ids_[c] = bpe->Find(text).value_or(-1);
  }
  for (int b = 0; b < 256; ++b) {
    bpe->byte_ids_[static_cast<size_t>(b)] = bpe->Find(absl::StrFormat("<0x%02X>", b)).value_or(-1);
  }
  return std::unique_ptr<const Bpe>(std::move(bpe));
}

absl::string_view Bpe::Text(TextRef ref) const {
  return absl::string_view(text_).substr(ref.begin, ref.size);
}

absl::Status Bpe::AddVocabulary(const TokenizerFile& file) {
  if (!file.has_vocabulary)
    return absl::InvalidArgumentError("model.vocab: missing or not an object");
  if (file.vocabulary.empty()) return absl::InvalidArgumentError("model.vocab: empty");
  ids_.reserve(file.vocabulary.size());
  tokens_.reserve(file.vocabulary.size());
  for (const TokenizerFile::Token& token : file.vocabulary) {
    absl::string_view content = Text(token.content);
    auto error = [&](absl::string_view what) {
      return absl::InvalidArgumentError(
          absl::StrCat("model.vocab[\"", content.substr(0, 80), "\"]: ", what));
    };
    if (token.id < 0 || token.id > kMaxId)
      return error(absl::StrCat("the id ", token.id, " is not from 0 to ", kMaxId));
    int32_t id = static_cast<int32_t>(token.id);
    if (!ids_.emplace(content, id).second) return error("occurs twice");
    if (static_cast<size_t>(id) >= tokens_.size()) tokens_.resize(static_cast<size_t>(id) + 1);
    absl::string_view& slot = tokens_[static_cast<size_t>(id)];
    if (slot.data() != nullptr) {
      return error(absl::StrCat("has the id ", id, " of \"", slot.substr(0, 80), "\""));
    }
    slot = content;
  }
  return absl::OkStatus();
}

absl::Status Bpe::AddMerges(const TokenizerFile& file) {
  if (!file.has_merges) return absl::InvalidArgumentError("model.merges: missing or not an array");
  merges_.reserve(file.merges.size());
  std::string merged;
  int32_t rank = 0;
  for (size_t i = 0; i < file.merges.size(); ++i) {
    const TokenizerFile::Merge& merge = file.merges[i];
    auto error = [&](absl::string_view what) {
      return absl::InvalidArgumentError(absl::StrCat("model.merges[", i, "]: ", what));
    };
    if (merge.is_pair != file.merges[0].is_pair) return error("strings and pairs are mixed");
    absl::string_view left = Text(merge.left), right = Text(merge.right);
    if (!merge.is_pair) {
      if (absl::StartsWith(left, "#version"))
        continue;  // the first line of a merges.txt; takes no rank
      size_t space = left.find(' ');
      if (space == absl::string_view::npos ||
          left.find(' ', space + 1) != absl::string_view::npos) {
        return error(absl::StrCat("\"", left.substr(0, 80),
                                  "\" is not two tokens with one space between them"));
      }
      right = left.substr(space + 1);
      left = left.substr(0, space);
    }
    merged.assign(left.data(), left.size());
    merged.append(right.data(), right.size());
    int32_t ids[3];
    const absl::string_view parts[3] = {left, right, merged};
    for (int k = 0; k < 3; ++k) {
      absl::optional<int32_t> id = Find(parts[k]);
      if (!id.has_value())
        return error(absl::StrCat("\"", parts[k].substr(0, 80), "\" is not in model.vocab"));
      ids[k] = *id;
    }
    // A pair that occurs twice has the rank of its last place, as in the library.
    merges_.insert_or_assign(PairKey(ids[0], ids[1]), Merge{rank++, ids[2]});
  }
  return absl::OkStatus();
}

absl::Status Bpe::AddOptions(const TokenizerFile& file) {
  const Node model = *Node(file.root, "").Field("model");  // there: the vocabulary was in it
  STEER_RETURN_IF_ERROR(
      model.CheckKeys({"type", "dropout", "unk_token", "continuing_subword_prefix",
                       "end_of_word_suffix", "fuse_unk", "byte_fallback", "ignore_merges"}));
  if (model.Has("dropout")) {
    const Node dropout = *model.Field("dropout");
    bool none =
        dropout.is_null() || (dropout.value().is_number() && dropout.value().get<double>() == 0);
    if (!none) return dropout.Error("dropout is not built: ids must not be random");
  }
  for (absl::string_view key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    STEER_ASSIGN_OR_RETURN(absl::optional<std::string> affix, model.OptionalString(key));
    if (affix.has_value() && !affix->empty()) {
      return model.Field(key)->Error(
          absl::StrCat("\"", affix->substr(0, 80), "\": only null or \"\" is built"));
    }
  }
  STEER_ASSIGN_OR_RETURN(fuse_unknown_, model.Bool("fuse_unk", false));
  STEER_ASSIGN_OR_RETURN(byte_fallback_, model.Bool("byte_fallback", false));
  STEER_ASSIGN_OR_RETURN(ignore_merges_, model.Bool("ignore_merges", false));
  STEER_ASSIGN_OR_RETURN(absl::optional<std::string> unknown, model.OptionalString("unk_token"));
  if (unknown.has_value()) {
    unknown_ = Find(*unknown);
    if (!unknown_.has_value()) {
      return model.Field("unk_token")
          ->Error(absl::StrCat("\"", unknown->substr(0, 80), "\" is not in model.vocab"));
    }
  }
  return absl::OkStatus();
}

absl::optional<int32_t> Bpe::Find(absl::string_view token) const {
  auto it = ids_.find(token);
  if (it == ids_.end()) return absl::nullopt;
  return it->second;
}

absl::optional<absl::string_view> Bpe::Token(int32_t id) const {
  if (id < 0 || id >= id_limit() || tokens_[static_cast<size_t>(id)].data() == nullptr)
    return absl::nullopt;
  return tokens_[static_cast<size_t>(id)];
}

const Bpe::Merge* Bpe::FindMerge(int32_t left, int32_t right) const {
  auto it = merges_.find(PairKey(left, right));
  return it == merges_.end() ? nullptr : &it->second;
}

void Bpe::Split(absl::string_view word, std::vector<Symbol>* symbols) const {
  auto add = [symbols](int32_t id) {
    int32_t index = static_cast<int32_t>(symbols->size());
    if (index > 0) symbols->back().next = index;
    symbols->push_back({id, index - 1, -1, true});
  };
  bool unknown_pending = false;
  for (size_t at = 0; at < word.size();) {
    size_t begin = at;
    uint32_t c = NextCodePoint(word, &at);
    absl::string_view character = word.substr(begin, at - begin);
    int32_t id = c < kLowLimit ? low_ids_[c] : Find(character).value_or(-1);
    if (id >= 0) {
      if (unknown_pending) add(*unknown_);
      unknown_pending = false;
      add(id);
      continue;
    }
    auto byte_id = [this](char b) { return byte_ids_[static_cast<unsigned char>(b)]; };
    if (byte_fallback_ &&
        std::all_of(character.begin(), character.end(), [&](char b) { return byte_id(b) >= 0; })) {
      // An unknown token that is still pending comes after these bytes: the library's order.
      for (char b : character) add(byte_id(b));
      continue;
    }
    if (unknown_.has_value()) {
      if (unknown_pending && !fuse_unknown_) add(*unknown_);
      unknown_pending = true;
    }
  }
  if (unknown_pending) add(*unknown_);
}

void Bpe::Encode(absl::string_view word, std::vector<int32_t>* ids) const {
  if (ignore_merges_) {
    if (absl::optional<int32_t> id = Find(word); id.has_value()) {
      ids->push_back(*id);
      return;
    }
  }
  std::vector<Symbol> symbols;
  symbols.reserve(word.size());
  Split(word, &symbols);

  std::vector<uint64_t> queue;  // a min-heap
  queue.reserve(symbols.size());
  for (size_t i = 0; i + 1 < symbols.size(); ++i) {
    if (const Merge* merge = FindMerge(symbols[i].id, symbols[i + 1].id); merge != nullptr) {
      queue.push_back(Candidate(merge->rank, static_cast<int32_t>(i)));
    }
  }
  std::make_heap(queue.begin(), queue.end(), std::greater<>());
  while (!queue.empty()) {
    std::pop_heap(queue.begin(), queue.end(), std::greater<>());
    const auto rank = static_cast<int32_t>(queue.back() >> 32);
    const auto position = static_cast<int32_t>(queue.back());
    queue.pop_back();
    Symbol& left = symbols[static_cast<size_t>(position)];
    if (!left.alive || left.next < 0) continue;
    Symbol& right = symbols[static_cast<size_t>(left.next)];
    // The pair may have changed since it was queued.
    const Merge* merge = FindMerge(left.id, right.id);
    if (merge == nullptr || merge->rank != rank) continue;
    left.id = merge->id;
    left.next = right.next;
    right.alive = false;
    auto push = [&](int32_t at, int32_t a, int32_t b) {
      const Merge* next = FindMerge(a, b);
      if (next == nullptr) return;
      queue.push_back(Candidate(next->rank, at));
      std::push_heap(queue.begin(), queue.end(), std::greater<>());
    };
    if (left.next >= 0) symbols[static_cast<size_t>(left.next)].previous = position;
    if (left.previous >= 0)
      push(left.previous, symbols[static_cast<size_t>(left.previous)].id, left.id);
    if (left.next >= 0) push(position, left.id, symbols[static_cast<size_t>(left.next)].id);
  }
  for (const Symbol& symbol : symbols) {
    if (symbol.alive) ids->push_back(symbol.id);
  }
}

}  // namespace steer::tok
