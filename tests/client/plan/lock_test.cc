#include "client/plan/lock.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "absl/strings/str_replace.h"
#include "common/digest.h"
#include "common/errors.h"
#include "common/json.h"
#include "common/prompt_form.h"
#include "tests/client/plan/fixture.h"

namespace steer {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

using LockTest = PlanFixture;

// The same content, sealed anew: what someone does who edits a lock and recomputes its digest.
std::string Reseal(Json content) {
  const std::string digest = Sha256Hex(*CanonicalJson(content));
  return *CanonicalJson({{"content", std::move(content)}, {"digest", digest}});
}

Json ContentOf(const Lock& lock) { return (*ParseJson(lock.canonical))["content"]; }

// The format is frozen: a lock of an earlier build must keep its digest. Changing this value means
// a new kLockFormat.
TEST_F(LockTest, HasAPinnedDigest) {
  const Lock lock = Freeze(SmallPlan());
  EXPECT_EQ(lock.digest, "9257ab1461a7462b6d2b58d7797caff74cf9f64dccbdcadde2a2c6323cf127e3");
  EXPECT_EQ(lock.digest, Sha256Hex(*CanonicalJson(ContentOf(lock))));
}

TEST_F(LockTest, IsTheSameBytesEveryTime) {
  const Lock first = Freeze(SmallPlan());
  // Comments, order of keys and where the data lie do not matter.
  const std::string copy = folder_ + "/elsewhere";
  std::filesystem::create_directory(copy);
  for (const char* name : {"harmful.txt", "harmless.jsonl"})
    std::filesystem::copy(folder_ + "/" + name, copy + "/" + name);
  std::string reordered = absl::StrCat("rule: post-1  # first\n",
                                       absl::StrReplaceAll(kSmallPlan, {{"rule: post-1\n", ""}}));
  auto plan = ParsePlan(reordered, "other.yaml");
  ASSERT_TRUE(plan.ok());
  auto data = LoadPlanData(*plan, copy);
  ASSERT_TRUE(data.ok());
  auto second = FreezePlan(*plan, *data, ToyFacts());
  ASSERT_TRUE(second.ok());
  EXPECT_EQ(second->canonical, first.canonical);
}

TEST_F(LockTest, RoundTrips) {
  Plan plan = SmallPlan();
  plan.scores = true;
  const Lock lock = Freeze(plan);
  auto read = ParseLock(lock.canonical, "x.lock");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->digest, lock.digest);
  EXPECT_EQ(read->canonical, lock.canonical);
  EXPECT_EQ(read->plan, lock.plan);
  EXPECT_EQ(read->arms, lock.arms);
  EXPECT_EQ(read->harmful, lock.harmful);
  EXPECT_EQ(read->model_layers, 4);
  EXPECT_THAT(read->candidate_layers, ElementsAre(1, 2, 3));
  EXPECT_THAT(read->refusal_token_ids, ElementsAre(4, 9));
  EXPECT_EQ(read->plan.model_fingerprint, std::string(64, 'a'));
  ASSERT_NE(read->FindSeed(5), nullptr);
  EXPECT_EQ(read->FindSeed(5)->harmful.train.size(), 3u);
  EXPECT_EQ(read->FindSeed(6), nullptr);
}

TEST_F(LockTest, HoldsNoPromptAndNoFolder) {
  const Lock lock = Freeze(SmallPlan());
  for (const char* word : {"sketch", "painter", "rivers", "house"})
    EXPECT_THAT(lock.canonical, Not(HasSubstr(word)));
  EXPECT_THAT(lock.canonical, Not(HasSubstr(folder_)));
  for (const SeedSplits& seed : lock.splits) {
    for (const PromptRecord& record : seed.harmful.test) EXPECT_EQ(record.text, "");
  }
}

