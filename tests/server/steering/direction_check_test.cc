// Every rule that a direction set keeps, broken one at a time; each refusal names the field.
#include "server/steering/direction_check.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "common/errors.h"
#include "server/steering/direction_set_json.h"
#include "tests/server/steering/fixtures.h"

namespace steer {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

TEST(DirectionCheck, NamesTheFieldOfEveryBrokenRule) {
  const DirectionSet good = MadeSet("a");
  ASSERT_TRUE(CheckDirectionSet(good).ok()) << CheckDirectionSet(good);
  const std::vector<std::pair<const char*, std::function<void(DirectionSet*)>>> changes = {
      {"model_fingerprint", [](auto* s) { s->model_fingerprint = std::string(257, 'a'); }},
      {"numeric_fingerprint", [](auto* s) { s->numeric_fingerprint = "\xff"; }},
      {"numeric_fingerprint", [](auto* s) { s->numeric_fingerprint.clear(); }},
      {"positions", [](auto* s) { s->positions.assign(100000, -1); }},
      {"positions",
       [](auto* s) {
         s->positions = {-1, -1000000000};
       }},
      {"layers", [](auto* s) { s->layers = 1025; }},
      {"harmful_prompts", [](auto* s) { s->harmful_prompts = 1; }},
      {"fit_prompt_hashes: more",
       [](auto* s) { s->fit_prompt_hashes.resize(12, std::string(64, 'f')); }},
      {"directions", [](auto* s) { s->directions.pop_back(); }},
      {"directions: element 3", [](auto* s) { s->directions[3] = HUGE_VALF; }},
      {"harmful_means", [](auto* s) { s->harmful_means.push_back(0); }},
      {"harmless_means", [](auto* s) { s->harmless_means.clear(); }},
      {"harmful_mean_norms", [](auto* s) { s->harmful_mean_norms[1] = -1; }},
      {"harmless_mean_norms", [](auto* s) { s->harmless_mean_norms.pop_back(); }},
      {"states", [](auto* s) { s->states.pop_back(); }},
      {"states", [](auto* s) { s->states[0] = std::nanf(""); }},
      {"reports: not one", [](auto* s) { s->reports.pop_back(); }},
      {"reports[4]", [](auto* s) { s->reports[4].position = -1; }},
      {"reports[4]", [](auto* s) { s->reports[4].layer = 2; }},
      {"reports[1].norm", [](auto* s) { s->reports[1].norm = kNan; }},
      {"reports[1].norm", [](auto* s) { s->reports[1].norm *= 1 + 1e-6; }},
      {"reports[1].projection_gap", [](auto* s) { s->reports[1].projection_gap = HUGE_VAL; }},
      {"reports[1].auc", [](auto* s) { s->reports[1].auc = -0.1; }},
      {"reports[1].largest_coordinate_share",
       [](auto* s) { s->reports[1].largest_coordinate_share = 1.1; }},
      {"reports[1].mean_state_norm", [](auto* s) { s->reports[1].mean_state_norm = -1; }},
      {"reports[1].mean_cosine", [](auto* s) { s->reports[1].mean_cosine = -1.1; }},
      {"reports[1].direction_digest", [](auto* s) { s->reports[1].direction_digest.clear(); }},
      // A direction of length zero can ablate nothing, and whoever divides by its norm gets no number.
      {"reports[0].usable",
       [](auto* s) {
         std::fill_n(s->directions.begin(), s->hidden, 0.0f);
         s->reports[0].norm = 0;
         s->reports[0].usable = true;
       }},
  };
  for (const auto& [field, change] : changes) {
    DirectionSet set = good;
    change(&set);
    const absl::Status status = CheckDirectionSet(set);
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << field << ": " << status;
    EXPECT_THAT(std::string(status.message()), StartsWith(field));
  }
}

TEST(DirectionCheck, AZeroDirectionMayStandThereUnusable) {
  DirectionSet set = MadeSet("a");
  std::fill_n(set.directions.begin(), set.hidden, 0.0f);
  set.reports[0].norm = 0;
  set.reports[0].usable = false;
  set.reports[0].direction_digest = DirectionDigest(set.Direction(0, 0));
  EXPECT_TRUE(CheckDirectionSet(set).ok()) << CheckDirectionSet(set);
}

TEST(DirectionCheck, ASetIsOfOneModel) {
  const DirectionSet set = MadeSet("a");
  EXPECT_TRUE(CheckSetModel(set, "model", set.model_fingerprint).ok());
  const absl::Status other = CheckSetModel(set, "model \"m\"", std::string(64, 'b'));
  EXPECT_TRUE(absl::IsFailedPrecondition(other));
  EXPECT_EQ(ReasonOf(other), "MODEL_MISMATCH");
  for (const std::string& part : {set.set_id, set.model_fingerprint, std::string(64, 'b')}) {
    EXPECT_THAT(std::string(other.message()), HasSubstr(part));
  }
}

// Facts come from a file: each key must be there, and of its type.
TEST(DirectionCheck, EveryFactIsWanted) {
  const Json facts = DirectionSetFacts(MadeSet("a"));
  DirectionSet read;
  ASSERT_TRUE(ReadDirectionSetFacts(facts, &read).ok());
  EXPECT_EQ(DirectionSetFacts(read), facts);
  const auto refuses = [](const Json& changed, const std::string& key) {
    DirectionSet set;
    const absl::Status status = ReadDirectionSetFacts(changed, &set);
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << key << ": " << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(key));
  };
  for (const auto& item : facts.items()) {
    Json changed = facts;
    changed[item.key()] = nullptr;
    refuses(changed, item.key());
    changed.erase(item.key());
    refuses(changed, item.key());
  }
  for (const auto& item : facts["reports"][1].items()) {
    Json changed = facts;
    changed["reports"][1][item.key()] = nullptr;
    refuses(changed, item.key());
    changed["reports"][1].erase(item.key());
    refuses(changed, item.key());
  }
  Json changed = facts;
  changed["positions"] = {int64_t{1} << 31};
  refuses(changed, "positions");
  changed = facts;
  changed["fit_prompt_hashes"][0] = 7;
  refuses(changed, "fit_prompt_hashes");
  changed = facts;
  changed["reports"][0]["more"] = 7;
  refuses(changed, "unknown key \"more\"");
}

}  // namespace
}  // namespace steer
