#include "client/plan/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/errors.h"
#include "tests/client/plan/fixture.h"

namespace steer {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(Plan, ReadsEveryKey) {
  auto plan = ParsePlan(R"(
version: 1
name: full_plan-1.0
model: {name: "Some Model", dtype: bfloat16, fingerprint: 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef}
prompt:
  system: |
    Be brief.
data:
  harmful:
    file: sub/a.csv
    format: csv
    column: goal
    filters:
      - {column: kind, differs: list}
    min_characters: 4
    max_characters: 400
  harmless: {file: b..c/d.json, format: json, key: instruction, filters: [{key: input, equals: ""}]}
splits: {train: 64, validation: 16, test: 32}
seeds: [3, 9007199254740991]
fit: {method: difference-of-means, positions: [-2, -1, -5], keep_states: false}
selection: {rule: largest-swing, position: -2, layers: [9, 3]}
readout: {name: opening-1, quality: true, scores: true, refusal_token_ids: [7, 2]}
decoding: {max_new_tokens: 48, repetition_penalty: 1.1}
controls: {family: isotropic, seed: 11, draws: 19}
rule: post-1
)",
                        "full.yaml");
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->name, "full_plan-1.0");
  EXPECT_EQ(plan->model_name, "Some Model");
  EXPECT_EQ(plan->dtype, "bfloat16");
  EXPECT_EQ(plan->model_fingerprint.size(), 64u);
  EXPECT_EQ(plan->system, "Be brief.\n");
  EXPECT_EQ(plan->harmful.field, "goal");
  EXPECT_EQ(plan->harmful.filters, (std::vector<FieldFilter>{{"kind", "list", false}}));
  EXPECT_EQ(plan->harmful.max_characters, 400);
  EXPECT_EQ(plan->harmless.format, PromptFormat::kJson);
  EXPECT_EQ(plan->harmless.filters, (std::vector<FieldFilter>{{"input", "", true}}));
  EXPECT_EQ(plan->sizes, (SplitSizes{64, 16, 32}));
  EXPECT_THAT(plan->seeds, ElementsAre(3u, 9007199254740991u));
  EXPECT_THAT(plan->positions, ElementsAre(-1, -2, -5));
  EXPECT_FALSE(plan->keep_states);
  EXPECT_EQ(plan->selection_position, -2);
  EXPECT_THAT(*plan->layers, ElementsAre(3, 9));
  EXPECT_THAT(plan->refusal_token_ids, ElementsAre(2, 7));
  EXPECT_TRUE(plan->quality && plan->scores);
  EXPECT_DOUBLE_EQ(plan->repetition_penalty, 1.1);
  EXPECT_EQ(plan->control_draws, 19);
  auto again = PlanFromJson(PlanToJson(*plan));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(*again, *plan);
}

TEST(Plan, HasTheDefaultsThatItsHeaderNames) {
  auto plan = ParsePlan(kSmallPlan, "small.yaml");
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->model_fingerprint, "");
  EXPECT_FALSE(plan->system.has_value());
  EXPECT_EQ(plan->fit_method, "difference-of-means");
  EXPECT_THAT(plan->positions, ElementsAre(-1));
  EXPECT_TRUE(plan->keep_states);
  EXPECT_EQ(plan->selection_position, -1);
  EXPECT_FALSE(plan->layers.has_value());
  EXPECT_FALSE(plan->quality || plan->scores);
  EXPECT_EQ(plan->repetition_penalty, 1.0);
  EXPECT_EQ(plan->control_draws, 1);
  EXPECT_EQ(plan->harmful.min_characters, 1);
  auto again = PlanFromJson(PlanToJson(*plan));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(*again, *plan);
}

// One change to the small plan, and the line and words of the one violation it causes.
struct Mistake {
  const char* from;
  const char* to;
  int line;
  const char* words;
};

