// The client's reader of kept sets against files that the server's code wrote.
#include "client/run/set_file.h"

#include <tuple>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/digest.h"
#include "common/json.h"
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

// A set's file taken apart, to be put together again with digests that fit what was changed.
struct SetParts {
  Json header;
  Json facts;
  std::string data;
};

SetParts PartsOf(const std::string& bytes) {
  const size_t size = static_cast<unsigned char>(bytes[0]) | static_cast<unsigned char>(bytes[1])
                                                                 << 8;
  SetParts parts;
  parts.header = *ParseJson(bytes.substr(8, size));
  parts.facts = *ParseJson(parts.header["__metadata__"][kSetFactsKey].get<std::string>());
  parts.data = bytes.substr(8 + size);
  return parts;
}

std::string FileOf(std::string header, const std::string& data) {
  header.resize((header.size() + 7) / 8 * 8, ' ');
  std::string size(8, '\0');
  for (int i = 0; i < 8; ++i) size[i] = static_cast<char>(header.size() >> (8 * i));
  return size + header + data;
}

// With the facts as they stand and their digest.
std::string Resealed(SetParts parts) {
  const std::string facts = parts.facts.dump();
  parts.header["__metadata__"] = {{kSetFactsKey, facts}, {kSetFactsDigestKey, Sha256Hex(facts)}};
  return FileOf(parts.header.dump(), parts.data);
}

// The content digest as well, of a set of which nothing but the reports was changed.
std::string ResealedContent(SetParts parts) {
  SetContent content;
  content.format = parts.facts["format_version"];
  const std::string method = parts.facts["method"];
  content.method = method;
  content.layers = parts.facts["layers"];
  content.hidden = parts.facts["hidden"];
  for (const Json& position : parts.facts["positions"]) content.positions.push_back(position);
  for (const Json& report : parts.facts["reports"]) content.usable.push_back(report["usable"]);
  const auto tensor = [&parts](const char* name) {
    const Json& offsets = parts.header[name]["data_offsets"];
    return absl::string_view(parts.data)
        .substr(offsets[0].get<size_t>(), offsets[1].get<size_t>() - offsets[0].get<size_t>());
  };
  content.directions = tensor("directions");
  content.harmful_means = tensor("harmful_means");
  content.harmless_means = tensor("harmless_means");
  content.harmful_mean_norms = tensor("harmful_mean_norms");
  content.harmless_mean_norms = tensor("harmless_mean_norms");
  parts.facts["content_digest"] = SetContentDigest(content);
  return Resealed(parts);
}

void ExpectDamaged(const std::string& bytes, const std::string& what) {
  const absl::Status status = ReadSetFile(bytes).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << what;
  EXPECT_TRUE(absl::StartsWith(status.message(), "the set is damaged or was changed: ")) << status;
  EXPECT_TRUE(absl::StrContains(status.message(), what)) << status << ", not " << what;
}

TEST(SetFile, ResealedFactsMustStillBeThoseOfASet) {
  const std::string bytes = *SerializeDirectionSet(Made(), false);
  const SetParts parts = PartsOf(bytes);
  ASSERT_EQ(Resealed(parts), bytes);
  ASSERT_EQ(ResealedContent(parts), bytes);
  for (const char* key :
       {"format_version", "set_id", "content_digest", "method", "model_fingerprint",
        "numeric_fingerprint", "layers", "hidden", "harmful_prompts", "harmless_prompts"}) {
    SetParts without = parts;
    without.facts.erase(key);
    ExpectDamaged(Resealed(without), absl::StrCat("\"", key, "\" is missing"));
    without.facts[key] = Json::array();
    ExpectDamaged(Resealed(without), absl::StrCat("\"", key, "\" is not"));
  }
  const std::pair<const char*, Json> changes[] = {
      {"/format_version", 0},
      {"/format_version", 2},
      {"/layers", 0},
      {"/layers", 1025},
      {"/hidden", 0},
      {"/hidden", (1 << 18) + 1},
      {"/harmful_prompts", -1},
      {"/harmful_prompts", int64_t{1} << 31},
      {"/harmless_prompts", -1},
  };
  for (const auto& [pointer, value] : changes) {
    SetParts changed = parts;
    changed.facts[Json::json_pointer(pointer)] = value;
    ExpectDamaged(Resealed(changed), absl::StrCat(pointer + 1, " is out of range"));
  }
  const std::tuple<const char*, Json, const char*> lists[] = {
      {"/positions", 5, "positions is not a list"},
      {"/positions", Json::array(), "it has no positions, or too many"},
      {"/positions", Json::array_t(1025, -1), "it has no positions, or too many"},
      {"/positions/0", "x", "\"position\" is not an integer"},
      {"/positions/0", 0, "position is out of range"},
      {"/reports", 5, "reports is not a list"},
      {"/reports/1", 5, "facts: not an object"},
      {"/reports/1/auc", "x", "\"auc\" is not a number"},
  };
  for (const auto& [pointer, value, what] : lists) {
    SetParts changed = parts;
    changed.facts[Json::json_pointer(pointer)] = value;
    ExpectDamaged(Resealed(changed), what);
  }
  for (const char* key : {"positions", "reports"}) {
    SetParts without = parts;
    without.facts.erase(key);
    ExpectDamaged(Resealed(without), absl::StrCat(key, " is not a list"));
  }
  SetParts no_object = parts;
  no_object.facts = Json::array({1});
  ExpectDamaged(Resealed(no_object), "its facts are no object");
}

