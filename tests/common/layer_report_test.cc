#include "common/layer_report.h"

#include <string>

#include "gtest/gtest.h"

namespace steer {
namespace {

LayerReport Made() { return {-2, 7, true, 3.5, 2.25, 0.75, 0.125, 9.5, -0.5, "abc"}; }

std::string ErrorOf(const Json& json) {
  const auto read = ReadLayerReport(json, "here");
  EXPECT_EQ(read.status().code(), absl::StatusCode::kInvalidArgument) << json;
  return std::string(read.status().message());
}

TEST(LayerReport, IsReadAsItWasWritten) {
  const auto read = ReadLayerReport(ToJson(Made()), "here");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*read, Made());
  // Each member has a key of its own: two that changed places would still be read as written.
  EXPECT_EQ(ToJson(Made()).dump(),
            R"({"auc":0.75,"direction_digest":"abc","largest_coordinate_share":0.125,"layer":7,)"
            R"("mean_cosine":-0.5,"mean_state_norm":9.5,"norm":3.5,"position":-2,)"
            R"("projection_gap":2.25,"usable":true})");
}

TEST(LayerReport, EachKeyMustBeThereAndOfItsType) {
  const Json whole = ToJson(Made());
  for (const auto& item : whole.items()) {
    Json without = whole, other = whole;
    without.erase(item.key());
    other[item.key()] = Json::array();
    for (const Json& json : {without, other}) {
      EXPECT_EQ(ErrorOf(json).rfind("here: ", 0), 0u) << ErrorOf(json);
      EXPECT_NE(ErrorOf(json).find('"' + item.key() + '"'), std::string::npos) << ErrorOf(json);
    }
  }
}

TEST(LayerReport, RefusesWhatItIsNot) {
  EXPECT_EQ(ErrorOf(Json::array()), "here: not an object");
  Json json = ToJson(Made());
  json["width"] = 1;
  EXPECT_EQ(ErrorOf(json), "here: unknown key \"width\"");
  for (const char* key : {"position", "layer"}) {
    for (const int64_t value : {int64_t{1} << 40, -(int64_t{1} << 40)}) {
      json = ToJson(Made());
      json[key] = value;
      EXPECT_EQ(ErrorOf(json), "here: \"" + std::string(key) + "\" is out of range");
    }
  }
}

}  // namespace
}  // namespace steer
