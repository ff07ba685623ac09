#include "common/bearer_token.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/files.h"
#include "common/net_address.h"

namespace steer {
namespace {

std::string Path(const std::string& name) {
  return (std::filesystem::path(testing::TempDir()) / absl::StrCat(name, "_", getpid())).string();
}

TEST(BearerToken, AFileOfOurOwnIsReadBackAndIsPrivate) {
  const std::string path = Path("token");
  const std::string token = *NewBearerToken();
  EXPECT_NE(token, *NewBearerToken());
  EXPECT_EQ(token.size(), 70u);
  ASSERT_TRUE(WriteTokenFile(path, token).ok());
  EXPECT_EQ(*ReadTokenFile(path), token);
  struct stat facts = {};
  ASSERT_EQ(stat(path.c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0600u);
  EXPECT_FALSE(ReadableByOthers(path));
  EXPECT_EQ(WriteTokenFile(path, token).code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(*ReadTokenFile(path), token);
  ASSERT_EQ(chmod(path.c_str(), 0644), 0);
  EXPECT_TRUE(ReadableByOthers(path));
  std::filesystem::remove(path);
  EXPECT_FALSE(ReadTokenFile(path).ok());
  EXPECT_FALSE(ReadableByOthers(path));
}

TEST(BearerToken, WhatIsNoTokenIsRefusedAndNeverQuoted) {
  const std::string path = Path("bad_token");
  const std::string good(40, 'a');
  for (const std::string& text :
       {std::string(), std::string("short\n"), good + " " + good, good + "\n" + good + "\n",
        good + "\n\n", std::string(513, 'a'), good + '\x01', "\xef\xbb\xbf" + good}) {
    ASSERT_TRUE(WriteFileAtomically(path, text).ok());
    const auto token = ReadTokenFile(path);
    ASSERT_FALSE(token.ok()) << text;
    EXPECT_EQ(ReasonOf(token.status()), "BAD_TOKEN_FILE");
    EXPECT_NE(token.status().message().find(path), std::string::npos);
    EXPECT_EQ(token.status().message().find(good), std::string::npos);
  }
  ASSERT_TRUE(WriteFileAtomically(path, good + "\r\n").ok());
  EXPECT_EQ(*ReadTokenFile(path), good);
  std::filesystem::remove(path);
}

TEST(BearerToken, Names) {
  for (const char* good : {"a", "lab-2.notebook_A", "0"}) EXPECT_TRUE(IsTokenName(good)) << good;
  for (const std::string& bad : {std::string(), std::string("a b"), std::string("a/b"),
                                 std::string("a\n"), std::string(65, 'a'), std::string("\xc3\xa9")})
    EXPECT_FALSE(IsTokenName(bad)) << bad;
}

TEST(IsLoopbackTest, Addresses) {
  for (const char* yes : {"127.0.0.1:1", "127.9.8.7:0", "localhost:50051", "[::1]:5", "unix:/x"}) {
    EXPECT_TRUE(IsLoopback(yes)) << yes;
  }
  for (const char* no : {"0.0.0.0:1", "[::]:1", "10.0.0.1:2", "127.evil.example:1", "example.org:1",
                         "::1:5", "127.0.0.1", "localhost.example:1", "dns:///127.0.0.1:1", ""}) {
    EXPECT_FALSE(IsLoopback(no)) << no;
  }
}

}  // namespace
}  // namespace steer
