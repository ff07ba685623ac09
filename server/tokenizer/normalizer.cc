#include "server/tokenizer/normalizer.h"

#include <functional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "common/utf8.h"
#include "server/tokenizer/byte_alphabet.h"
#include "server/tokenizer/pattern_node.h"
#include "server/tokenizer/regex.h"
#include "server/tokenizer/unicode.h"

namespace steer::tok {
namespace {

using Created = absl::StatusOr<std::unique_ptr<const Normalizer>>;

class FormNormalizer : public Normalizer {
 public:
  explicit FormNormalizer(NormalForm form) : form_(form) {}
  absl::Status Apply(std::string* text) const override {
    *text = Normalize(form_, *text);
    return absl::OkStatus();
  }

 private:
  NormalForm form_;
};

class Lowercase : public Normalizer {
 public:
  absl::Status Apply(std::string* text) const override {
    std::string lower;
    for (size_t at = 0; at < text->size();) AppendLowercase(NextCodePoint(*text, &at), &lower);
    *text = std::move(lower);
    return absl::OkStatus();
  }
};

class Strip : public Normalizer {
 public:
  Strip(bool left, bool right) : left_(left), right_(right) {}
  absl::Status Apply(std::string* text) const override {
    // Where the text that is kept begins and ends.
    size_t begin = text->size(), end = 0;
    for (size_t at = 0; at < text->size();) {
      size_t from = at;
      if (IsWhitespace(NextCodePoint(*text, &at))) continue;
      begin = std::min(begin, from);
      end = at;
    }
    if (!left_) begin = 0;
    if (!right_) end = text->size();
    *text = begin < end ? text->substr(begin, end - begin) : "";
    return absl::OkStatus();
  }

 private:
  bool left_, right_;
};

class Replace : public Normalizer {
 public:
  Replace(std::shared_ptr<const Pattern> pattern, std::string content)
      : pattern_(std::move(pattern)), content_(std::move(content)) {}
  absl::Status Apply(std::string* text) const override {
    std::vector<Span> spans;
    STEER_RETURN_IF_ERROR(pattern_->Find(*text, &spans));
    std::string out;
    out.reserve(text->size());
    for (const Span& span : spans) {
      if (span.is_match) {
        out += content_;
      } else {
        out.append(*text, span.begin, span.end - span.begin);
      }
    }
    *text = std::move(out);
    return absl::OkStatus();
  }

 private:
  std::shared_ptr<const Pattern> pattern_;
  std::string content_;
};

class Prepend : public Normalizer {
 public:
  explicit Prepend(std::string prefix) : prefix_(std::move(prefix)) {}
  absl::Status Apply(std::string* text) const override {
    if (!text->empty()) text->insert(0, prefix_);
    return absl::OkStatus();
  }

 private:
  std::string prefix_;
};

class ByteLevel : public Normalizer {
 public:
  absl::Status Apply(std::string* text) const override {
    std::string out;
    AppendByteCharacters(*text, &out);
    *text = std::move(out);
    return absl::OkStatus();
  }
};

class Sequence : public Normalizer {
 public:
  explicit Sequence(std::vector<std::unique_ptr<const Normalizer>> parts)
      : parts_(std::move(parts)) {}
  absl::Status Apply(std::string* text) const override {
    for (const auto& part : parts_) STEER_RETURN_IF_ERROR(part->Apply(text));
    return absl::OkStatus();
  }

 private:
  std::vector<std::unique_ptr<const Normalizer>> parts_;
};

Created CreateStrip(const Node& node) {
  STEER_RETURN_IF_ERROR(node.CheckKeys({"type", "strip_left", "strip_right"}));
  STEER_ASSIGN_OR_RETURN(bool left, node.Bool("strip_left"));
  STEER_ASSIGN_OR_RETURN(bool right, node.Bool("strip_right"));
  return std::make_unique<Strip>(left, right);
}

Created CreateReplace(const Node& node) {
  STEER_RETURN_IF_ERROR(node.CheckKeys({"type", "pattern", "content"}));
  STEER_ASSIGN_OR_RETURN(Node pattern_node, node.Field("pattern"));
  STEER_ASSIGN_OR_RETURN(auto pattern, ReadPattern(pattern_node));
  STEER_ASSIGN_OR_RETURN(std::string content, node.String("content"));
  return std::make_unique<Replace>(std::move(pattern), std::move(content));
}

Created CreateSequence(const Node& node) {
  STEER_RETURN_IF_ERROR(node.CheckKeys({"type", "normalizers"}));
  STEER_ASSIGN_OR_RETURN(std::vector<Node> nodes, node.Array("normalizers"));
  std::vector<std::unique_ptr<const Normalizer>> parts;
  for (const Node& part : nodes) {
    if (part.is_null()) return part.Error("null");
    STEER_ASSIGN_OR_RETURN(auto normalizer, Normalizer::Create(part));
    parts.push_back(std::move(normalizer));
  }
  return std::make_unique<Sequence>(std::move(parts));
}

}  // namespace

Created Normalizer::Create(const Node& node) {
  if (node.is_null())
    return std::make_unique<Sequence>(std::vector<std::unique_ptr<const Normalizer>>());
  STEER_ASSIGN_OR_RETURN(std::string type, node.String("type"));
  if (type == "Sequence") return CreateSequence(node);
  if (type == "Replace") return CreateReplace(node);
  if (type == "Strip") return CreateStrip(node);
  if (type == "Prepend") {
    STEER_RETURN_IF_ERROR(node.CheckKeys({"type", "prepend"}));
    STEER_ASSIGN_OR_RETURN(std::string prefix, node.String("prepend"));
    return std::make_unique<Prepend>(std::move(prefix));
  }
  std::unique_ptr<const Normalizer> plain;
  if (type == "NFC") plain = std::make_unique<FormNormalizer>(NormalForm::kNfc);
  if (type == "NFD") plain = std::make_unique<FormNormalizer>(NormalForm::kNfd);
  if (type == "NFKC") plain = std::make_unique<FormNormalizer>(NormalForm::kNfkc);
  if (type == "NFKD") plain = std::make_unique<FormNormalizer>(NormalForm::kNfkd);
  if (type == "Lowercase") plain = std::make_unique<Lowercase>();
  if (type == "ByteLevel") plain = std::make_unique<ByteLevel>();
  if (plain == nullptr) {
    return node.Field("type")->Error(
        absl::StrCat("\"", type.substr(0, 80),
                     "\" is not built; known are NFC, NFD, NFKC, NFKD, Lowercase, Strip, Replace, "
                     "Prepend, ByteLevel and Sequence"));
  }
  STEER_RETURN_IF_ERROR(node.CheckKeys({"type"}));
  return plain;
}

}  // namespace steer::tok
