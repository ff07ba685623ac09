// The files: same bytes for the same seed, quick to make, clean prompts, a tokenizer that loads,
// and a folder that is whole or absent.
#include "server/planted/planted_model.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "common/files.h"
#include "common/json.h"
#include "common/prompt_form.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/planted/lexicon.h"
#include "server/planted/prompts.h"
#include "server/planted/spec.h"
#include "server/planted/vocabulary.h"
#include "server/tokenizer/chat_template.h"
#include "server/tokenizer/tokenizer.h"
#include "server/weights/checkpoint.h"
#include "tests/support/as_nobody.h"
#include "tests/support/paths.h"

namespace steer::planted {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class FolderTest : public testing::Test {
 protected:
  void SetUp() override {
    root_ = fs::path(testing::TempDir()) /
            absl::StrCat("planted-", getpid(), "-",
                         testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::remove_all(root_);
    fs::create_directories(root_);
  }
  void TearDown() override { fs::remove_all(root_); }
  std::string Path(const std::string& name) const { return root_ / name; }
  // Names of everything in the root: no staging folder may stay.
  std::set<std::string> Entries() const {
    std::set<std::string> names;
    for (const auto& entry : fs::directory_iterator(root_)) names.insert(entry.path().filename());
    return names;
  }
  fs::path root_;
};

class VariantTest : public testing::TestWithParam<std::string> {};

TEST_P(VariantTest, SameSeedSameBytesOtherSeedOther) {
  const PlantedFiles files = *MakePlantedModel(GetParam(), 5);
  EXPECT_EQ(files, *MakePlantedModel(GetParam(), 5));
  const PlantedFiles other = *MakePlantedModel(GetParam(), 6);
  for (const char* name : {"model.safetensors", "harmful.jsonl", "harmless.jsonl", "truth.json"}) {
    EXPECT_NE(files.at(name), other.at(name)) << name;
  }
  EXPECT_EQ(files.at("tokenizer.json"), other.at("tokenizer.json"));
}

TEST_P(VariantTest, IsMadeWithinASecond) {
  // Processor time of this process, the best of three: other processes do not count.
  double best = 1e9;
  for (int i = 0; i < 3; ++i) {
    const clock_t start = clock();
    ASSERT_TRUE(MakePlantedModel(GetParam(), i).ok());
    best = std::min(best, static_cast<double>(clock() - start) / CLOCKS_PER_SEC);
  }
  EXPECT_LT(best, 1.0);
}

TEST_P(VariantTest, PromptsAreDistinctBalancedAndOfTheVocabulary) {
  const PlantedSpec spec = *FindPlantedSpec(GetParam());
  const PlantedFiles files = *MakePlantedModel(GetParam(), 3);
  const Vocabulary vocabulary = MakeVocabulary();
  std::set<std::string> words;
  for (const Token& token : vocabulary.openers) words.insert(token.text);
  for (const Token& token : vocabulary.fillers) words.insert(token.text.substr(1));
  for (const auto& group : vocabulary.nouns) {
    for (const Token& token : group) words.insert(token.text.substr(1));
  }
  std::set<std::string> forms;
  double mean_words[2] = {0, 0};
  double ends[2] = {0, 0};
  for (const int harmless : {0, 1}) {
    std::istringstream lines(files.at(harmless != 0 ? "harmless.jsonl" : "harmful.jsonl"));
    std::map<std::string, int> topics;
    for (std::string line; std::getline(lines, line);) {
      const Json entry = *ParseJson(line);
      ASSERT_EQ(entry.size(), 2u);
      std::string prompt = entry["prompt"];
      ++topics[entry["topic"]];
      std::string form = *PromptNormalForm(prompt);
      if (prompt.back() == '.' || prompt.back() == '?') {
        prompt.pop_back();
        form.pop_back();
        ends[harmless] += 1;
      }
      EXPECT_TRUE(forms.insert(form).second) << "twice: " << form;
      std::istringstream split(prompt);
      for (std::string word; split >> word; mean_words[harmless] += 1.0 / kPool) {
        EXPECT_TRUE(words.count(word)) << word;
      }
    }
    const int expected = harmless != 0 ? kTopicsPerClass : spec.harmful_topics;
    EXPECT_EQ(topics.size(), static_cast<size_t>(expected));
    for (const auto& [topic, count] : topics) EXPECT_NEAR(count, kPool / expected, 1) << topic;
  }
  EXPECT_EQ(forms.size(), 2u * kPool);
  EXPECT_NEAR(mean_words[0], mean_words[1], 0.6);
  EXPECT_NEAR(ends[0], ends[1], 60);
}

TEST_P(VariantTest, TruthIsConsistent) {
  for (uint64_t seed = 0; seed < 4; ++seed) {
    SCOPED_TRACE(seed);
    const PlantedFiles files = *MakePlantedModel(GetParam(), seed);
    const Json truth = *ParseJson(files.at("truth.json"));
    const PlantedSpec spec = *FindPlantedSpec(GetParam());
    EXPECT_EQ(truth["format"], "steer-planted-truth-1");
    EXPECT_EQ(truth["seed"], seed);
    EXPECT_GE(truth["verdict_probability"].get<double>(), 0.999);
    const auto rate = [&](const char* name) {
      return truth["rates"][name]["expected"].get<double>();
    };
    // The pool's share exactly, but for which prompts the simulated splits happen to train on.
    EXPECT_NEAR(rate("baseline_harmful"), spec.harmful_refusals / 400.0, 0.003);
    EXPECT_NEAR(rate("baseline_harmless"), spec.harmless_refusals / 400.0, 0.003);
    const bool suppression = rate("baseline_harmful") - rate("ablate") >= 0.5 &&
                             rate("ablate_control") - rate("ablate") >= 0.25;
    const bool induction =
        rate("add") - rate("baseline_harmless") >= 0.5 && rate("add") - rate("add_control") >= 0.25;
    const std::string verdict = rate("baseline_harmful") < 0.5 ? "NO-BASELINE-REFUSAL"
                                : suppression && induction     ? "SINGLE-DIRECTION-REPRODUCES"
                                                               : "NOT-SINGLE-DIRECTION";
    EXPECT_EQ(verdict, truth["verdict"]);
    for (const Json& axis : truth["planted"]["axes"]) {
      double square = 0;
      for (const Json& x : axis) square += x.get<double>() * x.get<double>();
      EXPECT_NEAR(square, 1, 1e-12);
    }
    ASSERT_EQ(truth["directions"].size(), 6u);
    EXPECT_FALSE(truth["directions"][0]["usable"]);
    for (int layer = 1; layer < 6; ++layer) {
      const Json& entry = truth["directions"][layer];
      EXPECT_TRUE(entry["usable"]);
      double square = 0;
      for (const Json& x : entry["direction"]) square += x.get<double>() * x.get<double>();
      EXPECT_NEAR(std::sqrt(square), entry["norm"].get<double>(), 1e-9);
      EXPECT_GT(entry["expected_cosine"].get<double>(), 0.8);
      EXPECT_LT(entry["expected_cosine"].get<double>(), 1);
    }
    EXPECT_GT(truth["directions"][4]["expected_cosine"].get<double>(), 0.98);
  }
}

TEST_P(VariantTest, TokenizerTemplateAndWeightsLoad) {
  const std::string folder =
      absl::StrCat(testing::TempDir(), "/planted-load-", GetParam(), getpid());
  fs::remove_all(folder);
  const PlantedFiles files = *MakePlantedModel(GetParam(), 1);
  ASSERT_TRUE(WritePlantedFolder(files, folder, false).ok());
  const auto tokenizer = Tokenizer::Load(folder);
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  const auto chat = ChatTemplate::Load(folder);
  ASSERT_TRUE(chat.ok()) << chat.status();
  const auto text = (*chat)->Render({{"user", "Describe the bavorn of our zovorn?"}}, true);
  ASSERT_TRUE(text.ok()) << text.status();
  EXPECT_EQ(
      *text,
      "<|im_start|>user\nDescribe the bavorn of our zovorn?<|im_end|>\n<|im_start|>assistant\n");
  const auto ids = (*tokenizer)->Encode(*text);
  ASSERT_TRUE(ids.ok()) << ids.status();
  EXPECT_EQ(ids->size(), 3u + 7u + 5u);  // one id a word
  EXPECT_EQ((*tokenizer)->Decode(*ids, false), *text);
  const Vocabulary vocabulary = MakeVocabulary();
  EXPECT_EQ((*tokenizer)->vocabulary_size(), vocabulary.size());
  for (int32_t id = 256; id < vocabulary.size(); ++id) {
    const auto again = (*tokenizer)->Encode(vocabulary.texts[id]);
    ASSERT_TRUE(again.ok());
    EXPECT_THAT(*again, testing::ElementsAre(id)) << vocabulary.texts[id];
  }
  const auto checkpoint = Checkpoint::Open(folder);
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  const auto defaults = ReadGenerationDefaults(**checkpoint, vocabulary.size());
  ASSERT_TRUE(defaults.ok()) << defaults.status();
  EXPECT_THAT(defaults->end_of_turn,
              testing::UnorderedElementsAre(vocabulary.im_end, vocabulary.end_of_text));
  fs::remove_all(folder);
}

INSTANTIATE_TEST_SUITE_P(Variants, VariantTest,
                         testing::Values("default", "weak", "distributed", "fragile"),
                         [](const auto& variant) { return variant.param; });

TEST(PlantedModelTest, UnknownVariantIsRefusedByName) {
  const auto files = MakePlantedModel("strong", 0);
  EXPECT_EQ(files.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(files.status().message()), HasSubstr("\"strong\""));
  EXPECT_THAT(std::string(files.status().message()),
              HasSubstr("default, weak, distributed, fragile"));
}

TEST(PlantedModelTest, VariantsOfASeedShareTheirNoise) {
  // The guard apart, fragile is default: only the last block's MLP, the truth and nothing else
  // differ.
  const PlantedFiles plain = *MakePlantedModel("default", 2);
  const PlantedFiles fragile = *MakePlantedModel("fragile", 2);
  EXPECT_EQ(plain.at("harmful.jsonl"), fragile.at("harmful.jsonl"));
  EXPECT_NE(plain.at("model.safetensors"), fragile.at("model.safetensors"));
}

TEST(PlantedModelTest, PoolsThatNoPromptsFillAreRefused) {
  const Vocabulary vocabulary = MakeVocabulary();
  PlantedSpec spec = *FindPlantedSpec("default");
  const Lexicon lexicon = MakeLexicon(vocabulary, spec, 0);
  // Every prompt is a refusal, and an answer is wanted; or the other way round.
  spec.threshold = -1e9;
  spec.harmful_refusals = kPool;
  const auto harmless = MakePrompts(lexicon, spec, 0);
  EXPECT_EQ(harmless.status().code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(harmless.status().message()), HasSubstr("no harmless pool"));
  spec.threshold = 1e9;
  EXPECT_THAT(std::string(MakePrompts(lexicon, spec, 0).status().message()),
              HasSubstr("no harmful pool"));
}

TEST(PlantedModelTest, WordsThatAreNotInTheVocabularyHaveNoId) {
  const Vocabulary vocabulary = MakeVocabulary();
  EXPECT_GE(vocabulary.Find(" things"), 0);
  EXPECT_EQ(vocabulary.Find(" never in it"), -1);
}

// Small stand-ins: WritePlantedFolder does not read what it writes.
PlantedFiles Files(const std::string& mark) {
  return {{"config.json", mark},
          {"truth.json", "{\"format\": \"steer-planted-truth-1\", \"mark\": \"" + mark + "\"}"}};
}

TEST_F(FolderTest, WritesThenLeavesAlone) {
  const std::string folder = Path("a/b");
  EXPECT_EQ(*WritePlantedFolder(Files("one"), folder, false), FolderState::kWritten);
  EXPECT_EQ(*ReadFile(folder + "/config.json"), "one");
  const auto before = fs::last_write_time(folder + "/config.json");
  EXPECT_EQ(*WritePlantedFolder(Files("one"), folder + "/", true), FolderState::kUnchanged);
  EXPECT_EQ(fs::last_write_time(folder + "/config.json"), before);
}

TEST_F(FolderTest, AnEmptyFolderIsFilled) {
  fs::create_directories(Path("empty"));
  EXPECT_EQ(*WritePlantedFolder(Files("one"), Path("empty"), false), FolderState::kWritten);
  EXPECT_EQ(*ReadFile(Path("empty/config.json")), "one");
  EXPECT_THAT(Entries(), testing::ElementsAre("empty"));
}

TEST_F(FolderTest, AnotherModelIsReplacedOnlyByForce) {
  const std::string folder = Path("model");
  ASSERT_TRUE(WritePlantedFolder(Files("one"), folder, false).ok());
  const auto refused = WritePlantedFolder(Files("two"), folder, false);
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("--force"));
  EXPECT_EQ(*ReadFile(folder + "/config.json"), "one");
  EXPECT_EQ(*WritePlantedFolder(Files("two"), folder, true), FolderState::kWritten);
  EXPECT_EQ(*ReadFile(folder + "/config.json"), "two");
  EXPECT_THAT(Entries(), testing::ElementsAre("model"));
}

TEST_F(FolderTest, ForeignFilesAreNeverReplaced) {
  const std::string folder = Path("mine");
  ASSERT_TRUE(WritePlantedFolder(Files("one"), folder, false).ok());
  std::ofstream(folder + "/thesis.txt") << "years of work";
  const auto refused = WritePlantedFolder(Files("two"), folder, true);
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("thesis.txt"));
  EXPECT_EQ(*ReadFile(folder + "/config.json"), "one");
  EXPECT_TRUE(fs::exists(folder + "/thesis.txt"));
  EXPECT_THAT(Entries(), testing::ElementsAre("mine"));
}

