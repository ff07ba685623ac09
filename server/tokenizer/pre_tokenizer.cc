#include "server/tokenizer/pre_tokenizer.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "common/utf8.h"
#include "server/tokenizer/byte_alphabet.h"
#include "server/tokenizer/pattern_node.h"
#include "server/tokenizer/regex.h"
#include "server/tokenizer/split_behavior.h"
#include "server/tokenizer/unicode.h"

namespace steer::tok {
namespace {

using Created = absl::StatusOr<std::unique_ptr<const PreTokenizer>>;

// Replaces every piece of text by the parts that `split` gives for it.
template <typename Split>
absl::Status SplitEach(std::vector<Piece>* pieces, const Split& split) {
  std::vector<Piece> out;
  out.reserve(pieces->size());
  for (Piece& piece : *pieces) {
    if (piece.id >= 0) {
      out.push_back(std::move(piece));
      continue;
    }
    std::vector<Span> spans;
    STEER_RETURN_IF_ERROR(split(piece, &spans));
    for (const Span& span : spans) {
      if (span.begin == span.end) continue;
      out.push_back({piece.text.substr(span.begin, span.end - span.begin), -1,
                     piece.at_start && span.begin == 0});
    }
  }
  *pieces = std::move(out);
  return absl::OkStatus();
}

class SplitPreTokenizer : public PreTokenizer {
 public:
  SplitPreTokenizer(std::shared_ptr<const Pattern> pattern, SplitBehavior behavior, bool invert)
      : pattern_(std::move(pattern)), behavior_(behavior), invert_(invert) {}

  absl::Status Apply(std::vector<Piece>* pieces) const override {
    return SplitEach(pieces, [this](const Piece& piece, std::vector<Span>* spans) -> absl::Status {
      STEER_RETURN_IF_ERROR(pattern_->Find(piece.text, spans));
      if (invert_) {
        for (Span& span : *spans) span.is_match = !span.is_match;
      }
      *spans = ApplySplitBehavior(behavior_, std::move(*spans));
      return absl::OkStatus();
    });
  }

 private:
  std::shared_ptr<const Pattern> pattern_;
  SplitBehavior behavior_;
  bool invert_;
};

class ByteLevelPreTokenizer : public PreTokenizer {
 public:
  // `pattern` may be null: no splitting.
  ByteLevelPreTokenizer(std::shared_ptr<const Pattern> pattern, bool add_prefix_space)
      : pattern_(std::move(pattern)), add_prefix_space_(add_prefix_space) {}

  absl::Status Apply(std::vector<Piece>* pieces) const override {
    STEER_RETURN_IF_ERROR(
        SplitEach(pieces, [this](Piece& piece, std::vector<Span>* spans) -> absl::Status {
          if (add_prefix_space_ && !absl::StartsWith(piece.text, " ")) piece.text.insert(0, 1, ' ');
          if (pattern_ != nullptr) return pattern_->Find(piece.text, spans);
          spans->push_back({0, piece.text.size(), false});
          return absl::OkStatus();
        }));
    std::string mapped;
    for (Piece& piece : *pieces) {
      if (piece.id >= 0) continue;
      mapped.clear();
      AppendByteCharacters(piece.text, &mapped);
      piece.text = mapped;
    }
    return absl::OkStatus();
  }

 private:
  std::shared_ptr<const Pattern> pattern_;
  bool add_prefix_space_;
};

// Gives each character that `is_delimiter` a span of its own.
template <typename Predicate>
void FindCharacters(absl::string_view text, const Predicate& is_delimiter,
                    std::vector<Span>* spans) {
  size_t covered = 0;
  for (size_t at = 0; at < text.size();) {
    size_t begin = at;
    if (!is_delimiter(NextCodePoint(text, &at))) continue;
    if (covered < begin) spans->push_back({covered, begin, false});
    spans->push_back({begin, at, true});
    covered = at;
  }
  if (covered < text.size()) spans->push_back({covered, text.size(), false});
}

class Digits : public PreTokenizer {
 public:
  explicit Digits(bool individual) : individual_(individual) {}
  absl::Status Apply(std::vector<Piece>* pieces) const override {
    return SplitEach(pieces, [this](const Piece& piece, std::vector<Span>* spans) {
      FindCharacters(piece.text, IsNumeric, spans);
      *spans = ApplySplitBehavior(
          individual_ ? SplitBehavior::kIsolated : SplitBehavior::kContiguous, std::move(*spans));
      return absl::OkStatus();
    });
  }

 private:
  bool individual_;
};

class Metaspace : public PreTokenizer {
 public:
  enum class Prepend { kAlways, kFirst, kNever };
  Metaspace(uint32_t replacement, Prepend prepend, bool split)
      : character_(replacement), prepend_(prepend), split_(split) {
    AppendUtf8(replacement, &replacement_);
  }
  absl::Status Apply(std::vector<Piece>* pieces) const override {
    return SplitEach(pieces, [this](Piece& piece, std::vector<Span>* spans) {
      std::string text;
      for (char c : piece.text) c == ' ' ? text += replacement_ : text += c;
      bool prepend =
          prepend_ == Prepend::kAlways || (prepend_ == Prepend::kFirst && piece.at_start);
      if (prepend && !absl::StartsWith(text, replacement_)) text.insert(0, replacement_);
      piece.text = std::move(text);
      if (split_) {
        FindCharacters(
            piece.text, [this](uint32_t c) { return c == character_; }, spans);
        *spans = ApplySplitBehavior(SplitBehavior::kMergedWithNext, std::move(*spans));
      } else {
        spans->push_back({0, piece.text.size(), false});
      }
      return absl::OkStatus();
    });
  }

