#include "server/rpc/tokens_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "common/digest.h"
#include "common/errors.h"
#include "common/files.h"
#include "gtest/gtest.h"

namespace steer {
namespace {

const std::string kRead(40, 'r'), kRun(40, 'x'), kAdmin(40, 'a');

std::string Line(const std::string& role, const std::string& token, const std::string& name) {
  return absl::StrCat(role, " ", Sha256Hex(token), " ", name, "\n");
}

TEST(ParseTokensTest, EntriesInOrder) {
  const auto entries =
      ParseTokens("# ours\n\n" + Line("read", kRead, "r") + Line("admin", kAdmin, "a.b-c_d"), "f");
  ASSERT_TRUE(entries.ok()) << entries.status();
  ASSERT_EQ(entries->size(), 2u);
  EXPECT_EQ((*entries)[0].role, Role::kRead);
  EXPECT_EQ((*entries)[1].role, Role::kAdmin);
  EXPECT_EQ((*entries)[1].name, "a.b-c_d");
  EXPECT_EQ(FindToken(*entries, kAdmin), &(*entries)[1]);
  EXPECT_EQ(FindToken(*entries, kRead), &(*entries)[0]);
  EXPECT_EQ(FindToken(*entries, kRun), nullptr);
  EXPECT_EQ(FindToken(*entries, ""), nullptr);
}

TEST(ParseTokensTest, MistakesNameFileAndLineAndQuoteNothing) {
  const std::string good = Line("run", kRun, "good");
  const std::string digest = Sha256Hex(kRead);
  for (const std::string& bad :
       std::vector<std::string>{"run " + kRead + " name",              // the token itself
                                "run " + digest,                       // no name
                                "run  " + digest + " name",            // two spaces
                                "run " + digest + " name ",            // a space behind
                                " run " + digest + " name",            // a space before
                                "run\t" + digest + "\tname",           // tabs
                                "Run " + digest + " name",             // capital
                                "root " + digest + " name",            // no such role
                                "run " + digest.substr(1) + " name",   // short
                                "run " + digest + "0 name",            // long
                                "run " + digest + " na/me",            // not a name
                                "run " + Sha256Hex(kRun) + " other",   // the same token
                                "run " + digest + " good",             // the same name
                                "run A" + digest.substr(1) + " name",  // upper case
                                std::string("run ") + digest + " n\x01x"}) {
    const auto entries = ParseTokens(good + "\n" + bad + "\n", "tokens.txt");
    ASSERT_FALSE(entries.ok()) << bad;
    EXPECT_EQ(ReasonOf(entries.status()), "BAD_TOKENS_FILE");
    const std::string message(entries.status().message());
    EXPECT_NE(message.find("tokens.txt:3:"), std::string::npos) << message;
    EXPECT_EQ(message.find(kRead), std::string::npos) << message;
    EXPECT_EQ(message.find(digest.substr(1)), std::string::npos) << message;
  }
  EXPECT_FALSE(ParseTokens("", "f").ok());
  EXPECT_FALSE(ParseTokens("# nobody\n", "f").ok());
}

TEST(TokensFileTest, IsReadAgainAndAFaultKeepsWhatWas) {
  const std::string path =
      (std::filesystem::path(testing::TempDir()) / absl::StrCat("tokens_", getpid())).string();
  ASSERT_TRUE(WriteFileAtomically(path, Line("run", kRun, "x")).ok());
  auto file = TokensFile::Open(path);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ((*file)->Find(kRun)->name, "x");
  // One more, in place.
  ASSERT_TRUE(WriteFileAtomically(path, Line("run", kRun, "x") + Line("read", kRead, "r")).ok());
  EXPECT_FALSE((*file)->Find(kRead));
  (*file)->Poll();
  EXPECT_EQ((*file)->Find(kRead)->role, Role::kRead);
  // Half a line, a file that anyone may write, no file.
  ASSERT_TRUE(WriteFileAtomically(path, Line("run", kRun, "x").substr(0, 30)).ok());
  (*file)->Poll();
  EXPECT_TRUE((*file)->Find(kRead));
  ASSERT_TRUE(WriteFileAtomically(path, Line("admin", kAdmin, "evil")).ok());
  ASSERT_EQ(chmod(path.c_str(), 0666), 0);
  (*file)->Poll();
  EXPECT_FALSE((*file)->Find(kAdmin));
  EXPECT_EQ(ReasonOf(TokensFile::Open(path).status()), "TOKENS_FILE_PERMISSIONS");
  std::filesystem::remove(path);
  (*file)->Poll();
  EXPECT_TRUE((*file)->Find(kRead));
  // A token that is gone is out.
  ASSERT_TRUE(WriteFileAtomically(path, Line("read", kRead, "r")).ok());
  (*file)->Poll();
  EXPECT_FALSE((*file)->Find(kRun));
  EXPECT_TRUE((*file)->Find(kRead));
  ASSERT_TRUE(WriteFileAtomically(path, "no token\n").ok());
  EXPECT_EQ(ReasonOf(TokensFile::Open(path).status()), "BAD_TOKENS_FILE");
  std::filesystem::remove(path);
  EXPECT_FALSE(TokensFile::Open(path).ok());
}

TEST(TokensFileTest, OneThatOnlyItsOwnerReadsIsRead) {
  const std::string path =
      std::filesystem::temp_directory_path() / absl::StrCat("steer_own_tokens_", getpid());
  for (mode_t mode : {0600, 0644}) {
    ASSERT_TRUE(WriteFileAtomically(path, Line("run", kRun, "x")).ok());
    ASSERT_EQ(chmod(path.c_str(), mode), 0);
    const auto file = TokensFile::Open(path);
    ASSERT_TRUE(file.ok()) << file.status();
    EXPECT_TRUE((*file)->Find(kRun));
  }
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace steer
