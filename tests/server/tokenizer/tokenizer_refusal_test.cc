// Every malformed or unbuilt node of a tokenizer.json ends in one INVALID_ARGUMENT that names the
// file and the node.
#include <sys/mman.h>

#include "absl/strings/match.h"
#include "tests/server/tokenizer/tokenizer_golden.h"

namespace steer {
namespace {

const char kBase[] = R"({
  "version": "1.0", "truncation": null, "padding": null,
  "added_tokens": [{"id": 4, "content": "<e>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true}],
  "normalizer": {"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Replace", "pattern": {"String": " "}, "content": "_"}]},
  "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
    {"type": "Split", "pattern": {"Regex": "\\s+"}, "behavior": "Isolated", "invert": false},
    {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false}]},
  "post_processor": {"type": "ByteLevel"},
  "decoder": {"type": "Sequence", "decoders": [{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true}]},
  "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null, "end_of_word_suffix": null,
    "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
    "vocab": {"a": 0, "b": 1, "ab": 2, "c": 3}, "merges": [["a", "b"]]}})";

struct Mistake {
  const char* patch;  // JSON pointer
  const char* value;  // JSON; "-" removes the field
  const char* named;  // must be in the message
};

const Mistake kMistakes[] = {
    {"/version", "\"2.0\"", "version: \"2.0\""},
    {"/version", "1", "version: not a string"},
    {"/truncation", "{\"max_length\": 5}", "truncation: only null"},
    {"/padding", "{}", "padding: only null"},
    {"/extra", "1", "extra: no such field"},
    {"/post_processor", "[]", "post_processor: neither"},
    {"/model", "-", "model: missing"},
    {"/model", "[]", "model: not an object"},
    {"/model/type", "\"Unigram\"", "model.type: \"Unigram\" is not built"},
    {"/model/type", "\"WordPiece\"", "model.type: \"WordPiece\" is not built"},
    {"/model/type", "3", "model.type: not a string"},
    {"/model/dropout", "0.1", "model.dropout"},
    {"/model/dropout", "\"none\"", "model.dropout: dropout is not built"},
    {"/model/unk_token", "\"zzz\"", "model.unk_token: \"zzz\""},
    {"/model/unk_token", "5", "model.unk_token: not a string"},
    {"/model/continuing_subword_prefix", "\"##\"", "model.continuing_subword_prefix"},
    {"/model/continuing_subword_prefix", "5", "model.continuing_subword_prefix: not a string"},
    {"/model/end_of_word_suffix", "\"</w>\"", "model.end_of_word_suffix"},
    {"/model/fuse_unk", "\"yes\"", "model.fuse_unk"},
    {"/model/byte_fallback", "1", "model.byte_fallback"},
    {"/model/ignore_merges", "[]", "model.ignore_merges"},
    {"/model/other", "1", "model.other: no such field"},
    {"/model/vocab", "-", "model.vocab: missing"},
    {"/model/vocab", "{}", "model.vocab: empty"},
    {"/model/vocab", "[]", "model.vocab"},
    {"/model/vocab/c", "-3", "model.vocab[\"c\"]: the id -3"},
    {"/model/vocab/c", "4194304", "model.vocab[\"c\"]: the id 4194304"},
    {"/model/vocab/c", "99999999999999999999", "model.vocab[\"c\"]"},
    {"/model/vocab/c", "9999999999999999999", "model.vocab[\"c\"]: the id 9223372036854775807"},
    {"/model/vocab/c", "2", "model.vocab[\"c\"]: has the id 2 of \"ab\""},
    {"/model/vocab/c", "\"3\"", "model.vocab[\"c\"]: not an integer"},
    {"/model/vocab/c", "3.5", "model.vocab[\"c\"]: not an integer"},
    {"/model/vocab/c", "null", "model.vocab[\"c\"]: not an integer"},
    {"/model/vocab/c", "{}", "model.vocab[\"c\"]: not an integer"},
    {"/model/vocab/c", "[]", "model.vocab[\"c\"]: not an integer"},
    {"/model/merges", "-", "model.merges: missing"},
    {"/model/merges", "{}", "model.merges"},
    {"/model/merges", "[\"a b\", [\"a\", \"b\"]]", "model.merges[1]: strings and pairs"},
    {"/model/merges", "[\"ab\"]", "model.merges[0]: \"ab\" is not two"},
    {"/model/merges", "[\"a b c\"]", "model.merges[0]: \"a b c\" is not two"},
    {"/model/merges", "[[\"a\", \"z\"]]", "model.merges[0]: \"z\" is not in model.vocab"},
    {"/model/merges", "[[\"b\", \"a\"]]", "model.merges[0]: \"ba\" is not in model.vocab"},
    {"/model/merges", "[[\"a\"]]", "model.merges[0]"},
    {"/model/merges", "[[\"a\", \"b\"], [\"a\", \"b\", \"c\"]]", "model.merges[1]"},
    {"/model/merges", "[[\"a\", \"b\"], []]", "model.merges[1]"},
    {"/model/merges", "[[\"a\", 1]]", "model.merges[0]"},
    {"/model/merges", "[[[\"a\"], \"b\"]]", "model.merges[0]"},
    {"/model/merges", "[5]", "model.merges[0]"},
    {"/model/merges", "[{}]", "model.merges[0]"},
    {"/added_tokens", "{}", "added_tokens: not an array"},
    {"/added_tokens/0", "\"x\"", "added_tokens[0]: not an object"},
    {"/added_tokens/0/id", "9", "added_tokens[0].id: 9, but"},
    {"/added_tokens/0/id", "-1", "added_tokens[0].id: not an integer"},
    {"/added_tokens/0/content", "\"b\"", "added_tokens[0].id: 4, but"},
    {"/added_tokens/0/content", "\"\"", "added_tokens[0].content: empty"},
    {"/added_tokens/0/content", "-", "added_tokens[0].content: missing"},
    {"/added_tokens/0/special", "-", "added_tokens[0].special: missing"},
    {"/added_tokens/0/id", "-", "added_tokens[0].id: missing"},
    {"/added_tokens/0/id", "\"4\"", "added_tokens[0].id: not an integer from 0 to 4194303"},
    {"/added_tokens/0/id", "4194304", "added_tokens[0].id: not an integer from 0 to 4194303"},
    {"/added_tokens/0/id", "18446744073709551615",
     "added_tokens[0].id: not an integer from 0 to 4194303"},
    {"/added_tokens/0/single_word", "-", "added_tokens[0].single_word: missing"},
    {"/added_tokens/0/rstrip", "null", "added_tokens[0].rstrip: not true or false"},
    {"/added_tokens/0/normalized", "\"no\"", "added_tokens[0].normalized: not true or false"},
    {"/added_tokens/0/lstrip", "0", "added_tokens[0].lstrip: not true or false"},
    {"/added_tokens/0/color", "0", "added_tokens[0].color: no such field"},
    {"/added_tokens/1",
     "{\"id\": 4, \"content\": \"<e>\", \"single_word\": false, \"lstrip\": false, \"rstrip\": "
     "false, \"normalized\": false, \"special\": true}",
     "added_tokens[1].id: 4, but"},
    {"/added_tokens/1",
     "{\"id\": 5, \"content\": \"<e>\", \"single_word\": false, \"lstrip\": false, \"rstrip\": "
     "false, \"normalized\": false, \"special\": true}",
     "added_tokens[1].content: \"<e>\" occurs twice"},
    {"/normalizer/x", "1", "normalizer.x: no such field"},
    {"/normalizer/normalizers/1/x", "1", "normalizer.normalizers[1].x: no such field"},
    {"/normalizer/normalizers/0", "{\"type\": \"Strip\", \"x\": 1}",
     "normalizer.normalizers[0].x: no such field"},
    {"/normalizer/normalizers/0", "{\"type\": \"Prepend\", \"x\": 1}",
     "normalizer.normalizers[0].x: no such field"},
    {"/normalizer", "7", "normalizer: not an object"},
    {"/normalizer/normalizers", "-", "normalizer.normalizers: missing"},
    {"/normalizer/normalizers/0/type", "\"Nmt\"",
     "normalizer.normalizers[0].type: \"Nmt\" is not built"},
    {"/normalizer/normalizers/0/x", "1", "normalizer.normalizers[0].x: no such field"},
    {"/normalizer/normalizers/0", "null", "normalizer.normalizers[0]: null"},
    {"/normalizer/normalizers/0", "{\"type\": \"Strip\", \"strip_left\": true}",
     "normalizer.normalizers[0].strip_right: missing"},
    {"/normalizer/normalizers/0", "{\"type\": \"Strip\", \"strip_right\": true}",
     "normalizer.normalizers[0].strip_left: missing"},
    {"/normalizer/normalizers/0", "{\"type\": \"Prepend\"}",
     "normalizer.normalizers[0].prepend: missing"},
    {"/normalizer/normalizers/1/pattern", "{}", "normalizer.normalizers[1].pattern: needs"},
    {"/normalizer/normalizers/1/pattern", "{\"String\": \"\"}",
     "normalizer.normalizers[1].pattern.String"},
    {"/normalizer/normalizers/1/pattern", "{\"Glob\": \"*\"}",
     "normalizer.normalizers[1].pattern.Glob"},
    {"/normalizer/normalizers/1/pattern", "-", "normalizer.normalizers[1].pattern: missing"},
    {"/normalizer/normalizers/1/pattern", "{\"String\": 5}",
     "normalizer.normalizers[1].pattern.String: not a string"},
    {"/normalizer/normalizers/1/content", "-", "normalizer.normalizers[1].content: missing"},
    {"/pre_tokenizer/pretokenizers", "-", "pre_tokenizer.pretokenizers: missing"},
    {"/pre_tokenizer/pretokenizers/1/type", "\"Whitespace\"",
     "pre_tokenizer.pretokenizers[1].type: \"Whitespace\" is not built"},
    {"/pre_tokenizer/pretokenizers/1/add_prefix_space", "-",
     "pre_tokenizer.pretokenizers[1].add_prefix_space: missing"},
    {"/pre_tokenizer/pretokenizers/1/use_regex", "1", "pre_tokenizer.pretokenizers[1].use_regex"},
    {"/pre_tokenizer/pretokenizers/1/trim_offsets", "1",
     "pre_tokenizer.pretokenizers[1].trim_offsets: not true or false"},
    {"/pre_tokenizer/pretokenizers/1/x", "1", "pre_tokenizer.pretokenizers[1].x: no such field"},
    {"/pre_tokenizer", "{}", "pre_tokenizer.type: missing"},
    {"/pre_tokenizer/pretokenizers/0/x", "1", "pre_tokenizer.pretokenizers[0].x: no such field"},
    {"/pre_tokenizer/x", "1", "pre_tokenizer.x: no such field"},
    {"/pre_tokenizer/pretokenizers/0/pattern", "-",
     "pre_tokenizer.pretokenizers[0].pattern: missing"},
    {"/pre_tokenizer/pretokenizers/0/behavior", "3",
     "pre_tokenizer.pretokenizers[0].behavior: not a string"},
    {"/pre_tokenizer/pretokenizers/0/behavior", "\"Merged\"",
     "pre_tokenizer.pretokenizers[0].behavior: \"Merged\""},
    {"/pre_tokenizer/pretokenizers/0/invert", "-",
     "pre_tokenizer.pretokenizers[0].invert: missing"},
    {"/pre_tokenizer/pretokenizers/0", "null", "pre_tokenizer.pretokenizers[0]: null"},
    {"/pre_tokenizer", "{\"type\": \"Digits\"}", "pre_tokenizer.individual_digits: missing"},
    {"/pre_tokenizer", "{\"type\": \"Digits\", \"individual_digits\": true, \"x\": 1}",
     "pre_tokenizer.x: no such field"},
    {"/pre_tokenizer", "{\"type\": \"Metaspace\"}", "pre_tokenizer.replacement: missing"},
    {"/pre_tokenizer", "{\"type\": \"Metaspace\", \"replacement\": \"_\", \"x\": 1}",
     "pre_tokenizer.x: no such field"},
    {"/pre_tokenizer", "{\"type\": \"Metaspace\", \"replacement\": \"_\", \"prepend_scheme\": 1}",
     "pre_tokenizer.prepend_scheme: not a string"},
    {"/pre_tokenizer", "{\"type\": \"Metaspace\", \"replacement\": \"_\", \"add_prefix_space\": 1}",
     "pre_tokenizer.add_prefix_space: not true or false"},
    {"/pre_tokenizer", "{\"type\": \"Metaspace\", \"replacement\": \"_\", \"split\": 1}",
     "pre_tokenizer.split: not true or false"},
    {"/pre_tokenizer", "{\"type\": \"Metaspace\", \"replacement\": \"ab\"}",
     "pre_tokenizer.replacement: not one character"},
    {"/pre_tokenizer",
     "{\"type\": \"Metaspace\", \"replacement\": \"_\", \"prepend_scheme\": \"last\"}",
     "pre_tokenizer.prepend_scheme"},
    {"/pre_tokenizer",
     "{\"type\": \"Metaspace\", \"replacement\": \"_\", \"add_prefix_space\": false}",
     "pre_tokenizer.add_prefix_space"},
    {"/decoder", "{}", "decoder.type: missing"},
    {"/decoder/x", "1", "decoder.x: no such field"},
    {"/decoder/decoders/0/x", "1", "decoder.decoders[0].x: no such field"},
    {"/decoder/decoders/0", "{\"type\": \"Replace\", \"x\": 1}",
     "decoder.decoders[0].x: no such field"},
    {"/decoder/decoders/0", "{\"type\": \"Strip\", \"x\": 1}",
     "decoder.decoders[0].x: no such field"},
    {"/decoder/decoders", "{}", "decoder.decoders: not an array"},
    {"/decoder/decoders/0/type", "\"CTC\"", "decoder.decoders[0].type: \"CTC\" is not built"},
    {"/decoder/decoders/0", "{\"type\": \"Strip\", \"content\": \" \", \"start\": -1, \"stop\": 0}",
     "decoder.decoders[0].start"},
    {"/decoder/decoders/0",
     "{\"type\": \"Replace\", \"pattern\": {\"Regex\": \"a\"}, \"content\": \"\"}",
     "decoder.decoders[0].pattern.Regex"},
    {"/decoder/decoders/0", "{\"type\": \"Strip\", \"start\": 0, \"stop\": 0}",
     "decoder.decoders[0].content: missing"},
    {"/decoder/decoders/0", "{\"type\": \"Strip\", \"content\": \" \", \"start\": 0}",
     "decoder.decoders[0].stop: missing"},
    {"/decoder/decoders/0", "{\"type\": \"Replace\", \"content\": \"\"}",
     "decoder.decoders[0].pattern: missing"},
    {"/decoder/decoders/0", "{\"type\": \"Replace\", \"pattern\": {}, \"content\": \"\"}",
     "decoder.decoders[0].pattern.String: missing"},
    {"/decoder/decoders/0",
     "{\"type\": \"Replace\", \"pattern\": {\"String\": \"\"}, \"content\": \"\"}",
     "decoder.decoders[0].pattern: an empty string matches nothing"},
    {"/decoder/decoders/0", "{\"type\": \"Replace\", \"pattern\": {\"String\": \"a\"}}",
     "decoder.decoders[0].content: missing"},
    {"/decoder/decoders/0", "{\"type\": \"Metaspace\"}",
     "decoder.decoders[0].replacement: missing"},
    {"/decoder/decoders/0", "{\"type\": \"Metaspace\", \"replacement\": \"_\", \"x\": 1}",
     "decoder.decoders[0].x: no such field"},
    {"/decoder/decoders/0",
     "{\"type\": \"Metaspace\", \"replacement\": \"_\", \"prepend_scheme\": 1}",
     "decoder.decoders[0].prepend_scheme: not a string"},
    {"/decoder/decoders/0", "{\"type\": \"Fuse\", \"x\": 1}", "decoder.decoders[0].x"},
};

