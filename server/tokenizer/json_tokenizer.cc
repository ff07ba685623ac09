#include "server/tokenizer/json_tokenizer.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/status_macros.h"
#include "common/utf8.h"
#include "server/tokenizer/byte_alphabet.h"
#include "server/tokenizer/node.h"
#include "server/tokenizer/tokenizer_file.h"

namespace steer::tok {
namespace {

// A node that is absent reads as null.
Node FieldOrNull(const Node& root, absl::string_view key) {
  static const Json* const kNull = new Json(nullptr);
  return root.Has(key) ? *root.Field(key) : Node(*kNull, std::string(key));
}

absl::Status CheckFrame(const Node& root) {
  if (!root.value().is_object()) return absl::InvalidArgumentError("not a JSON object");
  STEER_RETURN_IF_ERROR(
      root.CheckKeys({"version", "truncation", "padding", "added_tokens", "normalizer",
                      "pre_tokenizer", "post_processor", "decoder", "model"}));
  if (root.Has("version")) {
    STEER_ASSIGN_OR_RETURN(std::string version, root.String("version"));
    if (version != "1.0")
      return root.Field("version")->Error(
          absl::StrCat("\"", version.substr(0, 40), "\" is not \"1.0\""));
  }
  for (absl::string_view key : {"truncation", "padding"}) {
    Node node = FieldOrNull(root, key);
    if (!node.is_null())
      return node.Error("only null is built: ids must be those of the whole text and no others");
  }
  // It only adds special tokens and moves offsets; the chat template writes every special token
  // itself.
  Node post_processor = FieldOrNull(root, "post_processor");
  if (!post_processor.is_null() && !post_processor.value().is_object())
    return post_processor.Error("neither an object nor null");
  STEER_ASSIGN_OR_RETURN(Node model, root.Field("model"));
  if (!model.value().is_object()) return model.Error("not an object");
  // Old files of BPE models carry no type; the library knows them by their merges, as we do.
  if (model.Has("type")) {
    STEER_ASSIGN_OR_RETURN(std::string type, model.String("type"));
    if (type != "BPE")
      return model.Field("type")->Error(
          absl::StrCat("\"", type.substr(0, 80), "\" is not built; BPE is"));
  }
  return absl::OkStatus();
}

class Stream : public TextStream {
 public:
  using FeedFunction = void (*)(const JsonTokenizer&, int32_t, TokenSink*);
  Stream(const Decoder& decoder, const JsonTokenizer& tokenizer, FeedFunction feed)
      : sink_(decoder.Open(false, &text_)), tokenizer_(tokenizer), feed_(feed) {}
  void Push(int32_t id) override { feed_(tokenizer_, id, sink_.get()); }
  void Finish() override {
    if (!finished_) sink_->End();
    finished_ = true;
  }
  const std::string& text() const override { return text_; }

