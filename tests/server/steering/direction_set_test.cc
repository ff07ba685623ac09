#include "server/steering/direction_set.h"

#include <gmock/gmock.h>

#include <functional>
#include <limits>
#include <map>
#include <random>
#include <set>

#include "common/errors.h"
#include "common/json.h"
#include "server/weights/safetensors.h"
#include "tests/server/steering/fixtures.h"

namespace steer {
namespace {

void ExpectEqual(const DirectionSet& a, const DirectionSet& b) {
  EXPECT_EQ(a.set_id, b.set_id);
  EXPECT_EQ(a.content_digest, b.content_digest);
  EXPECT_EQ(a.model_fingerprint, b.model_fingerprint);
  EXPECT_EQ(a.numeric_fingerprint, b.numeric_fingerprint);
  EXPECT_EQ(a.positions, b.positions);
  EXPECT_EQ(a.directions, b.directions);
  EXPECT_EQ(a.harmful_means, b.harmful_means);
  EXPECT_EQ(a.harmless_means, b.harmless_means);
  EXPECT_EQ(a.harmful_mean_norms, b.harmful_mean_norms);
  EXPECT_EQ(a.harmless_mean_norms, b.harmless_mean_norms);
  EXPECT_EQ(a.fit_prompt_hashes, b.fit_prompt_hashes);
  EXPECT_EQ(a.create_time, b.create_time);
  EXPECT_EQ(a.imported, b.imported);
  ASSERT_EQ(a.reports.size(), b.reports.size());
  for (size_t i = 0; i < a.reports.size(); ++i) {
    EXPECT_EQ(a.reports[i].usable, b.reports[i].usable);
    EXPECT_EQ(a.reports[i].norm, b.reports[i].norm);
    EXPECT_EQ(a.reports[i].auc, b.reports[i].auc);
    EXPECT_EQ(a.reports[i].projection_gap, b.reports[i].projection_gap);
    EXPECT_EQ(a.reports[i].mean_cosine, b.reports[i].mean_cosine);
    EXPECT_EQ(a.reports[i].direction_digest, b.reports[i].direction_digest);
  }
}

TEST(DirectionSet, SurvivesItsFileBitForBit) {
  const DirectionSet set = MadeSet("a");
  for (bool with_states : {true, false}) {
    auto bytes = SerializeDirectionSet(set, with_states);
    ASSERT_TRUE(bytes.ok()) << bytes.status();
    auto read = DeserializeDirectionSet(*bytes, "a file");
    ASSERT_TRUE(read.ok()) << read.status();
    ExpectEqual(set, *read);
    EXPECT_EQ(read->states, with_states ? set.states : std::vector<float>());
    // The same set gives the same bytes.
    EXPECT_EQ(*SerializeDirectionSet(*read, with_states), *bytes);
  }
}

TEST(DirectionSet, ContentDigestSeesEveryTensorAndFlagButNotTheStates) {
  const DirectionSet set = MadeSet("a");
  DirectionSet other = set;
  other.states.clear();
  EXPECT_EQ(ContentDigest(other), set.content_digest);
  for (auto tensor :
       {&DirectionSet::directions, &DirectionSet::harmful_means, &DirectionSet::harmless_means,
        &DirectionSet::harmful_mean_norms, &DirectionSet::harmless_mean_norms}) {
    other = set;
    (other.*tensor).back() = std::nextafter((other.*tensor).back(), 9.0f);
    EXPECT_NE(ContentDigest(other), set.content_digest);
  }
  other = set;
  other.reports[1].usable = false;
  EXPECT_NE(ContentDigest(other), set.content_digest);
}

TEST(DirectionSet, IdSeesEveryInput) {
  const std::vector<std::vector<int32_t>> a = {{1, 2}, {3}}, b = {{4}};
  const std::string id = DirectionSetId("m", "n", a, b, {-1}, true);
  EXPECT_EQ(DirectionSetId("m", "n", a, b, {-1}, true), id);
  const std::set<std::string> others = {
      id,
      DirectionSetId("x", "n", a, b, {-1}, true),
      DirectionSetId("m", "x", a, b, {-1}, true),
      DirectionSetId("mn", "", a, b, {-1}, true),
      DirectionSetId("m", "n", b, a, {-1}, true),
      DirectionSetId("m", "n", {{3}, {1, 2}}, b, {-1}, true),
      DirectionSetId("m", "n", {{1}, {2, 3}}, b, {-1}, true),
      DirectionSetId("m", "n", {{1, 2}, {3}, {4}}, {}, {-1}, true),
      DirectionSetId("m", "n", a, b, {-1, -2}, true),
      DirectionSetId("m", "n", a, b, {-2}, true),
      DirectionSetId("m", "n", a, b, {-1}, false),
  };
  EXPECT_EQ(others.size(), 11u);
}

// SHA-256 of the bytes 00 00 80 3f (1.0f), as sha256sum prints it.
TEST(DirectionSet, DirectionDigestIsOfLittleEndianFloats) {
  EXPECT_EQ(DirectionDigest({1.0f}), Sha256Hex(std::string("\x00\x00\x80\x3f", 4)));
}

// Every single damaged byte is noticed: file structure, facts, tensors, states.
TEST(DirectionSet, NoDamagedByteGoesUnnoticed) {
  const std::string bytes = *SerializeDirectionSet(MadeSet("a", true, {-1}, 2, 3), true);
  std::mt19937 random(1);
  for (size_t i = 0; i < bytes.size(); ++i) {
    std::string damaged = bytes;
    damaged[i] = static_cast<char>(damaged[i] ^ (1 << random() % 8));
    auto read = DeserializeDirectionSet(damaged, "damaged.safetensors");
    ASSERT_FALSE(read.ok()) << "byte " << i;
    ASSERT_THAT(std::string(read.status().message()), testing::HasSubstr("damaged.safetensors"))
        << i;
  }
  for (size_t size = 0; size < bytes.size(); size += 7) {
    ASSERT_FALSE(DeserializeDirectionSet(absl::string_view(bytes).substr(0, size), "cut").ok());
  }
}

TEST(DirectionSet, DamagedTensorsAreDataLoss) {
  const DirectionSet set = MadeSet("a");
  std::string bytes = *SerializeDirectionSet(set, true);
  bytes.back() = static_cast<char>(bytes.back() ^ 1);  // "states" is the last tensor by name
  EXPECT_EQ(DeserializeDirectionSet(bytes, "x").status().code(), absl::StatusCode::kDataLoss);
}

// Forged files: digests are made right again, so that only the rules stand in the way.
TEST(DirectionSet, RefusesForgedFactsByName) {
  const DirectionSet set = MadeSet("a");
  const std::string bytes = *SerializeDirectionSet(set, false);
  auto file = *SafetensorsFile::FromBytes(bytes, "x");
  const Json facts = *ParseJson(file->metadata().at("steer_direction_set"));
  const auto forge = [&](const std::function<void(Json*)>& change) {
    Json changed = facts;
    change(&changed);
    std::map<std::string, std::string> metadata = file->metadata();
    metadata["steer_direction_set"] = changed.dump();
    metadata["steer_direction_set_sha256"] = Sha256Hex(changed.dump());
    return DeserializeDirectionSet(*SerializeSafetensors(file->tensors(), metadata), "forged")
        .status();
  };
  EXPECT_TRUE(forge([](Json*) {}).ok());
  std::map<std::string, std::string> broken = file->metadata();
  broken["steer_direction_set"] = "{";
  broken["steer_direction_set_sha256"] = Sha256Hex("{");
  EXPECT_EQ(DeserializeDirectionSet(*SerializeSafetensors(file->tensors(), broken), "forged")
                .status()
                .code(),
            absl::StatusCode::kInvalidArgument);
  const std::vector<std::pair<const char*, std::function<void(Json*)>>> changes = {
      {"format version 2", [](Json* f) { (*f)["format_version"] = 2; }},
      {"format_version", [](Json* f) { f->erase("format_version"); }},
      {"set_id", [](Json* f) { (*f)["set_id"] = "../../etc"; }},
      {"set_id", [](Json* f) { (*f)["set_id"] = 5; }},
      {"method", [](Json* f) { (*f)["method"] = "other"; }},
      {"model_fingerprint", [](Json* f) { (*f)["model_fingerprint"] = ""; }},
      {"positions", [](Json* f) { (*f)["positions"] = Json::array(); }},
      {"positions",
       [](Json* f) {
         (*f)["positions"] = {-1, 0};
       }},
      {"positions",
       [](Json* f) {
         (*f)["positions"] = {-1, -1};
       }},
      {"positions",
       [](Json* f) {
         (*f)["positions"] = {-1, -5000000000};
       }},
      {"positions",
       [](Json* f) {
         (*f)["positions"] = {-1, "x"};
       }},
      {"positions", [](Json* f) { (*f)["positions"] = "x"; }},
      {"layers", [](Json* f) { (*f)["layers"] = int64_t{1} << 62; }},
      {"layers", [](Json* f) { (*f)["layers"] = -1; }},
      {"hidden", [](Json* f) { (*f)["hidden"] = 0; }},
      {"instead of F32", [](Json* f) { (*f)["hidden"] = 8; }},
      {"instead of F32", [](Json* f) { (*f)["layers"] = 2; }},
      {"harmful_prompts", [](Json* f) { (*f)["harmful_prompts"] = 1; }},
      {"harmless_prompts", [](Json* f) { (*f)["harmless_prompts"] = int64_t{1} << 40; }},
      {"fit_prompt_hashes", [](Json* f) { (*f)["fit_prompt_hashes"][0] = "zz"; }},
      {"fit_prompt_hashes",
       [](Json* f) { (*f)["fit_prompt_hashes"][0] = (*f)["fit_prompt_hashes"][1]; }},
      {"fit_prompt_hashes", [](Json* f) { (*f)["fit_prompt_hashes"] = 3; }},
      {"differ from their digest", [](Json* f) { (*f)["reports"].erase(0); }},
      {"reports[1]", [](Json* f) { (*f)["reports"][1]["auc"] = 1.5; }},
      {"reports[1]", [](Json* f) { (*f)["reports"][1]["norm"] = 2.0; }},
      {"reports[1]", [](Json* f) { (*f)["reports"][1]["layer"] = 0; }},
      {"reports[1]", [](Json* f) { (*f)["reports"][1]["direction_digest"] = Sha256Hex("x"); }},
      {"reports[1]", [](Json* f) { (*f)["reports"][1].erase("auc"); }},
      {"reports[0]", [](Json* f) { (*f)["reports"][0] = 1; }},
      {"differ from their digest", [](Json* f) { (*f)["reports"][1]["usable"] = false; }},
      {"differ from their digest", [](Json* f) { (*f)["content_digest"] = Sha256Hex("x"); }},
      {"unknown key \"more\"", [](Json* f) { (*f)["more"] = 1; }},
      {"create_unix_nanoseconds", [](Json* f) { (*f)["create_unix_nanoseconds"] = 1.5; }},
      {"imported", [](Json* f) { (*f)["imported"] = 1; }},
  };
  for (const auto& [what, change] : changes) {
    const absl::Status status = forge(change);
    EXPECT_FALSE(status.ok()) << what;
    EXPECT_THAT(std::string(status.message()), testing::HasSubstr(what));
  }
}

TEST(DirectionSet, RefusesForgedTensors) {
  const DirectionSet set = MadeSet("a");
  const std::string bytes = *SerializeDirectionSet(set, true);
  auto file = *SafetensorsFile::FromBytes(bytes, "x");
  const auto forge = [&](const std::function<void(std::map<std::string, TensorView>*)>& change) {
    std::map<std::string, TensorView> tensors = file->tensors();
    change(&tensors);
    return DeserializeDirectionSet(*SerializeSafetensors(tensors, file->metadata()), "forged")
        .status();
  };
  EXPECT_TRUE(forge([](auto*) {}).ok());
  EXPECT_FALSE(forge([](auto* t) { t->erase("directions"); }).ok());
  EXPECT_FALSE(forge([](auto* t) { (*t)["more"] = (*t)["directions"]; }).ok());
  EXPECT_FALSE(forge([](auto* t) { (*t)["directions"].type = TensorType::kInt32; }).ok());
  EXPECT_FALSE(forge([](auto* t) {
                 std::swap((*t)["directions"].shape[0], (*t)["directions"].shape[1]);
               }).ok());
  EXPECT_FALSE(
      forge([](auto* t) { std::swap((*t)["harmful_means"], (*t)["harmless_means"]); }).ok());
}

TEST(DirectionSet, RefusesToWriteWhatItWouldNotRead) {
  DirectionSet set = MadeSet("a");
  set.directions[20] = std::numeric_limits<float>::quiet_NaN();
  set.content_digest = ContentDigest(set);
  EXPECT_FALSE(SerializeDirectionSet(set, true).ok());
  set = MadeSet("a");
  set.harmful_mean_norms[0] = -1;
  set.content_digest = ContentDigest(set);
  EXPECT_FALSE(SerializeDirectionSet(set, true).ok());
  set = MadeSet("a");
  set.content_digest = Sha256Hex("x");
  EXPECT_FALSE(SerializeDirectionSet(set, true).ok());
}

}  // namespace
}  // namespace steer
