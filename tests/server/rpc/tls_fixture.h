// A server with TLS, and certificates for it made by the openssl command.
#ifndef STEER_TESTS_SERVER_RPC_TLS_FIXTURE_H_
#define STEER_TESTS_SERVER_RPC_TLS_FIXTURE_H_

#include <cstdlib>
#include <memory>
#include <string>

#include "common/files.h"
#include "server/rpc/health_probe.h"
#include "tests/server/rpc/service_fixture.h"

namespace steer {

class TlsTest : public ServiceFixture {
 protected:
  // A self-signed pair, valid for 127.0.0.1: not every machine has a name for it. Skips the test
  // where there is no openssl.
  void MakePair(const std::string& name) {
    const std::string command =
        absl::StrCat("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes ",
                     "-days 2 -subj /CN=", name, " -addext subjectAltName=IP:127.0.0.1 -keyout ",
                     folder_, "/", name, ".key -out ", folder_, "/", name, ".pem 2>/dev/null");
    if (std::system("command -v openssl > /dev/null") != 0) GTEST_SKIP() << "no openssl command";
    ASSERT_EQ(std::system(command.c_str()), 0);
  }
  std::string Pem(const std::string& pair) { return *ReadFile(folder_ + "/" + pair + ".pem"); }
  std::string Key(const std::string& pair) { return *ReadFile(folder_ + "/" + pair + ".key"); }
  // Puts bytes where the server reads them, in one step.
  void Place(const std::string& name, const std::string& bytes) {
    ASSERT_TRUE(WriteFileAtomically(folder_ + "/" + name, bytes).ok());
  }

  // A new connection that trusts `authority` and shows `pair` ("": none).
  std::shared_ptr<grpc::Channel> Secure(const std::string& pair,
                                        const std::string& authority = "server") {
    grpc::SslCredentialsOptions ssl;
    ssl.pem_root_certs = Pem(authority);
    if (!pair.empty()) {
      ssl.pem_cert_chain = Pem(pair);
      ssl.pem_private_key = Key(pair);
    }
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return grpc::CreateCustomChannel(absl::StrCat("127.0.0.1:", server_->port()),
                                     grpc::SslCredentials(ssl), arguments);
  }
  bool Answers(const std::shared_ptr<grpc::Channel>& channel) {
    return ProbeHealth(channel, "", absl::Seconds(5)).ok();
  }
};

}  // namespace steer

#endif  // STEER_TESTS_SERVER_RPC_TLS_FIXTURE_H_