void ExpectRefused(absl::string_view json, absl::string_view named) {
  auto tokenizer = Tokenizer::FromJson(json, "dir/tokenizer.json");
  ASSERT_FALSE(tokenizer.ok());
  EXPECT_EQ(tokenizer.status().code(), absl::StatusCode::kInvalidArgument) << tokenizer.status();
  EXPECT_TRUE(absl::StartsWith(tokenizer.status().message(), "dir/tokenizer.json: "))
      << tokenizer.status();
  EXPECT_TRUE(absl::StrContains(tokenizer.status().message(), named)) << tokenizer.status();
}

TEST(RefusalTest, BaseLoads) {
  auto tokenizer = Tokenizer::FromJson(kBase, "t");
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  EXPECT_EQ(*(*tokenizer)->Encode("abc<e>"), (std::vector<int32_t>{2, 3, 4}));
  EXPECT_EQ((*tokenizer)->Piece(2), "ab");
}

TEST(RefusalTest, EveryMistakeIsNamed) {
  for (const Mistake& mistake : kMistakes) {
    SCOPED_TRACE(absl::StrCat(mistake.patch, " = ", mistake.value));
    Json json = Json::parse(kBase);
    Json::json_pointer pointer(mistake.patch);
    if (std::string(mistake.value) == "-") {
      json[pointer.parent_pointer()].erase(pointer.back());
    } else {
      json[pointer] = Json::parse(mistake.value);
    }
    ExpectRefused(json.dump(), mistake.named);
  }
}

