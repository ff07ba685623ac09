#include "client/data/pool.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/prompt_form.h"
#include "tests/client/data/vocabulary.h"

namespace steer {
namespace {

using ::testing::ElementsAre;

std::vector<int64_t> Rows(const ClassPool& pool) {
  std::vector<int64_t> rows;
  for (const PromptRecord& record : pool.prompts) rows.push_back(record.row);
  return rows;
}

TEST(Pools, KeepTheFirstOfEqualForms) {
  // Case, spacing, full-width letters and a non-breaking space are one prompt.
  const PromptFile harmful = FileOf({"Name three rivers", "list lakes", "name  THREE\trivers",
                                     "\xEF\xBC\xAE"
                                     "ame three\xC2\xA0rivers"},
                                    "h");
  auto pools = BuildPools(harmful, FileOf({"plant a tree"}, "b"));
  ASSERT_TRUE(pools.ok()) << pools.status();
  EXPECT_THAT(Rows(pools->harmful), ElementsAre(0, 1));
  EXPECT_EQ(pools->harmful.duplicates, 2);
  EXPECT_EQ(pools->harmful.in_both, 0);
  EXPECT_EQ(pools->harmful.prompts[0].hash, *PromptHash("name three rivers"));
  EXPECT_EQ(pools->harmful.prompts[0].text, "Name three rivers");
}

TEST(Pools, RemoveWhatBothClassesHaveFromBoth) {
  auto pools = BuildPools(FileOf({"a one", "shared prompt", "b two", "SHARED prompt"}, "h"),
                          FileOf({"Shared  Prompt", "c three", "a one."}, "b"));
  ASSERT_TRUE(pools.ok());
  EXPECT_THAT(Rows(pools->harmful), ElementsAre(0, 2));
  EXPECT_THAT(Rows(pools->harmless), ElementsAre(1, 2));
  EXPECT_EQ(pools->harmful.duplicates, 1);
  EXPECT_EQ(pools->harmful.in_both, 1);
  EXPECT_EQ(pools->harmless.in_both, 1);
  EXPECT_EQ(&pools->of(PromptClass::kHarmless), &pools->harmless);
}

TEST(Pools, RefuseWhatIsNotUtf8) {
  auto pools = BuildPools(FileOf({"fine", "\xC3("}, "h.txt"), FileOf({"b"}, "b"));
  EXPECT_EQ(pools.status().message().substr(0, 12), "h.txt: row 1");
  pools = BuildPools(FileOf({"fine"}, "h"), FileOf({"\xC3("}, "b.txt"));
  EXPECT_EQ(pools.status().message().substr(0, 12), "b.txt: row 0");
}

TEST(Pools, ClassesHaveNames) {
  EXPECT_EQ(PromptClassName(PromptClass::kHarmful), "harmful");
  EXPECT_EQ(PromptClassName(PromptClass::kHarmless), "harmless");
}

}  // namespace
}  // namespace steer