 private:
  std::string text_;
  SinkPtr sink_;
  const JsonTokenizer& tokenizer_;
  FeedFunction feed_;
  bool finished_ = false;
};

// Bytes for display: what is not UTF-8 as \xNN.
std::string Readable(absl::string_view bytes) {
  std::string out;
  while (!bytes.empty()) {
    size_t valid = ValidUtf8Prefix(bytes);
    absl::StrAppend(&out, bytes.substr(0, valid));
    bytes.remove_prefix(valid);
    if (bytes.empty()) break;
    absl::StrAppendFormat(&out, "\\x%02X", static_cast<unsigned char>(bytes[0]));
    bytes.remove_prefix(1);
  }
  return out;
}

}  // namespace

absl::StatusOr<std::shared_ptr<const Tokenizer>> JsonTokenizer::Create(absl::string_view json) {
  STEER_ASSIGN_OR_RETURN(TokenizerFile file, ReadTokenizerFile(json));
  Node root(file.root, "");
  STEER_RETURN_IF_ERROR(CheckFrame(root));
  std::shared_ptr<JsonTokenizer> tokenizer(new JsonTokenizer);
  STEER_ASSIGN_OR_RETURN(tokenizer->normalizer_,
                         Normalizer::Create(FieldOrNull(root, "normalizer")));
  STEER_ASSIGN_OR_RETURN(tokenizer->pre_tokenizer_,
                         PreTokenizer::Create(FieldOrNull(root, "pre_tokenizer")));
  STEER_ASSIGN_OR_RETURN(tokenizer->decoder_, Decoder::Create(FieldOrNull(root, "decoder")));
  STEER_ASSIGN_OR_RETURN(tokenizer->bpe_, Bpe::Create(&file));
  STEER_ASSIGN_OR_RETURN(tokenizer->added_,
                         AddedVocabulary::Create(root, *tokenizer->bpe_, *tokenizer->normalizer_));
  bool in_byte_alphabet = true, has_byte_token = false;
  for (int32_t id = 0; id < tokenizer->vocabulary_size(); ++id) {
    const absl::string_view surface = tokenizer->Surface(id).value_or("");
    in_byte_alphabet = in_byte_alphabet && IsByteAlphabet(surface);
    has_byte_token = has_byte_token || IsByteToken(surface);
  }
  tokenizer->decoder_.NoteTokens(in_byte_alphabet, has_byte_token);
  return std::shared_ptr<const Tokenizer>(std::move(tokenizer));
}

absl::StatusOr<std::vector<int32_t>> JsonTokenizer::Encode(absl::string_view text) const {
  if (size_t valid = ValidUtf8Prefix(text); valid != text.size()) {
    return absl::InvalidArgumentError(absl::StrCat("the text is not UTF-8 at byte ", valid));
  }
  STEER_ASSIGN_OR_RETURN(std::vector<tok::Piece> pieces, added_.Split(text, *normalizer_));
  STEER_RETURN_IF_ERROR(pre_tokenizer_->Apply(&pieces));
  std::vector<int32_t> ids;
  ids.reserve(pieces.size());
  for (const tok::Piece& piece : pieces) {
    if (piece.id >= 0) {
      ids.push_back(piece.id);
    } else {
      bpe_->Encode(piece.text, &ids);
    }
  }
  return ids;
}

absl::optional<absl::string_view> JsonTokenizer::Surface(int32_t id) const {
  if (const AddedToken* added = added_.FindId(id); added != nullptr)
    return absl::string_view(added->surface);
  return bpe_->Token(id);
}

void JsonTokenizer::Feed(int32_t id, bool skip_special_tokens, TokenSink* sink) const {
  absl::optional<absl::string_view> surface = Surface(id);
  if (!surface.has_value() || (skip_special_tokens && added_.IsSpecialSurface(*surface))) return;
  sink->Part(*surface);
  sink->EndToken();
}

std::string JsonTokenizer::Decode(absl::Span<const int32_t> ids, bool skip_special_tokens) const {
  std::string text;
  SinkPtr sink = decoder_.Open(false, &text);
  for (int32_t id : ids) Feed(id, skip_special_tokens, sink.get());
  sink->End();
  return text;
}

int32_t JsonTokenizer::vocabulary_size() const {
  return std::max(bpe_->id_limit(), added_.id_limit());
}

absl::optional<int32_t> JsonTokenizer::FindToken(absl::string_view content) const {
  if (const AddedToken* added = added_.FindContent(content); added != nullptr) return added->id;
  return bpe_->Find(content);
}

std::string JsonTokenizer::Piece(int32_t id) const {
  if (const AddedToken* added = added_.FindId(id); added != nullptr) return added->content;
  std::string bytes;
  SinkPtr sink = decoder_.Open(true, &bytes);
  Feed(id, false, sink.get());
  sink->End();
  return Readable(bytes);
}

bool JsonTokenizer::IsSpecial(int32_t id) const {
  absl::optional<absl::string_view> surface = Surface(id);
  return surface.has_value() && added_.IsSpecialSurface(*surface);
}

std::unique_ptr<TextStream> JsonTokenizer::OpenTextStream() const {
  return std::make_unique<Stream>(decoder_, *this,
                                  [](const JsonTokenizer& tokenizer, int32_t id, TokenSink* sink) {
                                    tokenizer.Feed(id, true, sink);
                                  });
}

}  // namespace steer::tok