TEST_F(LockTest, PinsEverythingThatTheResultDependsOn) {
  const std::string base = Freeze(SmallPlan()).digest;
  std::set<std::string> digests = {base};
  const std::pair<const char*, const char*> changes[] = {
      {"name: small", "name: other"},
      {"seeds: [0, 5]", "seeds: [0, 6]"},
      {"seeds: [0, 5]", "seeds: [5, 0]"},
      {"train: 3", "train: 4"},
      {"max_new_tokens: 8", "max_new_tokens: 9"},
      {"max_new_tokens: 8", "max_new_tokens: 8\n  repetition_penalty: 1.1"},
      {"seed: 7", "seed: 8"},
      {"seed: 7", "seed: 7\n  draws: 2"},
      {"  name: post-1", "  name: opening-1"},
      {"  name: post-1", "  name: post-1\n  quality: true"},
      {"  name: post-1", "  name: post-1\n  scores: true"},
      {"rule: post-1\n", "rule: post-1\nprompt: {system: x}\n"},
      {"rule: post-1\n", "rule: post-1\nselection: {layers: [1, 2, 3]}\n"},
      {"rule: post-1\n", "rule: post-1\nfit: {positions: [-1, -2]}\n"},
      {"format: text", "format: text\n    min_characters: 2"},
  };
  for (const auto& [from, to] : changes) {
    auto plan = ParsePlan(absl::StrReplaceAll(kSmallPlan, {{from, to}}), "p");
    ASSERT_TRUE(plan.ok()) << plan.status();
    EXPECT_TRUE(digests.insert(Freeze(*plan).digest).second) << to;
  }
  const Plan plan = SmallPlan();
  std::vector<ServerFacts> servers(6, ToyFacts());
  servers[0].model_fingerprint = std::string(64, '1');
  servers[1].chat_template_digest = std::string(64, '1');
  servers[2].contract_version = "steer.v1/2";
  servers[3].readouts["post-1"] = std::string(64, '1');
  servers[4].layers = 5;
  for (size_t i = 0; i < 5; ++i) {
    auto lock = FreezePlan(plan, Data(plan), servers[i]);
    ASSERT_TRUE(lock.ok());
    EXPECT_TRUE(digests.insert(lock->digest).second) << "server " << i;
  }
  // What may differ between machines does not matter.
  servers[5].numeric_fingerprint = std::string(64, '1');
  servers[5].device = "cuda";
  servers[5].decode_rows = 64;
  EXPECT_EQ(FreezePlan(plan, Data(plan), servers[5])->digest, base);
  Write("harmful.txt", absl::StrCat(*ReadFile(folder_ + "/harmful.txt"), "\n"));
  EXPECT_TRUE(digests.insert(Freeze(plan).digest).second);
}

TEST_F(LockTest, ShowsThatItWasEdited) {
  const Lock lock = Freeze(SmallPlan());
  const std::string edited =
      absl::StrReplaceAll(lock.canonical, {{"\"max_new_tokens\":8", "\"max_new_tokens\":9"}});
  ASSERT_NE(edited, lock.canonical);
  auto read = ParseLock(edited, "x.lock");
  EXPECT_TRUE(absl::IsDataLoss(read.status()));
  EXPECT_EQ(ReasonOf(read.status()), "LOCK_TAMPERED");
  EXPECT_THAT(std::string(read.status().message()),
              AllOf(HasSubstr("x.lock: the lock was changed"), HasSubstr(lock.digest)));
  // Layout is not content.
  EXPECT_TRUE(ParseLock(ParseJson(lock.canonical)->dump(2), "x.lock").ok());
  // Any one character.
  for (size_t i = 0; i < lock.canonical.size() - 1; i += 37) {
    std::string flipped = lock.canonical;
    flipped[i] = flipped[i] == 'a' ? 'b' : 'a';
    auto status = ParseLock(flipped, "x.lock").status();
    EXPECT_FALSE(status.ok()) << i;
  }
}

TEST_F(LockTest, RefusesContentThatItWouldNotHaveWritten) {
  const Json content = ContentOf(Freeze(SmallPlan()));
  ASSERT_TRUE(ParseLock(Reseal(content), "x").ok());
  const std::pair<const char*, Json> changes[] = {
      {"/extra", 1},
      {"/arms/0/edit", "ablate"},
      {"/control_seeds/5", 99},
      {"/selection/ties", "highest layer"},
      {"/splits/0/harmful/train/0/1", "nohash"},
      {"/splits/0/harmful/train/0/0", -4},
      {"/splits/9", Json::object()},
      {"/plan/splits/train", 4},
      {"/plan/seeds", Json::array({0})},
      {"/data/harmful/rows", "many"},
      {"/model/layers", 9},
      {"/model/layers", 0},
      {"/model/layers", 2147483647},
      {"/model/layers", 4294967300},  // 4 in 32 bits
      {"/refusal_token_ids", Json::array({1})},
  };
  for (const auto& [pointer, value] : changes) {
    Json changed = content;
    changed[Json::json_pointer(pointer)] = value;
    auto read = ParseLock(Reseal(changed), "x");
    EXPECT_TRUE(absl::IsInvalidArgument(read.status())) << pointer << " " << read.status();
  }
  Json twice = content;
  twice["splits"]["0"]["harmless"]["test"][0] = twice["splits"]["0"]["harmful"]["train"][1];
  EXPECT_THAT(std::string(ParseLock(Reseal(twice), "x").status().message()),
              HasSubstr("occurs twice"));
  Json fewer = content;
  fewer["splits"]["5"]["harmful"]["test"].erase(0);
  EXPECT_THAT(std::string(ParseLock(Reseal(fewer), "x").status().message()),
              HasSubstr("/splits/5/harmful/test: 1 prompts where the plan has 2"));
  for (const auto& member : content.items()) {
    Json without = content;
    without.erase(member.key());
    EXPECT_FALSE(ParseLock(Reseal(without), "x").ok()) << member.key();
  }
}