 private:
  uint32_t character_;
  std::string replacement_;
  Prepend prepend_;
  bool split_;
};

class Sequence : public PreTokenizer {
 public:
  explicit Sequence(std::vector<std::unique_ptr<const PreTokenizer>> parts)
      : parts_(std::move(parts)) {}
  absl::Status Apply(std::vector<Piece>* pieces) const override {
    for (const auto& part : parts_) STEER_RETURN_IF_ERROR(part->Apply(pieces));
    return absl::OkStatus();
  }

 private:
  std::vector<std::unique_ptr<const PreTokenizer>> parts_;
};

Created CreateSplit(const Node& node) {
  STEER_RETURN_IF_ERROR(node.CheckKeys({"type", "pattern", "behavior", "invert"}));
  STEER_ASSIGN_OR_RETURN(Node pattern_node, node.Field("pattern"));
  STEER_ASSIGN_OR_RETURN(auto pattern, ReadPattern(pattern_node));
  STEER_ASSIGN_OR_RETURN(std::string name, node.String("behavior"));
  absl::optional<SplitBehavior> behavior = ParseSplitBehavior(name);
  if (!behavior.has_value()) {
    return node.Field("behavior")
        ->Error(absl::StrCat("\"", name.substr(0, 80),
                             "\" is not Removed, Isolated, Contiguous, "
                             "MergedWithPrevious or MergedWithNext"));
  }
  STEER_ASSIGN_OR_RETURN(bool invert, node.Bool("invert"));
  return std::make_unique<SplitPreTokenizer>(std::move(pattern), *behavior, invert);
}

Created CreateByteLevel(const Node& node) {
  STEER_RETURN_IF_ERROR(node.CheckKeys({"type", "add_prefix_space", "trim_offsets", "use_regex"}));
  STEER_ASSIGN_OR_RETURN(bool add_prefix_space, node.Bool("add_prefix_space"));
  // About offsets, of which we have none.
  STEER_RETURN_IF_ERROR(node.Bool("trim_offsets", true).status());
  STEER_ASSIGN_OR_RETURN(bool use_regex, node.Bool("use_regex", true));
  std::shared_ptr<const Pattern> pattern;
  if (use_regex) {
    STEER_ASSIGN_OR_RETURN(
        pattern,
        Pattern::CompileRegex(
            R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)"));
  }
  return std::make_unique<ByteLevelPreTokenizer>(std::move(pattern), add_prefix_space);
}

Created CreateMetaspace(const Node& node) {
  STEER_RETURN_IF_ERROR(node.CheckKeys(
      {"type", "replacement", "prepend_scheme", "split", "add_prefix_space", "str_rep"}));
  STEER_ASSIGN_OR_RETURN(uint32_t replacement, node.Character("replacement"));
  STEER_ASSIGN_OR_RETURN(auto scheme, node.OptionalString("prepend_scheme"));
  STEER_ASSIGN_OR_RETURN(bool add_prefix_space, node.Bool("add_prefix_space", true));
  STEER_ASSIGN_OR_RETURN(bool split, node.Bool("split", true));
  Metaspace::Prepend prepend = Metaspace::Prepend::kAlways;
  if (scheme == "first") {
    prepend = Metaspace::Prepend::kFirst;
  } else if (scheme == "never") {
    prepend = Metaspace::Prepend::kNever;
  } else if (scheme.has_value() && scheme != "always") {
    return node.Field("prepend_scheme")
        ->Error(absl::StrCat("\"", scheme->substr(0, 80), "\" is not always, first or never"));
  }
  if (!add_prefix_space && prepend != Metaspace::Prepend::kNever) {
    return node.Field("add_prefix_space")
        ->Error("false contradicts prepend_scheme, which is not \"never\"");
  }
  return std::make_unique<Metaspace>(replacement, prepend, split);
}

Created CreateSequence(const Node& node) {
  STEER_RETURN_IF_ERROR(node.CheckKeys({"type", "pretokenizers"}));
  STEER_ASSIGN_OR_RETURN(std::vector<Node> nodes, node.Array("pretokenizers"));
  std::vector<std::unique_ptr<const PreTokenizer>> parts;
  for (const Node& part : nodes) {
    if (part.is_null()) return part.Error("null");
    STEER_ASSIGN_OR_RETURN(auto pre_tokenizer, PreTokenizer::Create(part));
    parts.push_back(std::move(pre_tokenizer));
  }
  return std::make_unique<Sequence>(std::move(parts));
}

}  // namespace

Created PreTokenizer::Create(const Node& node) {
  if (node.is_null())
    return std::make_unique<Sequence>(std::vector<std::unique_ptr<const PreTokenizer>>());
  STEER_ASSIGN_OR_RETURN(std::string type, node.String("type"));
  if (type == "Sequence") return CreateSequence(node);
  if (type == "Split") return CreateSplit(node);
  if (type == "ByteLevel") return CreateByteLevel(node);
  if (type == "Metaspace") return CreateMetaspace(node);
  if (type == "Digits") {
    STEER_RETURN_IF_ERROR(node.CheckKeys({"type", "individual_digits"}));
    STEER_ASSIGN_OR_RETURN(bool individual, node.Bool("individual_digits"));
    return std::make_unique<Digits>(individual);
  }
  return node.Field("type")->Error(
      absl::StrCat("\"", type.substr(0, 80),
                   "\" is not built; known are Split, ByteLevel, Digits, Metaspace and Sequence"));
}

}  // namespace steer::tok
