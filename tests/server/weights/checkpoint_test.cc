#include "server/weights/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <random>

#include "absl/strings/str_cat.h"
#include "common/digest.h"
#include "common/files.h"

namespace steer {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class CheckpointTest : public testing::Test {
 protected:
  CheckpointTest() : folder_(NewFolder()) {}

  static std::string NewFolder() {
    static int counter = 0;
    const std::string folder =
        absl::StrCat(testing::TempDir(), "/steer_checkpoint.", getpid(), ".", counter++);
    EXPECT_TRUE(MakeFolders(folder).ok());
    return folder;
  }
  void Write(const std::string& name, const std::string& bytes) {
    ASSERT_TRUE(WriteFileAtomically(folder_ + "/" + name, bytes).ok());
  }
  std::string Tensors(const std::vector<std::string>& names) const {
    std::map<std::string, TensorView> tensors;
    for (const std::string& name : names) tensors[name] = Float32View(values_, {2});
    return SerializeSafetensors(tensors, {}).value();
  }
  // A folder with one file of tensors a, b and c.
  void WriteSingle() {
    Write("config.json", R"({"eos_token_id":2})");
    Write("model.safetensors", Tensors({"a", "b", "c"}));
  }
  void WriteSharded(const std::string& weight_map) {
    Write("config.json", R"({"eos_token_id":2})");
    Write("s1.safetensors", Tensors({"a", "c"}));
    Write("s2.safetensors", Tensors({"b"}));
    Write("model.safetensors.index.json", absl::StrCat("{\"weight_map\":", weight_map, "}"));
  }
  std::string Refusal(absl::StatusCode code = absl::StatusCode::kInvalidArgument) const {
    auto checkpoint = Checkpoint::Open(folder_);
    if (checkpoint.ok()) return "accepted";
    EXPECT_EQ(checkpoint.status().code(), code) << checkpoint.status();
    EXPECT_THAT(std::string(checkpoint.status().message()), HasSubstr(folder_));
    return std::string(checkpoint.status().message());
  }