TEST(RefusalTest, PatternsThatTheEnginesReadDifferently) {
  for (const char* regex :
       {"\\w+",    "\\W",          "\\bfoo",    "\\B",      "\\h",         "\\R",
        "\\X",     "\\K",          "\\G",       "\\1",      "(?i)a",       "(?m:a)",
        "(?<n>a)", "(?#c)",        "(?i:ss)",   "(?i:[a])", "(?i:\\p{L})", "(?i:\u00e9)",
        "[a&&b]",  "[[:alpha:]]",  "[a[b]]",    "[]a]",     "[^]",         "[a",
        "(a",      "a)",           "\\p{Han}",  "\\p{Mn}",  "\\p{C}",      "\\pL",
        "\\p{L",   "[\\P{L}]",     "[\\d-a]",   "[a-\\d]",  "a{1,2}+",     "a{x}",
        "a{",      "\\x{110000}",  "\\x{d800}", "\\xe9",    "\\u12",       "\\x{",
        "*a",      "(?<=a+)b",     "\\",        "(?i:.)",   "(?i:\\n)",    "(?i:(?:[a]))",
        "a{}",     "a{,}",         "a{1,x}",    "a{12345}", "a{1,12345}",  "\\\u00e9",
        "\\x",     "\\x{1234567}", "\\xzz",     "\\p",      "[",           "[\\w]",
        "[a-\\w]", "[a-[b]]",      "[a-&&b]"}) {
    SCOPED_TRACE(regex);
    Json json = Json::parse(kBase);
    json["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = regex;
    ExpectRefused(json.dump(), "pre_tokenizer.pretokenizers[0].pattern.Regex: ");
  }
}

TEST(RefusalTest, BytesThatAreNotJson) {
  ExpectRefused("", "not valid JSON");
  ExpectRefused("null", "not a JSON object");
  ExpectRefused("[]", "not a JSON object");
  ExpectRefused("{\n \"model\": tru}", "line 2");
  ExpectRefused("{\"version\": \"\xff\"}", "not valid JSON");
  ExpectRefused(std::string(kBase) + "x", "not valid JSON");
  ExpectRefused(std::string(kBase) + std::string("\0x", 2), "not valid JSON: a NUL character");
  ExpectRefused("{\"a\": 1e999}", "not valid JSON");
  ExpectRefused("{\"version\": \"1.0\", \"version\": \"1.0\"}", "\"version\" occurs twice");
  ExpectRefused(std::string(200000, '['), "nested deeper");
  std::string twice = kBase;
  twice.insert(twice.find("\"b\": 1"), "\"a\": 7, ");
  ExpectRefused(twice, "model.vocab[\"a\"]: occurs twice");
  std::string vocabularies = kBase;
  vocabularies.insert(vocabularies.find("\"vocab\""), "\"vocab\": {\"q\": 9}, ");
  ExpectRefused(vocabularies, "\"vocab\" occurs twice");
  std::string merges = kBase;
  merges.insert(merges.find("\"merges\""), "\"merges\": [], ");
  ExpectRefused(merges, "\"merges\" occurs twice");
  std::string base = kBase;
  for (size_t length = 0; length < base.size(); ++length) {
    EXPECT_FALSE(Tokenizer::FromJson(absl::string_view(base).substr(0, length), "t").ok())
        << length;
  }
}

// What is normalised to nothing could be found nowhere.
TEST(RefusalTest, AnAddedTokenOfWhichNothingIsLeft) {
  Json json = Json::parse(kBase);
  json["normalizer"]["normalizers"][1] = {
      {"type", "Strip"}, {"strip_left", true}, {"strip_right", true}};
  json["added_tokens"][0]["content"] = "  ";
  json["added_tokens"][0]["normalized"] = true;
  ExpectRefused(json.dump(), "added_tokens[0].content: nothing is left of it after normalisation");
}

// Only pages that are read take memory, and none is.
TEST(RefusalTest, MoreThanAGibibyte) {
  const size_t size = (size_t{1} << 30) + 1;
  void* bytes = mmap(nullptr, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  ASSERT_NE(bytes, MAP_FAILED);
  ExpectRefused(absl::string_view(static_cast<const char*>(bytes), size), "larger than 1 GiB");
  munmap(bytes, size);
}

TEST(RefusalTest, MissingFileIsNamed) {
  auto tokenizer = Tokenizer::Load("no-such-folder");
  EXPECT_EQ(tokenizer.status().code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(absl::StrContains(tokenizer.status().message(), "no-such-folder/tokenizer.json"))
      << tokenizer.status();
}

}  // namespace
}  // namespace steer
