#include "common/errors.h"

#include <gtest/gtest.h>

#include "absl/strings/cord.h"

namespace steer {
namespace {

TEST(Errors, PayloadsOfAnotherFormAreNoDetails) {
  absl::Status status = absl::UnavailableError("later");
  EXPECT_EQ(RetryDelayOf(status), absl::nullopt);
  EXPECT_TRUE(ViolationsOf(status).empty());
  status.SetPayload("steer/retry_nanoseconds", absl::Cord("soon"));
  EXPECT_EQ(RetryDelayOf(status), absl::nullopt);
  for (const char* text : {"", "{", "7", "{\"a\":1}", "[7]", "[[]]", "[[\"a\"]]", "[[1,\"b\"]]",
                           "[[\"a\",2]]", "[[\"a\",\"b\",\"c\"]]"}) {
    status.SetPayload("steer/violations", absl::Cord(text));
    EXPECT_TRUE(ViolationsOf(status).empty()) << text;
  }
  status.SetPayload("steer/violations", absl::Cord(R"([7,["seeds","is missing"]])"));
  const std::vector<Violation> expected = {{"seeds", "is missing"}};
  EXPECT_EQ(ViolationsOf(status), expected);
}

TEST(Errors, ViolationsAreEqualInBothTheirParts) {
  const Violation violation = {"seeds", "is missing"};
  EXPECT_NE(violation, (Violation{"splits", "is missing"}));
  EXPECT_NE(violation, (Violation{"seeds", "is empty"}));
}

}  // namespace
}  // namespace steer
