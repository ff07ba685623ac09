#include "server/rpc/credentials.h"

#include <cstdlib>

#include "common/files.h"
#include "server/rpc/health_probe.h"
#include "tests/server/rpc/service_fixture.h"

namespace steer {
namespace {

TEST(IsLoopbackTest, Addresses) {
  for (const char* yes : {"127.0.0.1:1", "127.9.8.7:0", "localhost:50051", "[::1]:5", "unix:/x"}) {
    EXPECT_TRUE(IsLoopback(yes)) << yes;
  }
  for (const char* no : {"0.0.0.0:1", "[::]:1", "10.0.0.1:2", "127.evil.example:1", "example.org:1",
                         "::1:5", "127.0.0.1", ""}) {
    EXPECT_FALSE(IsLoopback(no)) << no;
  }
}

ListenOptions At(const std::string& address) {
  ListenOptions options;
  options.address = address;
  return options;
}

TEST(MakeServerCredentialsTest, RefusesWithTheFlagsName) {
  EXPECT_TRUE(MakeServerCredentials(At("127.0.0.1:0")).ok());
  for (const char* bad :
       {"", "nohost", ":5", "127.0.0.1:99999", "127.0.0.1:x", "[::1:5", "::1:5"}) {
    const auto refused = MakeServerCredentials(At(bad));
    ASSERT_FALSE(refused.ok()) << bad;
    EXPECT_NE(refused.status().message().find("--listen"), std::string::npos);
  }
  ListenOptions open = At("0.0.0.0:0");
  EXPECT_NE(MakeServerCredentials(open).status().message().find("--insecure"), std::string::npos);
  open.insecure = true;
  EXPECT_TRUE(MakeServerCredentials(open).ok());
  ListenOptions half = At("127.0.0.1:0");
  half.tls_key = "/nowhere/key.pem";
  EXPECT_FALSE(MakeServerCredentials(half).ok());
  half.tls_cert = "/nowhere/cert.pem";
  EXPECT_NE(MakeServerCredentials(half).status().message().find("/nowhere/cert.pem"),
            std::string::npos);
  ListenOptions ca = At("127.0.0.1:0");
  ca.tls_client_ca = "/nowhere/ca.pem";
  EXPECT_NE(MakeServerCredentials(ca).status().message().find("--tls-client-ca"),
            std::string::npos);
}

class TlsTest : public ServiceFixture {
 protected:
  // A self-signed pair, valid for 127.0.0.1: not every machine has a name for it.
  void MakePair(const std::string& name) {
    const std::string command =
        absl::StrCat("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes ",
                     "-days 2 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 -keyout ",
                     folder_, "/", name, ".key -out ", folder_, "/", name, ".pem 2>/dev/null");
    if (std::system("command -v openssl > /dev/null") != 0) GTEST_SKIP() << "no openssl command";
    ASSERT_EQ(std::system(command.c_str()), 0);
  }
  std::shared_ptr<grpc::Channel> Secure(const std::string& pair) {
    grpc::SslCredentialsOptions ssl;
    ssl.pem_root_certs = *ReadFile(folder_ + "/server.pem");
    if (!pair.empty()) {
      ssl.pem_cert_chain = *ReadFile(absl::StrCat(folder_, "/", pair, ".pem"));
      ssl.pem_private_key = *ReadFile(absl::StrCat(folder_, "/", pair, ".key"));
    }
    return grpc::CreateChannel(absl::StrCat("127.0.0.1:", server_->port()),
                               grpc::SslCredentials(ssl));
  }
  bool Answers(const std::shared_ptr<grpc::Channel>& channel) {
    return ProbeHealth(channel, "", absl::Seconds(5)).ok();
  }
};

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
