#include "server/rpc/credentials.h"

#include "server/rpc/health_probe.h"
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
