// TLS between the real programs: it works with the right files, and ends in one clear error with
// any wrong one.
#include <gmock/gmock.h>

#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "client/commands/exit_code.h"
#include "tests/integration/certificates.h"
#include "tests/integration/scenario.h"

namespace steer {
namespace {

using testing::HasSubstr;
using testing::Not;

class Tls : public testing::Test {
 protected:
  void SetUp() override {
    const std::string& f = scenario_.folder();
    ASSERT_TRUE(MakeAuthority(f, "ca") && MakeAuthority(f, "other"));
    ASSERT_TRUE(MakeCertificate(f, "server", "ca", "IP:127.0.0.1"));
    ASSERT_TRUE(MakeCertificate(f, "named", "ca", "DNS:steer.example"));
    ASSERT_TRUE(MakeCertificate(f, "expired", "ca", "IP:127.0.0.1", -1));
    ASSERT_TRUE(MakeCertificate(f, "client", "ca", "DNS:client"));
    ASSERT_TRUE(MakeCertificate(f, "stranger", "other", "DNS:stranger"));
  }

  std::string Pem(const std::string& name) { return scenario_.Path(name + ".pem"); }
  std::string Key(const std::string& name) { return scenario_.Path(name + ".key"); }

  void Serve(const std::string& pair, const std::vector<std::string>& more = {}) {
    std::vector<std::string> flags;
    if (!pair.empty()) flags = {"--tls-cert", Pem(pair), "--tls-key", Key(pair)};
    flags.insert(flags.end(), more.begin(), more.end());
    ASSERT_TRUE(scenario_.StartServer({}, flags)) << scenario_.server_log();
  }

  // steerctl model with `flags`, not patient.
  CommandResult Model(std::vector<std::string> flags) {
    flags.insert(flags.begin(), {"--patience", "0.5"});
    flags.push_back("model");
    return scenario_.Ctl(flags);
  }

  // One message: the first line says `what`, and no other line is anything but advice.
  void ExpectFault(const CommandResult& result, int code, const std::string& what) {
    EXPECT_EQ(result.end.exit_code, code) << result.err;
    EXPECT_EQ(result.out, "");
    EXPECT_THAT(result.err, testing::StartsWith("steerctl: "));
    EXPECT_THAT(result.err, HasSubstr(what));
    std::vector<std::string> lines = absl::StrSplit(result.err, '\n', absl::SkipEmpty());
    for (size_t i = 1; i < lines.size(); ++i) {
      EXPECT_THAT(lines[i], testing::StartsWith("  ")) << result.err;
    }
  }

  // What cannot pass is said at once, however patient the user is.
  void ExpectTlsFault(std::vector<std::string> flags, const std::string& what) {
    flags.insert(flags.begin(), {"--patience", "60"});
    const absl::Time start = absl::Now();
    flags.push_back("model");
    ExpectFault(scenario_.Ctl(flags), kExitUnreachable, what);
    EXPECT_LT(absl::Now() - start, absl::Seconds(20));
  }