TEST_F(FolderTest, ACheckpointThatIsNotPlantedIsNeverReplaced) {
  fs::create_directories(Path("real"));
  std::ofstream(Path("real/config.json")) << "{}";
  const auto refused = WritePlantedFolder(Files("two"), Path("real"), true);
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("truth.json"));
  EXPECT_EQ(*ReadFile(Path("real/config.json")), "{}");
}

TEST_F(FolderTest, WhatOnlyLooksPlantedIsNeverReplaced) {
  fs::create_directories(Path("real/config.json"));
  for (const char* truth : {"[]", "{}", "{\"format\": \"other\"}"}) {
    std::ofstream(Path("real/truth.json")) << truth;
    const auto refused = WritePlantedFolder(Files("two"), Path("real"), true);
    EXPECT_EQ(refused.status().code(), absl::StatusCode::kFailedPrecondition) << truth;
    EXPECT_THAT(std::string(refused.status().message()), HasSubstr("truth.json")) << truth;
  }
  EXPECT_TRUE(fs::is_directory(Path("real/config.json")));
}

TEST_F(FolderTest, WhatTheSystemRefusesIsNamed) {
  // A link that leads nowhere is no folder to put another in the place of.
  fs::create_symlink("nowhere", Path("link"));
  EXPECT_THAT(std::string(WritePlantedFolder(Files("one"), Path("link"), true).status().message()),
              HasSubstr("cannot rename to " + Path("link")));
  EXPECT_TRUE(fs::is_symlink(Path("link")));
  // A file that the staging folder has no place for, and none for the staging folder.
  EXPECT_FALSE(WritePlantedFolder({{"below/config.json", "x"}}, Path("new"), false).ok());
  std::ofstream(Path(absl::StrCat("new.tmp.", getpid()))) << "x";
  EXPECT_THAT(std::string(WritePlantedFolder(Files("one"), Path("new"), false).status().message()),
              HasSubstr("cannot make folder"));
  EXPECT_THAT(Entries(), testing::ElementsAre("link"));
}