TEST(Plan, NamesTheLineOfEveryMistake) {
  const Mistake mistakes[] = {
      {"version: 1", "version: 2", 1, "version: must lie between 1 and 1, is 2"},
      {"version: 1", "version: one", 1, "version: wants a whole number, has \"one\""},
      {"version: 1\n", "", 1, "version: is missing"},
      {"name: small", "name: a/b", 2, "name: wants 1 to 64"},
      {"name: small", "name: .hidden", 2, "name: wants 1 to 64"},
      {"name: small", "name: -flag", 2, "name: wants 1 to 64"},
      {"name: small", "name:", 2, "name: wants one value, has nothing"},
      {"name: small", "name: \"\"", 2, "name: is empty"},
      {"name: small", "name: [small]", 2, "name: wants one value, has a list"},
      {"name: small", "name: small\nname: twice", 3, "name: this key occurs twice"},
      {"name: small", "name: small\nnaem: typo", 3,
       "unknown key \"naem\"; known here: controls, data"},
      {"name: small", "name: small\n<<: {a: b}", 3, "unknown key \"<<\""},
      {"name: small", "name: small\n? [a, b]\n: c", 3, "a key must be a word"},
      {"  dtype: float32", "  dtype: float16", 5,
       "model.dtype: wants float32 or bfloat16, has \"float16\""},
      {"  dtype: float32", "  dtyp: float32\n  dtype: float32", 5,
       "model: unknown key \"dtyp\"; known here: dtype, fingerprint, name"},
      {"  dtype: float32\n", "", 4, "model.dtype: is missing"},
      {"  dtype: float32", "  dtype: float32\n  fingerprint: abc", 6,
       "model.fingerprint: wants 64"},
      {"model:\n  name: toy\n  dtype: float32", "model: toy", 3,
       "model: wants a mapping of keys, has \"toy\""},
      {"model:\n  name: toy\n  dtype: float32\n", "", 1, "model: is missing"},
      {"rule: post-1\n", "rule: post-1\nprompt: {system: {a: b}}\n", 24,
       "prompt.system: wants one value, has a mapping"},
      {"rule: post-1\n", "rule: post-1\nprompt: {system: \"a\\0b\"}\n", 24,
       "prompt.system: holds a NUL character"},
      {"file: harmful.txt", "file: /data/harmful.txt", 8,
       "data.harmful.file: wants a path relative to the data root"},
      {"file: harmful.txt", "file: ../harmful.txt", 8,
       "data.harmful.file: leads out of the data root"},
      {"file: harmful.txt", "file: a/b/../../../harmful.txt", 8,
       "data.harmful.file: leads out of the data root"},
      {"format: text", "format: xml", 9, "data.harmful.format: wants csv or json or jsonl or text"},
      {"format: text", "format: csv", 8, "data.harmful.column: is missing"},
      {"format: text", "format: text\n    key: a", 10, "data.harmful: unknown key \"key\""},
      {"format: text", "format: text\n    filters: [{key: a, equals: b}]", 10,
       "data.harmful.filters: prompts without columns or keys"},
      {"    key: prompt", "    key: \"\"", 13, "data.harmless.key: is empty"},
      {"    key: prompt", "    key: prompt\n    filters: [{key: a}]", 14,
       "data.harmless.filters[0].equals: a filter has either"},
      {"    key: prompt", "    key: prompt\n    filters: [{key: a, equals: b, differs: c}]", 14,
       "data.harmless.filters[0].equals: a filter has either"},
      {"    key: prompt",
       "    key: prompt\n    filters:\n      - {key: a, equals: b}\n      - {column: a, key: c, "
       "equals: b}",
       16, "data.harmless.filters[1]: unknown key \"column\""},
      {"    key: prompt", "    key: prompt\n    filters: {key: a}", 14,
       "data.harmless.filters: wants a list"},
      {"    key: prompt", "    key: prompt\n    min_characters: 9\n    max_characters: 8", 15,
       "data.harmless.max_characters: is below min_characters"},
      {"train: 3", "train: 1", 14, "splits.train: must lie between 2"},
      {"test: 2", "test: 0", 14, "splits.test: must lie between 1"},
      {"test: 2", "test: 2.0", 14, "splits.test: wants a whole number, has \"2.0\""},
      {"test: 2", "test: \"2\"", 14, "splits.test: wants a whole number"},
      {"test: 2", "test: 0x2", 14, "splits.test: wants a whole number"},
      {"test: 2", "test: 99999999999999999999", 14, "splits.test: wants a whole number"},
      {"seeds: [0, 5]", "seeds: [0,\n 5, 0]", 16, "seeds: 0 occurs twice"},
      {"seeds: [0, 5]", "seeds: []", 15, "seeds: wants 1 to 64 entries, has 0"},
      {"seeds: [0, 5]", "seeds: 0", 15, "seeds: wants a list of whole numbers, has \"0\""},
      {"seeds: [0, 5]", "seeds: [-1]", 15, "seeds: must lie between 0"},
      {"seeds: [0, 5]\n", "", 1, "seeds: is missing"},
      {"rule: post-1\n", "rule: post-1\nfit: {method: probe}\n", 24,
       "fit.method: wants difference-of-means"},
      {"rule: post-1\n", "rule: post-1\nfit: {positions: [0]}\n", 24,
       "fit.positions: must lie between -2147483647 and -1, is 0"},
      {"rule: post-1\n", "rule: post-1\nfit: {keep_states: yes}\n", 24,
       "fit.keep_states: wants true or false, has \"yes\""},
      {"rule: post-1\n", "rule: post-1\nselection: {rule: first}\n", 24,
       "selection.rule: wants largest-swing"},
      {"rule: post-1\n", "rule: post-1\nselection:\n  position: -2\n", 25,
       "selection.position: -2 is none of fit.positions"},
      {"rule: post-1\n", "rule: post-1\nselection: {layers: [0, 1]}\n", 24,
       "selection.layers: must lie between 1"},
      {"rule: post-1\n", "rule: post-1\nselection: {layers: most}\n", 24,
       "selection.layers: wants a list"},
      {"  name: post-1", "  name: post-1\n  quality: 1", 18,
       "readout.quality: wants true or false"},
      {"  name: post-1", "  name: post-1\n  refusal_token_ids: [3]", 18,
       "readout.refusal_token_ids: has no effect without scores"},
      {"max_new_tokens: 8", "max_new_tokens: 0", 19, "decoding.max_new_tokens: must lie between 1"},
      {"max_new_tokens: 8", "max_new_tokens: 8\n  repetition_penalty: 0.9", 20,
       "decoding.repetition_penalty: must lie between 1 and 2, is 0.9"},
      {"max_new_tokens: 8", "max_new_tokens: 8\n  repetition_penalty: .nan", 20,
       "decoding.repetition_penalty: wants a number"},
      {"max_new_tokens: 8", "max_new_tokens: 8\n  temperature: 1", 20,
       "decoding: unknown key \"temperature\""},
      {"seed: 7", "seed: 7\n  draws: 0", 23, "controls.draws: must lie between 1"},
      {"rule: post-1\n", "rule: mine\n", 23, "rule: wants post-1, has \"mine\""},
      {"splits: {", "splits: {train: 3, ", 14, "splits.train: this key occurs twice"},
      {"seeds: [0, 5]", "seeds: [0, 5", 16, "not valid YAML"},
      {"name: small", "name: small\n\tbad: tab", 3, "not valid YAML"},
      {"rule: post-1\n", "rule: post-1\n---\nname: two\n", 24, "wants one YAML document"},
      // yaml-cpp makes documents of this without end.
      {"version: 1", ",version: 1", 1, "wants one YAML document"},
      {"name: small", "name: \xC3(", 2, "not valid UTF-8"},
      {"name: small", "name: *nowhere", 2, "not valid YAML"},
  };
  for (const Mistake& mistake : mistakes) {
    const std::string yaml = absl::StrReplaceAll(kSmallPlan, {{mistake.from, mistake.to}});
    SCOPED_TRACE(absl::StrCat(mistake.from, " -> ", mistake.to));
    ASSERT_NE(yaml, kSmallPlan);
    auto plan = ParsePlan(yaml, "p.yaml");
    ASSERT_FALSE(plan.ok());
    EXPECT_TRUE(absl::IsInvalidArgument(plan.status()));
    const std::vector<Violation> violations = ViolationsOf(plan.status());
    ASSERT_EQ(violations.size(), 1u) << plan.status();
    EXPECT_EQ(violations[0].field, absl::StrCat("p.yaml:", mistake.line))
        << violations[0].description;
    EXPECT_THAT(violations[0].description, HasSubstr(mistake.words));
  }
}

