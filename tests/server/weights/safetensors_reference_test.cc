// Every file that the reference implementation refuses is refused, and what it takes is taken but for the rules that are stricter on purpose.
// Verdicts come from the reference itself: tests/golden/weights/make_safetensors_golden.py.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "absl/strings/escaping.h"
#include "common/json.h"
#include "server/weights/safetensors.h"
#include "tests/support/paths.h"

namespace steer {
namespace {

// The format's text forbids both; the reference's parser lets them pass.
const std::set<std::string> kStricter = {"space before the brace", "name twice"};

TEST(SafetensorsReferenceTest, SameVerdicts) {
  const auto golden = ReadJsonFile(SourcePath("tests/golden/weights/safetensors.json"));
  ASSERT_TRUE(golden.ok()) << golden.status();
  int refused = 0, taken = 0;
  for (const Json& c : golden->at("cases")) {
    const std::string name = c.at("name").get<std::string>();
    std::string bytes;
    ASSERT_TRUE(absl::Base64Unescape(c.at("file").get<std::string>(), &bytes)) << name;
    const auto file = SafetensorsFile::FromBytes(bytes, "x.safetensors");
    const std::string reason = c.at("refused").get<std::string>();
    if (!reason.empty() || kStricter.count(name) > 0) {
      ++refused;
      ASSERT_FALSE(file.ok()) << name << ": taken, but the reference says: " << reason;
      EXPECT_EQ(file.status().code(), absl::StatusCode::kInvalidArgument) << name;
      EXPECT_THAT(std::string(file.status().message()), testing::StartsWith("x.safetensors: "))
          << name;
    } else {
      ++taken;
      EXPECT_TRUE(file.ok()) << name << ": " << file.status();
    }
  }
  EXPECT_GE(refused, 70);
  EXPECT_GE(taken, 15);
}

}  // namespace
}  // namespace steer