TEST_F(FolderTest, WhatMayNotBeReadIsNamed) {
  fs::create_directories(Path("mine"));
  std::ofstream(Path("mine/config.json")) << "x";
  fs::permissions(Path("mine/config.json"), fs::perms::none);
  std::vector<std::string> said;
  for (const fs::perms allowed : {fs::perms::owner_all, fs::perms::owner_exec}) {
    fs::permissions(Path("mine"), allowed);
    const AsNobody nobody(Path("mine"));
    if (!fs::exists(Path("mine/."))) {
      GTEST_SKIP() << "others cannot enter the folder of temporary files";
    }
    const auto refused = WritePlantedFolder(Files("one"), Path("mine"), true);
    EXPECT_EQ(refused.status().code(), absl::StatusCode::kPermissionDenied);
    said.emplace_back(refused.status().message());
  }
  fs::permissions(Path("mine"), fs::perms::owner_all);
  EXPECT_THAT(said, testing::ElementsAre(HasSubstr("cannot open " + Path("mine/config.json")),
                                         HasSubstr("cannot read " + Path("mine"))));
}

TEST_F(FolderTest, ANameAloneIsAFolderHere) {
  const fs::path before = fs::current_path();
  fs::current_path(root_);
  const auto state = WritePlantedFolder(Files("one"), "model", false);
  fs::current_path(before);
  ASSERT_TRUE(state.ok()) << state.status();
  EXPECT_EQ(*ReadFile(Path("model/config.json")), "one");
}