TEST(Plan, ASystemPromptHasTheLengthThatTheContractTakes) {
  const auto with = [](size_t size) {
    return ParsePlan(absl::StrCat(kSmallPlan, "prompt: {system: ", std::string(size, 'x'), "}\n"),
                     "p.yaml");
  };
  const auto longest = with(kMaxPromptBytes);
  ASSERT_TRUE(longest.ok()) << longest.status();
  EXPECT_EQ(longest->system->size(), static_cast<size_t>(kMaxPromptBytes));
  EXPECT_THAT(std::string(with(kMaxPromptBytes + 1).status().message()),
              HasSubstr("p.yaml:24: prompt.system: is longer than 32768 bytes"));
}

TEST(Plan, IsEqualInEveryPart) {
  const Plan plan = *ParsePlan(kSmallPlan, "p");
  Plan other = plan;
  other.name = "other";
  EXPECT_NE(plan, other);
  other = plan;
  other.harmful.format = PromptFormat::kCsv;
  EXPECT_NE(plan, other);
  other = plan;
  other.harmless.filters.push_back({"kind", "list", true});
  EXPECT_NE(plan, other);
  Plan another = other;
  another.harmless.filters[0].equal = false;
  EXPECT_NE(other, another);
  another.harmless.filters[0] = {"kind", "poem", true};
  EXPECT_NE(other, another);
}

