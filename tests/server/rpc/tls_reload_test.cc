// TLS files that change under a running server.
#include "server/rpc/tls_reload.h"

#include <filesystem>

#include "tests/server/rpc/tls_fixture.h"

namespace steer {
namespace {

class TlsReloadTest : public TlsTest {
 protected:
  void Serve(bool mutual = false) {
    for (const char* pair : {"first", "second", "client", "other"}) {
      MakePair(pair);
      if (IsSkipped()) return;
    }
    Place("live.pem", Pem("first"));
    Place("live.key", Key("first"));
    Place("live.ca", Pem("client"));
    RpcServerOptions options = Defaults();
    options.listen.tls_cert = folder_ + "/live.pem";
    options.listen.tls_key = folder_ + "/live.key";
    if (mutual) options.listen.tls_client_ca = folder_ + "/live.ca";
    Restart(options);
  }
  bool Counted(const std::string& result, int count) {
    return WaitFor([&] {
      return metrics_->Text().find(absl::StrCat("steer_tls_reloads_total{result=\"", result, "\"} ",
                                                count, "\n")) != std::string::npos;
    });
  }
};

TEST_F(TlsReloadTest, AWholePairIsTakenAndAHalfOneIsNot) {
  Serve();
  if (IsSkipped()) return;
  const auto standing = Secure("", "first");
  EXPECT_TRUE(Answers(standing));
  // The new certificate is there, its key is not yet.
  Place("live.pem", Pem("second"));
  EXPECT_TRUE(Counted("failed", 1));
  EXPECT_TRUE(Answers(Secure("", "first")));
  EXPECT_FALSE(Answers(Secure("", "second")));
  // Still half written: the same content is one failure however often it is looked at.
  absl::SleepFor(absl::Milliseconds(100));
  EXPECT_TRUE(Counted("failed", 1));
  // A chain that ends inside its second certificate; a key cut off; nothing.
  Place("live.pem", Pem("first") + Pem("second").substr(0, 200));
  EXPECT_TRUE(Counted("failed", 2));
  Place("live.pem", Pem("second"));
  Place("live.key", Key("second").substr(0, 60));
  std::filesystem::remove(folder_ + "/live.key");
  EXPECT_TRUE(Answers(Secure("", "first")));
  EXPECT_TRUE(Counted("ok", 0));
  Place("live.key", Key("second"));
  EXPECT_TRUE(Counted("ok", 1));
  EXPECT_TRUE(Answers(Secure("", "second")));
  EXPECT_FALSE(Answers(Secure("", "first")));
  EXPECT_TRUE(Answers(standing));  // made before
}

TEST_F(TlsReloadTest, AuthoritiesOfClientsToo) {
  Serve(/*mutual=*/true);
  if (IsSkipped()) return;
  EXPECT_TRUE(Answers(Secure("client", "first")));
  EXPECT_FALSE(Answers(Secure("other", "first")));
  EXPECT_FALSE(Answers(Secure("", "first")));
  Place("live.ca", Pem("other").substr(0, 300));
  EXPECT_TRUE(Counted("failed", 1));
  EXPECT_TRUE(Answers(Secure("client", "first")));
  Place("live.ca", Pem("other"));
  EXPECT_TRUE(Counted("ok", 1));
  EXPECT_TRUE(Answers(Secure("other", "first")));
  EXPECT_FALSE(Answers(Secure("client", "first")));
  EXPECT_FALSE(Answers(Secure("", "first")));
}

TEST_F(TlsReloadTest, FilesThatComeBackAreNoNewOnes) {
  Serve();
  if (IsSkipped()) return;
  const auto reloader =
      *TlsReloader::Open({folder_ + "/live.pem", folder_ + "/live.key", ""}, nullptr);
  const int first = reloader->Current().second;
  Place("live.pem", "no certificate");
  reloader->Poll();
  Place("live.pem", Pem("first"));
  reloader->Poll();
  EXPECT_EQ(reloader->Current().second, first);
  Place("live.pem", Pem("second"));
  Place("live.key", Key("second"));
  reloader->Poll();
  EXPECT_EQ(reloader->Current().second, first + 1);
  EXPECT_EQ(reloader->Current().first.pair.key, Key("second"));
}

TEST_F(TlsReloadTest, OldProtocolVersionsAreRefused) {
  Serve();
  if (IsSkipped()) return;
  // By what it says (and that has bytes of HTTP/2 in it), not by how it ends: a server that speaks HTTP/2 hangs up on whoever does not, and that is an error to s_client.
  const auto handshake = [&](const std::string& version) {
    return std::system(absl::StrCat("echo | openssl s_client -connect 127.0.0.1:", server_->port(),
                                    " -alpn h2 ", version,
                                    " 2>/dev/null | grep -a '^New, TLSv1' | grep -qv '(NONE)'")
                           .c_str()) == 0;
  };
  EXPECT_TRUE(handshake("-tls1_2"));
  EXPECT_TRUE(handshake("-tls1_3"));
  EXPECT_FALSE(handshake("-tls1_1 -cipher ALL:@SECLEVEL=0"));
  EXPECT_FALSE(handshake("-tls1 -cipher ALL:@SECLEVEL=0"));
}

}  // namespace
}  // namespace steer