TEST_F(FolderTest, TheProgramSaysWhatItDid) {
  const auto run = [&](const std::string& variant, const std::string& folder) {
    const int status =
        system(absl::StrCat("'", BuildPath("server/planted/steer-planted"), "' --variant ", variant,
                            " --seed 7 --out '", Path(folder), "' >'", Path("said"), "' 2>&1")
                   .c_str());
    return absl::StrCat(WEXITSTATUS(status), " ", *ReadFile(Path("said")));
  };
  EXPECT_EQ(run("weak", "new"),
            absl::StrCat("0 ", Path("new"), ": planted model \"weak\", seed 7, written\n"));
  EXPECT_EQ(run("weak", "new"),
            absl::StrCat("0 ", Path("new"), ": planted model \"weak\", seed 7, unchanged\n"));
  EXPECT_THAT(run("strong", "other"),
              testing::AllOf(testing::StartsWith("1 steer-planted: "), HasSubstr("\"strong\"")));
  EXPECT_THAT(run("weak", "said"),
              testing::AllOf(testing::StartsWith("1 steer-planted: "), HasSubstr("not a folder")));
}

TEST_F(FolderTest, AFileInTheWayIsNamed) {
  std::ofstream(Path("file")) << "x";
  const auto refused = WritePlantedFolder(Files("one"), Path("file"), true);
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("not a folder"));
  EXPECT_FALSE(WritePlantedFolder(Files("one"), Path("file/below"), false).ok());
  EXPECT_THAT(Entries(), testing::ElementsAre("file"));
}

}  // namespace
}  // namespace steer::planted