TEST(SetFile, ReportsAreThoseOfTheDirectionsInTheirOrder) {
  const SetParts parts = PartsOf(*SerializeDirectionSet(Made(), false));
  SetParts fewer = parts;
  fewer.facts["reports"].erase(0);
  ExpectDamaged(Resealed(fewer), "its tensors differ from their content digest");
  ExpectDamaged(ResealedContent(fewer), "it has not one report for each direction");
  const std::pair<const char*, Json> changes[] = {
      {"/reports/1/position", -2}, {"/reports/1/layer", 2}, {"/reports/1/direction_digest", "x"}};
  for (const auto& [pointer, value] : changes) {
    SetParts changed = parts;
    changed.facts[Json::json_pointer(pointer)] = value;
    ExpectDamaged(ResealedContent(changed), "report 1 is not that of its direction");
  }
}

TEST(SetFile, AHeaderIsAnObjectAsTheServerWritesIt) {
  const std::string bytes = *SerializeDirectionSet(Made(), false);
  const SetParts parts = PartsOf(bytes);
  ExpectDamaged("", "it is too short");
  ExpectDamaged(FileOf("[]", parts.data), "its header is no JSON object");
  ExpectDamaged(FileOf("{", parts.data), "its header is no JSON object");
  ExpectDamaged(FileOf(parts.header.dump(1), parts.data), "its header is not as steerd writes it");
  const std::string no_metadata = "its metadata is not that of a set without states";
  SetParts changed = parts;
  changed.header.erase("__metadata__");
  ExpectDamaged(FileOf(changed.header.dump(), parts.data), no_metadata);
  changed.header["__metadata__"] = "x";
  ExpectDamaged(FileOf(changed.header.dump(), parts.data), no_metadata);
  for (const char* key : {kSetFactsKey, kSetFactsDigestKey}) {
    changed = parts;
    changed.header["__metadata__"].erase(key);
    ExpectDamaged(FileOf(changed.header.dump(), parts.data), no_metadata);
    changed.header["__metadata__"][key] = 5;
    ExpectDamaged(FileOf(changed.header.dump(), parts.data),
                  absl::StrCat("\"", key, "\" is not a string"));
  }
  changed = parts;
  changed.header["__metadata__"] = {{kSetFactsKey, "{"}, {kSetFactsDigestKey, Sha256Hex("{")}};
  ExpectDamaged(FileOf(changed.header.dump(), parts.data), "not valid JSON");
}

TEST(SetFile, TensorsLieWhereTheirNamesSay) {
  const SetParts parts = PartsOf(*SerializeDirectionSet(Made(), false));
  SetParts changed = parts;
  changed.header["more"] = parts.header["directions"];
  ExpectDamaged(Resealed(changed), "it has not the tensors of a set");
  changed.header.erase("directions");
  ExpectDamaged(Resealed(changed), "tensor directions is not where and what it must be");
  changed = parts;
  changed.header["harmful_means"]["dtype"] = "F64";
  ExpectDamaged(Resealed(changed), "tensor harmful_means is not where and what it must be");
  changed = parts;
  changed.data.resize(16);
  ExpectDamaged(Resealed(changed), "tensor directions is not where and what it must be");
  changed = parts;
  changed.data += "1234";
  ExpectDamaged(Resealed(changed), "it is longer than its tensors");
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
