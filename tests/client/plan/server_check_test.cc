#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "client/plan/lock.h"
#include "common/errors.h"
#include "tests/client/plan/fixture.h"

namespace steer {
namespace {

using ::testing::HasSubstr;

using ServerCheck = PlanFixture;

TEST_F(ServerCheck, NamesEverythingThatThePlanWantsAndTheServerLacks) {
  EXPECT_TRUE(CheckAgainstServer(SmallPlan(), ToyFacts()).ok());
  struct Case {
    std::function<void(Plan&, ServerFacts&)> change;
    const char* field;
    const char* words;
  };
  const Case cases[] = {
      {[](Plan&, ServerFacts& f) { f.model_name = "other"; }, "model.name",
       "the plan is for \"toy\", the server has \"other\"; where they are the same"},
      {[](Plan&, ServerFacts& f) { f.model_fingerprint.clear(); }, "model.fingerprint",
       "the server names none"},
      {[](Plan& p, ServerFacts&) { p.model_fingerprint = std::string(64, 'f'); },
       "model.fingerprint", "the plan wants ffff"},
      {[](Plan&, ServerFacts& f) { f.dtype = "bfloat16"; }, "model.dtype",
       "start steerd with --dtype float32"},
      {[](Plan& p, ServerFacts&) { p.readout = "mine"; }, "readout.name",
       "it has opening-1, post-1"},
      {[](Plan& p, ServerFacts& f) { p.scores = true, f.refusal_tokens.clear(); },
       "readout.refusal_token_ids", "name them"},
      {[](Plan& p, ServerFacts&) { p.scores = true, p.refusal_token_ids = {300}; },
       "readout.refusal_token_ids", "300 is outside the vocabulary of 300"},
      {[](Plan& p, ServerFacts&) {
         p.layers = std::vector<int>{1, 4};
       },
       "selection.layers", "layer 4 in a model of 4 blocks (0 to 3)"},
      {[](Plan&, ServerFacts& f) { f.layers = 1; }, "selection.layers", "no layer to choose among"},
      {[](Plan& p, ServerFacts&) { p.max_new_tokens = 65; }, "decoding.max_new_tokens",
       "above the server's limit of 64"},
      {[](Plan&, ServerFacts& f) { f.max_prompts = 2; }, "splits.train", "3 prompts are above"},
      {[](Plan& p, ServerFacts&) { p.control_family = "shuffled"; }, "controls.family",
       "it has isotropic"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.words);
    Plan plan = SmallPlan();
    ServerFacts facts = ToyFacts();
    c.change(plan, facts);
    const std::vector<Violation> violations = ViolationsOf(CheckAgainstServer(plan, facts));
    ASSERT_EQ(violations.size(), 1u);
    EXPECT_EQ(violations[0].field, c.field);
    EXPECT_THAT(violations[0].description, HasSubstr(c.words));
  }
}

TEST_F(ServerCheck, ALimitThatIsNotKnownHoldsNobodyBack) {
  Plan plan = SmallPlan();
  plan.max_new_tokens = 100000;
  plan.model_fingerprint = ToyFacts().model_fingerprint;  // named, and the server's
  ServerFacts facts = ToyFacts();
  facts.max_new_tokens = 0;
  facts.max_prompts = 0;
  EXPECT_TRUE(CheckAgainstServer(plan, facts).ok());
}

TEST_F(ServerCheck, NamesEverythingThatTheLockPinsAndTheServerChanged) {
  const Lock lock = Freeze(SmallPlan());
  ServerFacts facts = ToyFacts();
  facts.model_name = "renamed";
  facts.numeric_fingerprint = "another machine";
  EXPECT_TRUE(CheckLockAgainstServer(lock, facts).ok());
  const std::pair<std::function<void(ServerFacts&)>, const char*> changes[] = {
      {[](ServerFacts& f) { f.model_fingerprint = std::string(64, '9'); },
       "model fingerprint: locked aaa"},
      {[](ServerFacts& f) { f.dtype = "bfloat16"; },
       "numeric type: locked float32, the server has bfloat16"},
      {[](ServerFacts& f) { f.chat_template_digest = "x"; }, "chat template: locked ccc"},
      {[](ServerFacts& f) { f.contract_version = "steer.v2/0"; },
       "contract version: locked steer.v1/1"},
      {[](ServerFacts& f) { f.layers = 5; }, "layers: locked 4, the server has 5"},
      {[](ServerFacts& f) { f.readouts["post-1"] = "x"; }, "readout post-1: locked ddd"},
      {[](ServerFacts& f) { f.readouts.clear(); }, "the server has none"},
      {[](ServerFacts& f) { f.control_families.clear(); }, "it has none"},
      {[](ServerFacts& f) { f.max_new_tokens = 4; }, "decoding.max_new_tokens: 8 is above"},
  };
  ServerFacts all = ToyFacts();
  for (const auto& [change, words] : changes) {
    ServerFacts changed = ToyFacts();
    change(changed);
    change(all);
    const absl::Status status = CheckLockAgainstServer(lock, changed);
    EXPECT_TRUE(absl::IsFailedPrecondition(status));
    EXPECT_EQ(ReasonOf(status), "LOCK_SERVER_MISMATCH");
    EXPECT_THAT(std::string(status.message()), HasSubstr(words));
  }
  const std::string message(CheckLockAgainstServer(lock, all).message());
  EXPECT_THAT(message, HasSubstr(absl::StrCat("locked ", lock.model_fingerprint,
                                              ", the server has ", all.model_fingerprint)));
  EXPECT_THAT(message, HasSubstr("model fingerprint"));
  EXPECT_THAT(message, HasSubstr("decoding.max_new_tokens"));
}

}  // namespace
}  // namespace steer
