#include "common/tls_files.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/files.h"

namespace steer {
namespace {

class TlsFiles : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = absl::StrCat(testing::TempDir(), "/tls_files_", getpid());
    std::filesystem::create_directories(folder_);
    if (std::system("command -v openssl > /dev/null") != 0) GTEST_SKIP() << "no openssl command";
    for (const char* name : {"one", "two"}) {
      OpenSsl(absl::StrCat("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes ",
                           "-days 2 -subj /CN=", name, " -keyout ", Path(name), ".key -out ",
                           Path(name), ".pem"));
    }
    OpenSsl(absl::StrCat("ec -in ", Path("one"), ".key -aes128 -passout pass:long-enough -out ",
                         Path("locked"), ".key"));
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  static void OpenSsl(const std::string& arguments) {
    ASSERT_EQ(std::system(absl::StrCat("openssl ", arguments, " 2>/dev/null").c_str()), 0);
  }
  std::string Path(const std::string& name) const { return absl::StrCat(folder_, "/", name); }
  std::string Text(const std::string& name) const { return *ReadFile(Path(name)); }
  std::string Write(const std::string& name, const std::string& text) const {
    EXPECT_TRUE(WriteFileAtomically(Path(name), text).ok());
    return Path(name);
  }
  std::string folder_;
};

TEST_F(TlsFiles, APairIsReadWithItsChain) {
  const std::string chain = Write("chain.pem", Text("one.pem") + Text("two.pem"));
  const auto pair = ReadTlsPair(chain, Path("one.key"));
  ASSERT_TRUE(pair.ok()) << pair.status();
  EXPECT_EQ(pair->certificates, Text("chain.pem"));
  EXPECT_EQ(pair->key, Text("one.key"));
  const auto authorities = ReadTlsAuthorities("--client-ca", chain);
  ASSERT_TRUE(authorities.ok()) << authorities.status();
  EXPECT_EQ(*authorities, Text("chain.pem"));
}

TEST_F(TlsFiles, WhatIsWrongIsNamedWithItsFlag) {
  const std::string one = Text("one.pem");
  const std::string cut = Write("cut.pem", one + Text("two.pem").substr(0, 200));
  const std::string no_pem = Write("no.pem", "nothing of the kind");
  const std::string empty = Write("empty.pem", "-----BEGIN NOTHING-----\n");
  const struct {
    std::string certificate, key, flag, message;
  } cases[] = {
      {Path("one.pem"), "", "--tls-cert and --tls-key", "must be given together"},
      {"", Path("one.key"), "--tls-cert and --tls-key", "must be given together"},
      {Path("absent"), Path("one.key"), "--tls-cert: ", "absent"},
      {Path("one.pem"), Path("absent"), "--tls-key: ", "absent"},
      {no_pem, Path("one.key"), "--tls-cert: ", "is not a PEM file"},
      {Path("one.pem"), no_pem, "--tls-key: ", "is not a PEM file"},
      {empty, Path("one.key"), "--tls-cert: ", "holds no certificate that can be read"},
      {cut, Path("one.key"), "--tls-cert: ", "holds a certificate that cannot be read"},
      {Path("one.pem"), empty, "--tls-key: ", "holds no private key that can be read"},
      {Path("one.pem"), Path("two.key"), "--tls-key: ", "is not the key of the certificate"},
      {Path("one.pem"), Path("locked.key"), "--tls-key: ", "has a pass phrase"},
  };
  for (const auto& one_case : cases) {
    const absl::Status status = ReadTlsPair(one_case.certificate, one_case.key).status();
    EXPECT_TRUE(absl::StartsWith(status.message(), one_case.flag)) << status;
    EXPECT_TRUE(absl::StrContains(status.message(), one_case.message)) << status;
  }
  EXPECT_EQ(ReasonOf(ReadTlsAuthorities("--client-ca", cut).status()), "BAD_TLS_FILE");
  EXPECT_FALSE(ReadTlsAuthorities("--client-ca", Path("absent")).ok());
}

}  // namespace
}  // namespace steer