  const std::vector<float> values_ = {1, 2};
  std::string folder_;
};

constexpr char kMap[] = R"({"a":"s1.safetensors","b":"s2.safetensors","c":"s1.safetensors"})";

TEST_F(CheckpointTest, ShardedAndSingleHaveOneFingerprint) {
  WriteSingle();
  auto single = Checkpoint::Open(folder_);
  ASSERT_TRUE(single.ok()) << single.status();
  EXPECT_TRUE(IsSha256Hex((*single)->fingerprint()));
  EXPECT_TRUE((*single)->generation_config().is_null());
  EXPECT_EQ((*single)->folder(), folder_);
  folder_ = NewFolder();
  WriteSharded(kMap);
  auto sharded = Checkpoint::Open(folder_);
  ASSERT_TRUE(sharded.ok()) << sharded.status();
  EXPECT_EQ((*sharded)->fingerprint(), (*single)->fingerprint());
  EXPECT_EQ((*sharded)->tensors().size(), 3u);
  EXPECT_EQ(ToFloat32((*sharded)->tensors().at("b")).value(), values_);
}

TEST_F(CheckpointTest, FingerprintSeesEveryPart) {
  WriteSingle();
  std::vector<std::string> seen = {Checkpoint::Open(folder_).value()->fingerprint()};
  const auto changed = [&](const char* what) {
    const std::string now = Checkpoint::Open(folder_).value()->fingerprint();
    EXPECT_THAT(seen, testing::Not(testing::Contains(now))) << what;
    seen.push_back(now);
  };
  for (const char* name : {"generation_config.json", "tokenizer.json", "tokenizer_config.json"}) {
    Write(name, "{}");
    changed(name);
  }
  Write("chat_template.jinja", "x");
  changed("template");
  Write("config.json", R"({"eos_token_id":3})");
  changed("config");
  Write("model.safetensors", Tensors({"a", "b", "d"}));
  changed("name");
  Write("model.safetensors",
        SerializeSafetensors({{"a", Float32View(values_, {1, 2})}}, {}).value());
  changed("shape");
  const std::vector<float> other = {1, 3};
  Write("model.safetensors", SerializeSafetensors({{"a", Float32View(other, {1, 2})}}, {}).value());
  changed("bytes");
  Write("notes.txt", "not part of it");
  EXPECT_EQ(Checkpoint::Open(folder_).value()->fingerprint(), seen.back());
}

// The definition in fingerprint.h, followed by a few lines of Python's hashlib on the same content:
// a change of it orphans every lock and direction set that is out there.
TEST_F(CheckpointTest, FingerprintIsTheOneThatIsWrittenDown) {
  Write("config.json", R"({"eos_token_id":2})");
  Write("tokenizer.json", "{}");
  std::string big((size_t{2} * kFingerprintPieceBytes) + 1000, '\0');
  for (size_t i = 0; i < big.size(); ++i) big[i] = static_cast<char>((i % 251 * 131 + 7) % 251);
  const std::map<std::string, TensorView> tensors = {
      {"a", Float32View(values_, {2})},
      {"big", {TensorType::kUInt8, {static_cast<int64_t>(big.size())}, big}},
      {"none", {TensorType::kBFloat16, {0, 7}, ""}}};
  Write("model.safetensors", SerializeSafetensors(tensors, {}).value());
  const auto checkpoint = Checkpoint::Open(folder_).value();
  EXPECT_EQ(checkpoint->fingerprint(),
            "2b0a815ba5d6b7d71e37e9dddc71c1c41106dcf820f517370f56fb5907870815");
  // Memory that was given back reads the same.
  const TensorView& view = checkpoint->tensors().at("big");
  checkpoint->Release(view.bytes);
  EXPECT_EQ(view.bytes, big);
  EXPECT_EQ(checkpoint->PathOf(view), folder_ + "/model.safetensors");
  // One that nobody waits for ends at once, and one without tensors ends too.
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(Checkpoint::Open(folder_).ok());
  Write("model.safetensors", SerializeSafetensors({}, {}).value());
  EXPECT_TRUE(IsSha256Hex(Checkpoint::Open(folder_).value()->fingerprint()));
}

TEST_F(CheckpointTest, MissingPartsAreNamed) {
  EXPECT_EQ(Checkpoint::Open(folder_ + "/none").status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(Refusal(absl::StatusCode::kNotFound), HasSubstr("is an empty folder"));
  Write("tokenizer.json", "{}");
  EXPECT_THAT(Refusal(absl::StatusCode::kNotFound), HasSubstr("no config.json"));
  Write("config.json", "{}");
  EXPECT_THAT(Refusal(absl::StatusCode::kNotFound), HasSubstr("neither model.safetensors nor"));
}

TEST_F(CheckpointTest, MalformedFilesAreNamed) {
  WriteSingle();
  for (const char* name : {"config.json", "generation_config.json"}) {
    for (const char* text :
         {"", "{", "[]", "3", "{\"a\":1,\"a\":2}", "{\"a\":1e999}", "{\"a\":\"\xff\"}"}) {
      Write(name, text);
      EXPECT_THAT(Refusal(), HasSubstr(name)) << text;
    }
    Write(name, "{}");
  }
  Write("model.safetensors", "damaged");
  EXPECT_THAT(Refusal(), HasSubstr("model.safetensors"));
  ASSERT_TRUE(MakeFolders(folder_ + "/tokenizer.json").ok());
  EXPECT_THAT(Refusal(absl::StatusCode::kFailedPrecondition),
              HasSubstr("tokenizer.json is not a regular file"));
}

TEST_F(CheckpointTest, TensorsNameTheirFile) {
  WriteSharded(kMap);
  const auto checkpoint = Checkpoint::Open(folder_).value();
  EXPECT_EQ(checkpoint->PathOf(checkpoint->tensors().at("a")), folder_ + "/s1.safetensors");
  EXPECT_EQ(checkpoint->PathOf(checkpoint->tensors().at("b")), folder_ + "/s2.safetensors");
  EXPECT_EQ(checkpoint->PathOf(Float32View(values_, {2})), folder_);  // of another checkpoint
}

// A broken index can disagree with every shard and tensor: the first 20 are listed, all counted.
TEST_F(CheckpointTest, LongListsOfProblemsAreCut) {
  Json map;
  for (int i = 10; i < 33; ++i) map[absl::StrCat("t", i)] = absl::StrCat("x", i, ".safetensors");
  WriteSharded(map.dump());
  EXPECT_THAT(Refusal(absl::StatusCode::kNotFound),
              AllOf(HasSubstr("lacks 23 of the 23 shards"), HasSubstr("x29.safetensors and 3 more"),
                    Not(HasSubstr("x30"))));
  for (Json& shard : map) shard = "s2.safetensors";
  map["b"] = "s2.safetensors";
  WriteSharded(map.dump());
  EXPECT_THAT(Refusal(), AllOf(HasSubstr("\"t29\" is not in s2.safetensors; and 3 more"),
                               Not(HasSubstr("t30"))));
}

TEST_F(CheckpointTest, IndexAndShardsMustAgree) {
  WriteSharded(R"({"a":"s1.safetensors","b":"s2.safetensors"})");
  EXPECT_THAT(Refusal(), HasSubstr("s1.safetensors holds \"c\", which the index lacks"));
  WriteSharded(
      R"({"a":"s1.safetensors","b":"s1.safetensors","c":"s1.safetensors","d":"s2.safetensors"})");
  EXPECT_THAT(
      Refusal(),
      AllOf(HasSubstr("s2.safetensors holds \"b\", which the index places in s1.safetensors"),
            HasSubstr("\"b\" is not in s1.safetensors"),
            HasSubstr("\"d\" is not in s2.safetensors")));
  WriteSharded(R"({"a":"s3.safetensors"})");
  EXPECT_THAT(Refusal(absl::StatusCode::kNotFound), HasSubstr("lacks 1 of the 1 shards"));
  const std::string long_name = std::string(250, 'x') + ".safetensors";
  for (const char* name : {"../s1.safetensors", "/etc/s.safetensors", "sub/s.safetensors", "",
                           "s1.bin", ".", R"(s1\u0000.safetensors)", long_name.c_str()}) {
    WriteSharded(absl::StrCat("{\"a\":\"", name, "\"}"));
    EXPECT_THAT(Refusal(), HasSubstr("is not a plain .safetensors file name")) << name;
  }
  for (const char* map : {"{}", "[]", "null", "{\"a\":1}"}) {
    WriteSharded(map);
    EXPECT_THAT(Refusal(), HasSubstr("weight_map")) << map;
  }
  Write("model.safetensors.index.json", "{}");
  EXPECT_THAT(Refusal(), HasSubstr("\"weight_map\" is missing"));
  Write("model.safetensors.index.json", "[]");
  EXPECT_THAT(Refusal(), HasSubstr("not a JSON object"));
}

TEST_F(CheckpointTest, IndexSurvivesMutation) {
  WriteSharded(kMap);
  const std::string good = absl::StrCat("{\"weight_map\":", kMap, "}");
  std::mt19937 random(5);
  for (int i = 0; i < 300; ++i) {
    std::string bytes = good;
    const size_t at = random() % bytes.size();
    random() % 2 == 0 ? bytes.erase(at, 1 + random() % 5)
                      : bytes.insert(at, 1, static_cast<char>(random()));
    ASSERT_EQ(truncate((folder_ + "/model.safetensors.index.json").c_str(), 0), 0);
    Write("model.safetensors.index.json", bytes);
    auto checkpoint = Checkpoint::Open(folder_);
    if (checkpoint.ok()) {
      EXPECT_EQ((*checkpoint)->tensors().size(), 3u) << bytes;
    }
  }
}

TEST_F(CheckpointTest, GenerationDefaults) {
  WriteSingle();
  const auto read = [&] { return ReadGenerationDefaults(*Checkpoint::Open(folder_).value(), 100); };
  EXPECT_THAT(read()->end_of_turn, ElementsAre(2));
  EXPECT_EQ(read()->repetition_penalty, 0);
  Write("generation_config.json", R"({"eos_token_id":[9,7,9],"repetition_penalty":1.1})");
  EXPECT_THAT(read()->end_of_turn, ElementsAre(7, 9));
  EXPECT_DOUBLE_EQ(read()->repetition_penalty, 1.1);
  Write("generation_config.json", R"({"eos_token_id":null,"repetition_penalty":null})");
  EXPECT_THAT(read()->end_of_turn, ElementsAre(2));
  Write("generation_config.json", R"({"eos_token_id":[]})");
  EXPECT_THAT(read()->end_of_turn, ElementsAre(2));
  for (const char* bad : {"100", "-1", "1.0", "\"2\"", "[1,\"2\"]", "true", "[100]", "{}"}) {
    Write("generation_config.json", absl::StrCat("{\"eos_token_id\":", bad, "}"));
    EXPECT_EQ(read().status().code(), absl::StatusCode::kInvalidArgument) << bad;
    EXPECT_THAT(std::string(read().status().message()), HasSubstr("generation_config.json"));
  }
  for (const char* bad : {"0", "-1", "\"1\""}) {
    Write("generation_config.json", absl::StrCat("{\"repetition_penalty\":", bad, "}"));
    EXPECT_THAT(std::string(read().status().message()), HasSubstr("repetition_penalty")) << bad;
  }
  Write("config.json", "{}");
  Write("generation_config.json", "{}");
  EXPECT_THAT(std::string(read().status().message()), HasSubstr("names an end-of-turn id"));
  Write("config.json", R"({"eos_token_id":-1})");
  EXPECT_THAT(std::string(read().status().message()), HasSubstr("/config.json: \"eos_token_id\""));
}

}  // namespace
}  // namespace steer