TEST(Plan, CollectsAllMistakes) {
  auto plan = ParsePlan(
      absl::StrReplaceAll(kSmallPlan,
                          {{"float32", "int8"}, {"train: 3", "train: x"}, {"seed: 7", "sed: 7"}}),
      "p");
  const std::vector<Violation> violations = ViolationsOf(plan.status());
  ASSERT_EQ(violations.size(), 4u) << plan.status();
  EXPECT_EQ(violations[0].field, "p:5");
  EXPECT_EQ(violations[1].field, "p:14");
  EXPECT_THAT(violations[2].description, HasSubstr("controls.seed: is missing"));
  EXPECT_EQ(violations[3].field, "p:22");
}

TEST(Plan, SurvivesHostileFiles) {
  for (const std::string& bytes :
       {std::string(), std::string("---\n---\n"), std::string("a"), std::string("[1, 2]"),
        std::string("{"), std::string(100000, '['), std::string(200000, '{'),
        std::string("a: &a [*a]"), std::string(","), std::string("[a]\n,\n"), std::string("- a\n,"),
        std::string(3, '\0'), std::string("- ") + std::string(60000, '-'),
        std::string("\xFF\xFE"
                    "a"),
        std::string(2 << 20, 'a'), std::string("!!binary : x"),
        std::string("%YAML 9.9\n---\na: b")}) {
    auto plan = ParsePlan(bytes, "p");
    ASSERT_FALSE(plan.ok());
    EXPECT_FALSE(ViolationsOf(plan.status()).empty());
  }
  // Each level of aliases doubles what a reader that expands them would visit.
  std::string bomb = "a0: &a0 [x]\n";
  for (int i = 1; i < 40; ++i)
    absl::StrAppend(&bomb, "a", i, ": &a", i, " [*a", i - 1, ", *a", i - 1, "]\n");
  EXPECT_FALSE(ParsePlan(bomb, "p").ok());
}

TEST(PlanJson, RefusesWhatItWouldNotHaveWritten) {
  auto plan = ParsePlan(kSmallPlan, "small.yaml");
  ASSERT_TRUE(plan.ok());
  const Json json = PlanToJson(*plan);
  Json unknown = json;
  unknown["readout"]["extra"] = 1;
  EXPECT_THAT(std::string(PlanFromJson(unknown).status().message()),
              HasSubstr("unknown key \"extra\""));
  Json missing = json;
  missing["fit"].erase("keep_states");
  EXPECT_THAT(std::string(PlanFromJson(missing).status().message()), HasSubstr("first at /fit"));
  Json number = json;
  number["name"] = 5;
  EXPECT_FALSE(PlanFromJson(number).ok());
  Json not_utf8 = json;
  not_utf8["name"] = "\xC3(";
  EXPECT_TRUE(absl::IsInvalidArgument(PlanFromJson(not_utf8).status()));
  EXPECT_FALSE(PlanFromJson(Json()).ok());
  EXPECT_FALSE(PlanFromJson(Json::array({1})).ok());
}

TEST(PlanJson, KeepsAwkwardText) {
  auto plan = ParsePlan(kSmallPlan, "small.yaml");
  ASSERT_TRUE(plan.ok());
  for (const char* text : {"", "a \"quoted\" \\ line\nnext\ttab", "caf\xC3\xA9 \xF0\x9F\x98\x80",
                           "true", "- : #", "\x01\x7F"}) {
    plan->system = text;
    auto again = PlanFromJson(PlanToJson(*plan));
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_EQ(again->system, text);
  }
}

TEST_F(PlanFixture, PlansAreLoadedFromFiles) {
  Write("p.yaml", kSmallPlan);
  EXPECT_TRUE(LoadPlan(folder_ + "/p.yaml").ok());
  EXPECT_TRUE(absl::IsNotFound(LoadPlan(folder_ + "/q.yaml").status()));
  Write("bad.yaml", "name: x\n");
  EXPECT_THAT(std::string(LoadPlan(folder_ + "/bad.yaml").status().message()),
              HasSubstr(folder_ + "/bad.yaml:1"));
}

}  // namespace
}  // namespace steer
