#include "server/rpc/credentials.h"

#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "common/errors.h"
#include "server/rpc/health_probe.h"
#include "server/rpc/listen_check.h"
#include "tests/server/rpc/tls_fixture.h"

namespace steer {
namespace {

ListenOptions At(const std::string& address) {
  ListenOptions options;
  options.address = address;
  return options;
}

TEST(CheckListenTest, RefusesWithTheFlagsName) {
  EXPECT_TRUE(CheckListen(At("127.0.0.1:0")).ok());
  for (const char* bad :
       {"", "nohost", ":5", "127.0.0.1:99999", "127.0.0.1:x", "[::1:5", "::1:5"}) {
    EXPECT_NE(CheckListen(At(bad)).message().find("--listen"), std::string::npos) << bad;
  }
  ListenOptions ca = At("127.0.0.1:0");
  ca.tls_client_ca = "/nowhere/ca.pem";
  EXPECT_NE(CheckListen(ca).message().find("--tls-client-ca"), std::string::npos);
}

// Both TLS and tokens, or --insecure; a token never in plain text, whatever is said.
TEST(CheckListenTest, BeyondLoopback) {
  for (const char* address : {"0.0.0.0:0", "[::]:0", "example.org:1"}) {
    for (const bool tls : {false, true}) {
      for (const bool tokens : {false, true}) {
        for (const bool insecure : {false, true}) {
          ListenOptions options = At(address);
          if (tls) options.tls_cert = options.tls_key = "/some/file.pem";
          if (tokens) options.tokens_file = "/some/tokens";
          options.insecure = insecure;
          const absl::Status status = CheckListen(options);
          const bool good = tls ? tokens || insecure : !tokens && insecure;
          EXPECT_EQ(status.ok(), good) << address << tls << tokens << insecure << status;
          if (!good) {
            EXPECT_NE(status.message().find(tokens ? "--tokens-file" : "--insecure"),
                      std::string::npos)
                << status;
          }
        }
      }
    }
  }
  ListenOptions local = At("127.0.0.1:0");
  local.tokens_file = "/some/tokens";
  EXPECT_TRUE(CheckListen(local).ok());
}

class CanListenTest : public ::testing::Test {
 protected:
  static void ExpectRefused(const std::string& address, const std::string& why) {
    const absl::Status status = CheckCanListen(address);
    EXPECT_EQ(ReasonOf(status), "ADDRESS_UNAVAILABLE") << address << status;
    EXPECT_NE(status.message().find(absl::StrCat("'", address, "'")), std::string::npos) << status;
    EXPECT_NE(status.message().find(why), std::string::npos) << status;
  }
};

TEST_F(CanListenTest, ARefusalNamesTheAddressAndTheCause) {
  EXPECT_TRUE(CheckCanListen("127.0.0.1:0").ok());
  ExpectRefused("nohost", "it is no host:port");
  ExpectRefused("[fe80::1%no-such-link]:0", "no address is known for fe80::1%no-such-link");
  ExpectRefused("[fe80::1]:0", "");  // of no link: an error that has only the system's words
  ExpectRefused("192.0.2.1:0", "is no address of this machine");  // RFC 5737
  const absl::Status loopback = CheckCanListen("[::1]:0");
  if (!loopback.ok()) ExpectRefused("[::1]:0", "");  // a machine without version 6
}

TEST_F(CanListenTest, UnixSocketsNeedAFolderThatMayBeWritten) {
  EXPECT_TRUE(CheckCanListen("unix-abstract:steer").ok());
  EXPECT_EQ(CheckCanListen("unix:steer.sock").ok(), access(".", W_OK | X_OK) == 0);
  ExpectRefused("unix:/nonexistent/steer.sock", "cannot make a socket in /nonexistent");
  ExpectRefused("unix:/" + std::string(200, 'x'), "the path has 201 bytes");
}

TEST_F(CanListenTest, WithoutAFileDescriptorTheCauseIsSaid) {
  rlimit before = {};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit none = before;
  none.rlim_cur = 0;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  const absl::Status status = CheckCanListen("127.0.0.1:0");
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_NE(status.message().find(strerror(EMFILE)), std::string::npos) << status;
}

TEST(ProbeCredentialsTest, HalfOfWhatTlsNeedsIsAnError) {
  ListenOptions options = At("127.0.0.1:0");
  EXPECT_TRUE(MakeProbeCredentials(options).ok());
  options.tls_client_ca = "/nowhere/ca.pem";
  absl::Status status = MakeProbeCredentials(options).status();
  EXPECT_EQ(ReasonOf(status), "BAD_FLAG");
  EXPECT_NE(status.message().find("--tls-client-ca: needs --tls-cert"), std::string::npos);
  options.tls_key = "/nowhere/key.pem";
  status = MakeProbeCredentials(options).status();
  EXPECT_NE(status.message().find("must be given together"), std::string::npos) << status;
  EXPECT_FALSE(CheckListen(options).ok() && OpenTlsFiles(options, nullptr).ok());
  options.tls_cert = "/nowhere/cert.pem";
  status = MakeProbeCredentials(options).status();
  EXPECT_NE(status.message().find("/nowhere/cert.pem"), std::string::npos) << status;
}

TEST(OpenTlsFilesTest, NamesFlagAndFile) {
  ListenOptions half = At("127.0.0.1:0");
  EXPECT_EQ(*OpenTlsFiles(half, nullptr), nullptr);
  half.tls_key = "/nowhere/key.pem";
  EXPECT_FALSE(OpenTlsFiles(half, nullptr).ok());
  half.tls_cert = "/nowhere/cert.pem";
  EXPECT_NE(OpenTlsFiles(half, nullptr).status().message().find("/nowhere/cert.pem"),
            std::string::npos);
}

TEST_F(TlsTest, ServerAndMutual) {
  MakePair("server");
  MakePair("client");
  MakePair("stranger");
  if (IsSkipped()) return;
  RpcServerOptions options = Defaults();
  options.listen.address = "127.0.0.1:0";
  options.listen.tls_cert = folder_ + "/server.pem";
  options.listen.tls_key = folder_ + "/server.key";
  Restart(options);
  EXPECT_TRUE(Answers(Secure("")));
  EXPECT_FALSE(Answers(Connect()));  // plain text
  options.listen.address = absl::StrCat("127.0.0.1:", server_->port());
  EXPECT_TRUE(
      Answers(grpc::CreateChannel(options.listen.address, *MakeProbeCredentials(options.listen))));
  options.listen.address = "127.0.0.1:0";
  options.listen.tls_client_ca = folder_ + "/client.pem";
  Restart(options);
  EXPECT_TRUE(Answers(Secure("client")));
  EXPECT_FALSE(Answers(Secure("stranger")));
  EXPECT_FALSE(Answers(Secure("")));
}

}  // namespace
}  // namespace steer
