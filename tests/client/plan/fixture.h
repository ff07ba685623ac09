// A small plan with its data in a temporary folder, and a server that can run it.
#ifndef STEER_TESTS_CLIENT_PLAN_FIXTURE_H_
#define STEER_TESTS_CLIENT_PLAN_FIXTURE_H_

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "absl/strings/str_cat.h"
#include "client/plan/lock.h"
#include "client/plan/plan.h"
#include "client/plan/plan_data.h"
#include "client/plan/server_facts.h"
#include "common/files.h"

namespace steer {

// One key a line, so that tests can name lines.
inline constexpr char kSmallPlan[] = R"(version: 1
name: small
model:
  name: toy
  dtype: float32
data:
  harmful:
    file: harmful.txt
    format: text
  harmless:
    file: harmless.jsonl
    format: jsonl
    key: prompt
splits: {train: 3, validation: 2, test: 2}
seeds: [0, 5]
readout:
  name: post-1
decoding:
  max_new_tokens: 8
controls:
  family: isotropic
  seed: 7
rule: post-1
)";

inline ServerFacts ToyFacts() {
  ServerFacts facts;
  facts.model_name = "toy";
  facts.family = "llama";
  facts.layers = 4;
  facts.hidden = 16;
  facts.vocabulary = 300;
  facts.model_fingerprint = std::string(64, 'a');
  facts.numeric_fingerprint = std::string(64, 'b');
  facts.dtype = "float32";
  facts.device = "cpu";
  facts.chat_template_digest = std::string(64, 'c');
  facts.contract_version = "steer.v1/1";
  facts.readouts = {{"post-1", std::string(64, 'd')}, {"opening-1", std::string(64, 'e')}};
  facts.refusal_tokens = {{9, "No"}, {4, "I"}};
  facts.control_families = {"isotropic"};
  facts.max_context_tokens = 128;
  facts.max_new_tokens = 64;
  facts.max_prompts = 1000;
  facts.prefill_tokens_per_second = 1000;
  facts.decode_steps_per_second = 10;
  facts.decode_rows = 8;
  facts.prefill_tokens = 64;
  return facts;
}

class PlanFixture : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = ::testing::TempDir() + "steer-plan-XXXXXX";
    ASSERT_NE(mkdtemp(folder_.data()), nullptr);
    const char* things[] = {"rivers", "lakes",   "birds", "stones", "clouds",
                            "spoons", "ladders", "kites", "drums",  "maps"};
    std::string harmful;
    std::string harmless;
    for (int i = 0; i < 10; ++i) {
      absl::StrAppend(&harmful, "sketch the ", things[i], " beside house number ", 7 * i + 1, "\n");
      absl::StrAppend(&harmless, "{\"prompt\": \"Which ", things[9 - i],
                      " would a painter choose?\"}\n");
    }
    Write("harmful.txt", harmful);
    Write("harmless.jsonl", harmless);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void Write(const std::string& name, const std::string& bytes) {
    ASSERT_TRUE(WriteFileAtomically(folder_ + "/" + name, bytes).ok());
  }
  Plan SmallPlan() {
    auto plan = ParsePlan(kSmallPlan, "small.yaml");
    EXPECT_TRUE(plan.ok()) << plan.status();
    return plan.ok() ? *plan : Plan();
  }
  PlanData Data(const Plan& plan) {
    auto data = LoadPlanData(plan, folder_);
    EXPECT_TRUE(data.ok()) << data.status();
    return data.ok() ? *std::move(data) : PlanData();
  }
  Lock Freeze(const Plan& plan) {
    auto lock = FreezePlan(plan, Data(plan), ToyFacts());
    EXPECT_TRUE(lock.ok()) << lock.status();
    return lock.ok() ? *std::move(lock) : Lock();
  }

  std::string folder_;
};

}  // namespace steer

#endif  // STEER_TESTS_CLIENT_PLAN_FIXTURE_H_