TEST_F(LockTest, OfOtherVersionsIsRefusedByName) {
  const Json content = ContentOf(Freeze(SmallPlan()));
  for (const char* pointer : {"/format", "/prompt_form", "/split_version", "/decision/digest"}) {
    Json changed = content;
    changed[Json::json_pointer(pointer)] = "another-2";
    auto read = ParseLock(Reseal(changed), "x.lock");
    EXPECT_EQ(ReasonOf(read.status()), "LOCK_VERSION") << pointer;
    EXPECT_THAT(std::string(read.status().message()),
                AllOf(HasSubstr(pointer), HasSubstr("another-2")));
  }
}

TEST_F(LockTest, IsNotJustAnyFile) {
  for (const char* text :
       {"", "{}", "[]", "5", "\"x\"", "{\"content\": 1, \"digest\": \"x\"}",
        "{\"content\": {}, \"digest\": 5}", "version: 1", "{\"digest\": \"x\", \"more\": {}}",
        "{\"content\": {}, \"digest\": \"x\", \"more\": 1}"}) {
    auto read = ParseLock(text, "x.lock");
    EXPECT_TRUE(absl::IsInvalidArgument(read.status())) << text;
    EXPECT_THAT(std::string(read.status().message()), HasSubstr("x.lock"));
  }
}

TEST_F(LockTest, AFileThatIsNoLockIsToldHowToMakeOne) {
  for (const char* text : {"", " \t\r\n", "version: 1\nname: small\n"}) {
    Write("x.lock", text);
    const absl::Status status = LoadLock(folder_ + "/x.lock").status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("steerctl plan freeze PLAN"));
  }
}

TEST_F(LockTest, LockedFilesAndArmsAreEqualInEveryPart) {
  const Lock lock = Freeze(SmallPlan());
  LockedFile file = lock.harmful;
  file.in_both += 1;
  EXPECT_NE(file, lock.harmful);
  file = lock.harmful;
  file.sha256 = Sha256Hex("other");
  EXPECT_NE(file, lock.harmful);
  ArmSpec arm = lock.arms[0];
  arm.control_draw = 0;
  EXPECT_NE(arm, lock.arms[0]);
  arm = lock.arms[0];
  arm.layer = 2;
  EXPECT_NE(arm, lock.arms[0]);
}

TEST_F(LockTest, IsNotOverwrittenByAnother) {
  const Lock lock = Freeze(SmallPlan());
  const std::string path = folder_ + "/plan.lock";
  ASSERT_TRUE(WriteLock(lock, path).ok());
  EXPECT_TRUE(WriteLock(lock, path).ok());
  auto read = LoadLock(path);
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->digest, lock.digest);
  Plan plan = SmallPlan();
  plan.name = "other";
  const Lock other = Freeze(plan);
  EXPECT_TRUE(absl::IsAlreadyExists(WriteLock(other, path)));
  EXPECT_EQ(LoadLock(path)->digest, lock.digest);
  ASSERT_TRUE(WriteLock(other, path, true).ok());
  EXPECT_EQ(LoadLock(path)->digest, other.digest);
  EXPECT_TRUE(absl::IsNotFound(LoadLock(folder_ + "/none").status()));
}

TEST_F(LockTest, GivesThePromptsBack) {
  const Plan plan = SmallPlan();
  const PlanData data = Data(plan);
  auto splits = LoadLockedPrompts(Freeze(plan), folder_);
  ASSERT_TRUE(splits.ok()) << splits.status();
  ASSERT_EQ(splits->size(), 2u);
  for (size_t s = 0; s < 2; ++s) {
    for (PromptClass c : {PromptClass::kHarmful, PromptClass::kHarmless}) {
      for (SplitPart part : kSplitParts) {
        for (size_t i = 0; i < (*splits)[s].of(c).of(part).size(); ++i) {
          const PromptRecord& record = (*splits)[s].of(c).of(part)[i];
          EXPECT_EQ(record.text, data.splits[s].of(c).of(part)[i].text);
          EXPECT_EQ(record.hash, *PromptHash(record.text));
        }
      }
    }
  }
}