  Scenario scenario_{"default"};
};

TEST_F(Tls, ServesOneSided) {
  Serve("server");
  CommandResult model = Model({"--tls-ca", Pem("ca")});
  EXPECT_EQ(model.end.exit_code, kExitOk) << model.err;
  EXPECT_THAT(model.out, HasSubstr("model fingerprint"));
  CommandResult doctor = scenario_.Ctl({"--tls-ca", Pem("ca"), "doctor"});
  EXPECT_EQ(doctor.end.exit_code, kExitOk) << doctor.out;
  EXPECT_THAT(doctor.out, Not(HasSubstr("FAILED")));

  const std::string untrusted = "not of an authority that we trust";
  ExpectTlsFault({"--tls-ca", Pem("other")}, untrusted);
  ExpectTlsFault({"--tls"}, untrusted);
  doctor = scenario_.Ctl({"--tls-ca", Pem("other"), "doctor"});
  EXPECT_EQ(doctor.end.exit_code, kExitUnreachable);
  EXPECT_THAT(doctor.out, HasSubstr(untrusted));
  ExpectTlsFault({"--tls-ca", Pem("ca"), "--tls-name", "wrong.example"}, "not for the name");
  // The server closes a plain connection without a word, as one that goes away does.
  ExpectFault(Model({}), kExitUnreachable, "If it listens with TLS");
  doctor = scenario_.Ctl({"--patience", "0.5", "doctor"});
  EXPECT_THAT(doctor.out, HasSubstr("If it listens with TLS"));
  // It still serves those who come with the right files.
  EXPECT_EQ(Model({"--tls-ca", Pem("ca")}).end.exit_code, kExitOk);
}

TEST_F(Tls, AClientsOwnFilesAreCheckedBeforeItConnects) {
  Serve("server");
  ExpectFault(Model({"--tls-ca", scenario_.Path("none.pem")}), kExitInput, "none.pem");
  ExpectFault(Model({"--tls-ca", Key("ca")}), kExitInput, "no certificate");
  ExpectFault(Model({"--tls-cert", Pem("client")}), kExitInput, "must be given together");
  ExpectFault(Model({"--tls-key", Key("client")}), kExitInput, "must be given together");
  ExpectFault(Model({"--tls-cert", Pem("client"), "--tls-key", Key("server")}), kExitInput,
              "is not the key of the certificate in");
  ExpectFault(Model({"--tls-cert", scenario_.model() + "/config.json", "--tls-key", Key("client")}),
              kExitInput, "not a PEM file");
}

TEST_F(Tls, AServerOfAnotherNameOrDate) {
  Serve("named");
  ExpectTlsFault({"--tls-ca", Pem("ca")}, "not for the name");
  EXPECT_EQ(Model({"--tls-ca", Pem("ca"), "--tls-name", "steer.example"}).end.exit_code, kExitOk);
  scenario_.StopServer();
  Serve("expired");
  ExpectTlsFault({"--tls-ca", Pem("ca")}, "out of date");
}

TEST_F(Tls, AServerWithoutTls) {
  Serve("");
  ExpectTlsFault({"--tls-ca", Pem("ca")}, "does not speak TLS");
  EXPECT_EQ(Model({}).end.exit_code, kExitOk);
}

TEST_F(Tls, ClientCertificatesWhereTheyAreRequired) {
  Serve("server", {"--tls-client-ca", Pem("ca")});
  const std::vector<std::string> ca = {"--tls-ca", Pem("ca")};
  ExpectFault(Model(ca), kExitUnreachable, "If it asks for client certificates");
  ExpectFault(
      Model({"--tls-ca", Pem("ca"), "--tls-cert", Pem("stranger"), "--tls-key", Key("stranger")}),
      kExitUnreachable, "It may not trust the certificate");
  CommandResult model =
      Model({"--tls-ca", Pem("ca"), "--tls-cert", Pem("client"), "--tls-key", Key("client")});
  EXPECT_EQ(model.end.exit_code, kExitOk) << model.err;
}

TEST_F(Tls, AServersOwnFilesAreCheckedBeforeItListens) {
  const auto refusal = [&](const std::vector<std::string>& flags) {
    EXPECT_FALSE(scenario_.StartServer({}, flags));
    const std::string log = scenario_.server_log();
    const std::string last = log.substr(log.rfind("steerd: "));
    EXPECT_EQ(scenario_.server().Wait(absl::Seconds(10)).exit_code, 1);
    return last;
  };
  EXPECT_THAT(refusal({"--tls-cert", Pem("server"), "--tls-key", Key("client")}),
              HasSubstr("is not the key of the certificate in"));
  EXPECT_THAT(refusal({"--tls-cert", Pem("server"), "--tls-key", scenario_.Path("none.key")}),
              HasSubstr("none.key"));
  EXPECT_THAT(refusal({"--tls-cert", Pem("server")}), HasSubstr("must be given together"));
  EXPECT_THAT(refusal({"--tls-client-ca", Pem("ca")}), HasSubstr("--tls-client-ca"));
}

}  // namespace
}  // namespace steer
