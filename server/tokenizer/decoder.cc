#include "server/tokenizer/decoder.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace steer::tok {

absl::StatusOr<Decoder> Decoder::Create(const Node& node) {
  Decoder decoder;
  if (node.is_null()) {
    decoder.stages_.push_back([](bool, SinkPtr next) { return MakeSpaceJoin(std::move(next)); });
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
    stages_.push_back([](bool raw, SinkPtr next) { return MakeByteLevel(raw, std::move(next)); });
    return absl::OkStatus();
  }
  if (type == "ByteFallback" || type == "Fuse") {
    STEER_RETURN_IF_ERROR(node.CheckKeys({"type"}));
    bool fuse = type == "Fuse";
    stages_.push_back([fuse](bool raw, SinkPtr next) {
      return fuse ? MakeFuse(std::move(next)) : MakeByteFallback(raw, std::move(next));
    });
    return absl::OkStatus();
  }
  if (type == "Replace") {
    STEER_RETURN_IF_ERROR(node.CheckKeys({"type", "pattern", "content"}));
    STEER_ASSIGN_OR_RETURN(Node pattern, node.Field("pattern"));
    STEER_RETURN_IF_ERROR(pattern.CheckKeys({"String"}));
    STEER_ASSIGN_OR_RETURN(std::string from, pattern.String("String"));
    if (from.empty()) return pattern.Error("an empty string matches nothing");
    STEER_ASSIGN_OR_RETURN(std::string to, node.String("content"));
    stages_.push_back(
        [from, to](bool, SinkPtr next) { return MakeReplace(from, to, std::move(next)); });
    return absl::OkStatus();
  }
  if (type == "Strip") {
    STEER_RETURN_IF_ERROR(node.CheckKeys({"type", "content", "start", "stop"}));
    STEER_ASSIGN_OR_RETURN(uint32_t character, node.Character("content"));
    STEER_ASSIGN_OR_RETURN(int64_t start, node.Integer("start", 0, 1 << 20));
    STEER_ASSIGN_OR_RETURN(int64_t stop, node.Integer("stop", 0, 1 << 20));
    stages_.push_back([=](bool raw, SinkPtr next) {
      return raw ? std::move(next) : MakeStrip(character, start, stop, std::move(next));
    });
    return absl::OkStatus();
  }
  if (type == "Metaspace") {
    STEER_RETURN_IF_ERROR(node.CheckKeys(
        {"type", "replacement", "prepend_scheme", "split", "add_prefix_space", "str_rep"}));
    STEER_ASSIGN_OR_RETURN(uint32_t character, node.Character("replacement"));
    STEER_ASSIGN_OR_RETURN(auto scheme, node.OptionalString("prepend_scheme"));
    bool drop_first = scheme != "never";
    stages_.push_back([=](bool raw, SinkPtr next) {
      return MakeMetaspace(character, drop_first && !raw, std::move(next));
    });
    return absl::OkStatus();
  }
  return node.Field("type")->Error(
      absl::StrCat("\"", type.substr(0, 80),
                   "\" is not built; known are ByteLevel, ByteFallback, Fuse, Replace, Strip, "
                   "Metaspace and Sequence"));
}

SinkPtr Decoder::Open(bool raw, std::string* out) const {
  SinkPtr sink = MakeStringSink(out);
  for (auto it = stages_.rbegin(); it != stages_.rend(); ++it) sink = (*it)(raw, std::move(sink));
  return sink;
}

}  // namespace steer::tok