TEST_F(LockTest, NamesEachDataFileThatChanged) {
  const Lock lock = Freeze(SmallPlan());
  Write("harmful.txt", absl::StrCat(*ReadFile(folder_ + "/harmful.txt"), "one more\n"));
  auto one = LoadLockedPrompts(lock, folder_);
  EXPECT_EQ(ReasonOf(one.status()), "LOCK_DATA_MISMATCH");
  EXPECT_THAT(std::string(one.status().message()),
              AllOf(HasSubstr("harmful.txt has changed"), Not(HasSubstr("harmless.jsonl"))));
  Write("harmless.jsonl", "not even JSON");
  auto both = LoadLockedPrompts(lock, folder_);
  EXPECT_THAT(std::string(both.status().message()),
              AllOf(HasSubstr("harmful.txt has changed"), HasSubstr("harmless.jsonl has changed")));
  auto none = LoadLockedPrompts(lock, folder_ + "/nowhere");
  EXPECT_THAT(std::string(none.status().message()),
              AllOf(HasSubstr("no such file"), HasSubstr("--data-root")));
}

// The file is the locked one to the byte, and the lock names other prompts of it: made by another
// reading of files, or by hand.
TEST_F(LockTest, NamesAPromptThatIsNotTheLockedOne) {
  const auto problem = [&](const Lock& lock) {
    auto splits = LoadLockedPrompts(lock, folder_);
    EXPECT_EQ(ReasonOf(splits.status()), "LOCK_DATA_MISMATCH");
    return std::string(splits.status().message());
  };
  const Lock good = Freeze(SmallPlan());
  ASSERT_TRUE(LoadLockedPrompts(good, folder_).ok());
  Lock lock = good;
  lock.harmful.rows = 11;
  EXPECT_THAT(problem(lock), HasSubstr("harmful.txt: locked 11 rows, read 10"));
  lock = good;
  PromptRecord& record = lock.splits[1].harmless.test[0];
  record.hash = Sha256Hex("another prompt");
  EXPECT_THAT(problem(lock), HasSubstr(absl::StrCat("harmless.jsonl: the prompt of row ",
                                                    record.row, " is not the locked one")));
  record.row = 1000;
  EXPECT_THAT(problem(lock), HasSubstr("the prompt of row 1000 is not the locked one"));
}

TEST_F(LockTest, RefusalTokensOfThePlanStandAboveTheServers) {
  Plan plan = SmallPlan();
  plan.scores = true;
  plan.refusal_token_ids = {7};
  EXPECT_THAT(Freeze(plan).refusal_token_ids, ElementsAre(7));
}

TEST_F(LockTest, IsNotWrittenOverWhatCannotBeRead) {
  const std::string path = folder_ + "/taken";
  std::filesystem::create_directories(path + "/inside");
  EXPECT_FALSE(WriteLock(Freeze(SmallPlan()), path, /*replace=*/false).ok());
  EXPECT_FALSE(WriteLock(Freeze(SmallPlan()), path, /*replace=*/true).ok());
  EXPECT_TRUE(std::filesystem::exists(path + "/inside"));
}

TEST_F(LockTest, FreezingNeedsAServerThatCan) {
  ServerFacts facts = ToyFacts();
  facts.dtype = "bfloat16";
  facts.readouts.erase("post-1");
  const Plan plan = SmallPlan();
  auto lock = FreezePlan(plan, Data(plan), facts);
  EXPECT_EQ(ViolationsOf(lock.status()).size(), 2u) << lock.status();
}

TEST_F(LockTest, WhatCouldNotBeReadBackIsNotFrozen) {
  const Plan plan = SmallPlan();
  ServerFacts facts = ToyFacts();
  facts.layers = 5000;
  EXPECT_THAT(std::string(FreezePlan(plan, Data(plan), facts).status().message()),
              HasSubstr("the plan cannot be frozen: lock: /model/layers"));
  facts = ToyFacts();
  facts.contract_version = "\xC3(";
  EXPECT_THAT(std::string(FreezePlan(plan, Data(plan), facts).status().message()),
              HasSubstr("cannot be written as JSON"));
}

}  // namespace
}  // namespace steer
