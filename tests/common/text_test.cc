// Text and addresses at their ends.
#include <gtest/gtest.h>

#include "common/net_address.h"
#include "common/utf8.h"

namespace steer {
namespace {

TEST(Utf8Ends, PastTheEndIsTheReplacementCharacter) {
  size_t at = 2;
  EXPECT_EQ(NextCodePoint("ab", &at), 0xFFFDu);
  EXPECT_EQ(at, 3u);
  EXPECT_EQ(ValidUtf8Prefix(""), 0u);
  EXPECT_FALSE(IsUnfinishedUtf8(""));
}

TEST(Utf8Ends, APrefixOfMoreThanThereIsIsAll) {
  EXPECT_EQ(Utf8Prefix("a\u00e9", 3), "a\u00e9");
  EXPECT_EQ(Utf8Prefix("a\u00e9", 0), "");
}

TEST(NetAddress, SocketsOfTheMachineHaveNoPort) {
  EXPECT_TRUE(IsUnixSocket("unix:/run/x"));
  EXPECT_TRUE(IsUnixSocket("unix-abstract:x"));
  EXPECT_FALSE(IsUnixSocket("unix.example:1"));
  EXPECT_TRUE(IsLoopback("unix-abstract:x"));
}

TEST(NetAddress, APortIsFromZeroTo65535) {
  absl::string_view host;
  int port = 0;
  EXPECT_TRUE(SplitAddress("a:65535", &host, &port));
  EXPECT_EQ(host, "a");
  EXPECT_EQ(port, 65535);
  for (const char* bad : {"a:-1", "a:65536", "a:", "a", ":1", "[::1:1", "::1]:1"}) {
    EXPECT_FALSE(SplitAddress(bad, &host, &port)) << bad;
  }
}

}  // namespace
}  // namespace steer
