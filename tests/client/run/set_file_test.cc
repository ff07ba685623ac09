// The client's reader of kept sets against files that the server's code wrote.
#include "client/run/set_file.h"

#include "common/set_digest.h"
#include "gtest/gtest.h"
#include "server/steering/direction_set.h"
#include "tests/server/steering/fixtures.h"

namespace steer {
namespace {

DirectionSet Made() {
  DirectionSet set = MadeSet("kept", false);
  set.content_digest = ContentDigest(set);
  return set;
}

FitRecord FitOf(const DirectionSet& set) {
  FitRecord fit;
  fit.seed = 4;
  fit.set_id = set.set_id;
  fit.content_digest = set.content_digest;
  fit.method = set.method;
  fit.model_fingerprint = set.model_fingerprint;
  fit.numeric_fingerprint = set.numeric_fingerprint;
  fit.layers = static_cast<int>(set.layers);
  fit.hidden = static_cast<int>(set.hidden);
  fit.harmful_prompts = static_cast<int>(set.harmful_prompts);
  fit.harmless_prompts = static_cast<int>(set.harmless_prompts);
  for (const LayerReport& r : set.reports) {
    fit.reports.push_back({r.position, r.layer, r.usable, r.norm, r.projection_gap, r.auc,
                           r.largest_coordinate_share, r.mean_state_norm, r.mean_cosine,
                           r.direction_digest});
  }
  return fit;
}

TEST(SetFile, ReadsWhatTheServerWrites) {
  const DirectionSet set = Made();
  const auto bytes = SerializeDirectionSet(set, false);
  ASSERT_TRUE(bytes.ok()) << bytes.status();
  const auto facts = ReadSetFile(*bytes);
  ASSERT_TRUE(facts.ok()) << facts.status();
  EXPECT_EQ(facts->content_digest, set.content_digest);
  EXPECT_TRUE(CheckSetIsOf(*facts, FitOf(set)).ok()) << CheckSetIsOf(*facts, FitOf(set));
}

TEST(SetFile, EveryChangedByteAndEveryCutIsFound) {
  const auto bytes = SerializeDirectionSet(Made(), false);
  ASSERT_TRUE(bytes.ok()) << bytes.status();
  for (size_t at = 0; at < bytes->size(); ++at) {
    for (const char flip : {'\x01', '\x20', '\x80'}) {
      std::string changed = *bytes;
      changed[at] = static_cast<char>(changed[at] ^ flip);
      EXPECT_FALSE(ReadSetFile(changed).ok()) << "byte " << at;
    }
    EXPECT_FALSE(ReadSetFile(bytes->substr(0, at)).ok()) << "cut at " << at;
  }
  EXPECT_FALSE(ReadSetFile(*bytes + '\0').ok());
}

// Sets of a run are kept without states, so a file that has them is none of its own.
TEST(SetFile, StatesDoNotBelongThere) {
  DirectionSet set = MadeSet("with states", true);
  set.content_digest = ContentDigest(set);
  const auto bytes = SerializeDirectionSet(set, true);
  ASSERT_TRUE(bytes.ok()) << bytes.status();
  EXPECT_FALSE(ReadSetFile(*bytes).ok());
}

TEST(SetFile, AnotherFitsSetIsNamed) {
  const DirectionSet set = Made();
  const auto facts = ReadSetFile(*SerializeDirectionSet(set, false));
  ASSERT_TRUE(facts.ok()) << facts.status();
  FitRecord other = FitOf(set);
  other.reports[1].norm += 1;
  const absl::Status status = CheckSetIsOf(*facts, other);
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(status.message(), "it is not the set of seed 4's fit: another reports");
  other = FitOf(set);
  other.set_id[0] ^= 1;
  EXPECT_FALSE(CheckSetIsOf(*facts, other).ok());
}

}  // namespace
}  // namespace steer
