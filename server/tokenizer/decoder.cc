#include "server/tokenizer/decoder.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "common/utf8.h"
#include "server/tokenizer/byte_alphabet.h"

namespace steer::tok {

absl::StatusOr<Decoder> Decoder::Create(const Node& node) {
  Decoder decoder;
  if (node.is_null()) {
    decoder.stages_.push_back(
        [](const Opening&, SinkPtr next) { return MakeSpaceJoin(std::move(next)); });
  } else {
    STEER_RETURN_IF_ERROR(decoder.Add(node));
  }
  return decoder;
}

absl::Status Decoder::Add(const Node& node) {
  STEER_ASSIGN_OR_RETURN(std::string type, node.String("type"));
  if (type == "Sequence") {
    STEER_RETURN_IF_ERROR(node.CheckKeys({"type", "decoders"}));
    STEER_ASSIGN_OR_RETURN(std::vector<Node> nodes, node.Array("decoders"));
    for (const Node& part : nodes) STEER_RETURN_IF_ERROR(Add(part));
    return absl::OkStatus();
  }
  if (type == "ByteLevel") {
    // The fields are about encoding.
    STEER_RETURN_IF_ERROR(
        node.CheckKeys({"type", "add_prefix_space", "trim_offsets", "use_regex"}));
    const bool kept = keeps_alphabet_, no_bytes = reads_byte_tokens_;
    stages_.push_back([kept, no_bytes](const Opening& opening, SinkPtr next) {
      const bool only_alphabet =
          kept && opening.in_byte_alphabet && !(no_bytes && opening.has_byte_token);
      return MakeByteLevel(opening.raw, only_alphabet, std::move(next));
    });
    keeps_alphabet_ = false;
    return absl::OkStatus();
  }
  if (type == "ByteFallback" || type == "Fuse") {
    STEER_RETURN_IF_ERROR(node.CheckKeys({"type"}));
    bool fuse = type == "Fuse";
    stages_.push_back([fuse](const Opening& opening, SinkPtr next) {
      return fuse ? MakeFuse(std::move(next)) : MakeByteFallback(opening.raw, std::move(next));
    });
    reads_byte_tokens_ = reads_byte_tokens_ || !fuse;
    return absl::OkStatus();
  }
  if (type == "Replace") {
    STEER_RETURN_IF_ERROR(node.CheckKeys({"type", "pattern", "content"}));
    STEER_ASSIGN_OR_RETURN(Node pattern, node.Field("pattern"));
    STEER_RETURN_IF_ERROR(pattern.CheckKeys({"String"}));
    STEER_ASSIGN_OR_RETURN(std::string from, pattern.String("String"));
    if (from.empty()) return pattern.Error("an empty string matches nothing");
    STEER_ASSIGN_OR_RETURN(std::string to, node.String("content"));
    stages_.push_back([from, to](const Opening&, SinkPtr next) {
      return MakeReplace(from, to, std::move(next));
    });
    // A pattern with another character finds nothing in the alphabet.
    if (IsByteAlphabet(from) && !IsByteAlphabet(to)) keeps_alphabet_ = false;
    return absl::OkStatus();
  }
  if (type == "Strip") {
    STEER_RETURN_IF_ERROR(node.CheckKeys({"type", "content", "start", "stop"}));
    STEER_ASSIGN_OR_RETURN(uint32_t character, node.Character("content"));
    STEER_ASSIGN_OR_RETURN(int64_t start, node.Integer("start", 0, 1 << 20));
    STEER_ASSIGN_OR_RETURN(int64_t stop, node.Integer("stop", 0, 1 << 20));
    stages_.push_back([=](const Opening& opening, SinkPtr next) {
      return opening.raw ? std::move(next) : MakeStrip(character, start, stop, std::move(next));
    });
    return absl::OkStatus();
  }
  if (type == "Metaspace") {
    STEER_RETURN_IF_ERROR(node.CheckKeys(
        {"type", "replacement", "prepend_scheme", "split", "add_prefix_space", "str_rep"}));
    STEER_ASSIGN_OR_RETURN(uint32_t character, node.Character("replacement"));
    STEER_ASSIGN_OR_RETURN(auto scheme, node.OptionalString("prepend_scheme"));
    bool drop_first = scheme != "never";
    stages_.push_back([=](const Opening& opening, SinkPtr next) {
      return MakeMetaspace(character, drop_first && !opening.raw, std::move(next));
    });
    std::string replaced;
    AppendUtf8(character, &replaced);
    if (IsByteAlphabet(replaced)) keeps_alphabet_ = false;  // by a space
    return absl::OkStatus();
  }
  return node.Field("type")->Error(
      absl::StrCat("\"", type.substr(0, 80),
                   "\" is not built; known are ByteLevel, ByteFallback, Fuse, Replace, Strip, "
                   "Metaspace and Sequence"));
}

SinkPtr Decoder::Open(bool raw, std::string* out) const {
  Opening opening = tokens_;
  opening.raw = raw;
  SinkPtr sink = MakeStringSink(out);
  for (auto it = stages_.rbegin(); it != stages_.rend(); ++it)
    sink = (*it)(opening, std::move(sink));
  return sink;
}

void Decoder::NoteTokens(bool in_byte_alphabet, bool has_byte_token) {
  tokens_.in_byte_alphabet = in_byte_alphabet;
  tokens_.has_byte_token = has_byte_token;
}

}  // namespace steer::tok
