// Tokens, mutual TLS, health checks and the audit log between the real programs.
#include <signal.h>
#include <sys/stat.h>

#include <filesystem>

#include <gmock/gmock.h>

#include "absl/strings/str_cat.h"
#include "client/commands/exit_code.h"
#include "common/files.h"
#include "tests/integration/certificates.h"
#include "tests/integration/scenario.h"
#include "tests/support/paths.h"

namespace steer {
namespace {

using testing::HasSubstr;
using testing::Not;

class Security : public testing::Test {
 protected:
  std::string Path(const std::string& name) { return scenario_.Path(name); }
  // `steerctl token new`; its line goes to the server's file.
  void AddToken(const std::string& role) {
    const CommandResult made = scenario_.Ctl(
        {"token", "new", "--role", role, "--name", "a-" + role, "--output", Path(role + ".token")});
    ASSERT_EQ(made.end.exit_code, kExitOk) << made.err;
    lines_ += made.out;
    ASSERT_TRUE(WriteFileAtomically(Path("tokens"), lines_).ok());
  }
  CommandResult As(const std::string& role, std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"--patience", "0.5"});
    return scenario_.Ctl(arguments, {{"STEER_TOKEN_FILE", Path(role + ".token")}});
  }
  ProcessEnd Healthcheck(const std::vector<std::string>& flags) {
    std::vector<std::string> argv = {BuildPath("server/steerd"), "--healthcheck", "--listen",
                                     scenario_.address()};
    argv.insert(argv.end(), flags.begin(), flags.end());
    return Process(argv, {}, Path("health.out"), Path("health.err")).Wait(absl::Seconds(30));
  }

  Scenario scenario_{"default"};
  std::string lines_;
};

TEST_F(Security, RolesTokensAndTheAuditLog) {
  for (const char* role : {"read", "run", "admin"}) AddToken(role);
  const std::string audit = Path("audit.jsonl");
  const std::vector<std::string> flags = {"--tokens-file", Path("tokens"), "--audit-log", audit};
  ASSERT_TRUE(scenario_.StartServer({}, flags)) << scenario_.server_log();
  EXPECT_EQ(Healthcheck({}).exit_code, 0) << MustRead(Path("health.err"));

  const CommandResult nobody = scenario_.Ctl({"--patience", "0.5", "model"});
  EXPECT_EQ(nobody.end.exit_code, kExitServer) << nobody.err;
  EXPECT_THAT(nobody.err, HasSubstr("--token-file"));
  EXPECT_EQ(As("read", {"model"}).end.exit_code, kExitOk);
  const std::vector<std::string> generate = {"generate", "--prompt", "Describe the bavorn"};
  const CommandResult weak = As("read", generate);
  EXPECT_EQ(weak.end.exit_code, kExitServer);
  EXPECT_THAT(weak.err, HasSubstr("ROLE_TOO_WEAK"));
  EXPECT_EQ(As("run", generate).end.exit_code, kExitOk);
  const CommandResult refused = scenario_.Ctl({"token", "new", "--role", "root", "--name", "x"});
  EXPECT_EQ(refused.end.exit_code, kExitUsage);

  // kill -9, and on with the chain.
  scenario_.server().Signal(SIGKILL);
  scenario_.server().Wait(absl::Seconds(10));
  const std::string head = scenario_.Ctl({"--json", "audit", "verify", audit}).out;
  ASSERT_TRUE(scenario_.StartServer({}, flags)) << scenario_.server_log();
  EXPECT_EQ(As("admin", {"model"}).end.exit_code, kExitOk);
  scenario_.StopServer();
  const std::string kept = ParseJson(head)->value("head", "");
  const CommandResult sound = scenario_.Ctl({"audit", "verify", audit, "--head", kept});
  EXPECT_EQ(sound.end.exit_code, kExitOk) << sound.err;
  EXPECT_THAT(sound.out, HasSubstr("ok: "));
  const std::string log = MustRead(audit);
  for (const char* name : {"a-read", "a-run", "a-admin"}) EXPECT_THAT(log, HasSubstr(name));
  for (const char* role : {"read", "run", "admin"}) {
    const std::string token = MustRead(Path(std::string(role) + ".token"));
    EXPECT_THAT(log, Not(HasSubstr(token.substr(0, 40))));
    EXPECT_THAT(scenario_.server_log(), Not(HasSubstr(token.substr(0, 40))));
  }
  // Somebody changes who it was; somebody cuts the end off.
  std::string changed = log;
  changed.replace(changed.find("a-read"), 6, "a-root");
  ASSERT_TRUE(WriteFileAtomically(audit, changed).ok());
  const CommandResult bad = scenario_.Ctl({"audit", "verify", audit});
  EXPECT_EQ(bad.end.exit_code, kExitInput);
  EXPECT_THAT(bad.err, HasSubstr("audit.jsonl:2:"));
  ASSERT_TRUE(WriteFileAtomically(audit, log.substr(0, log.find('\n') + 1)).ok());
  EXPECT_EQ(scenario_.Ctl({"audit", "verify", audit}).end.exit_code, kExitOk);
  EXPECT_EQ(scenario_.Ctl({"audit", "verify", audit, "--head", kept}).end.exit_code, kExitInput);
}

TEST_F(Security, MutualTlsTokensAndHealthTogether) {
  const std::string& f = scenario_.folder();
  if (!MakeAuthority(f, "ca")) GTEST_SKIP() << "no openssl command";
  ASSERT_TRUE(MakeCertificate(f, "server", "ca", "IP:127.0.0.1"));
  ASSERT_TRUE(MakeCertificate(f, "client", "ca", "DNS:client"));
  AddToken("run");
  const std::vector<std::string> pair = {"--tls-cert",       Path("server.pem"), "--tls-key",
                                         Path("server.key"), "--tls-client-ca",  Path("ca.pem")};
  std::vector<std::string> flags = pair;
  flags.insert(flags.end(), {"--tokens-file", Path("tokens"), "--audit-log", Path("audit.jsonl")});
  ASSERT_TRUE(scenario_.StartServer({}, flags)) << scenario_.server_log();
  EXPECT_EQ(Healthcheck(pair).exit_code, 0) << MustRead(Path("health.err"));
  EXPECT_NE(Healthcheck({}).exit_code, 0);
  const std::vector<std::string> client = {
      "--tls-ca",  Path("ca.pem"),     "--tls-cert", Path("client.pem"),
      "--tls-key", Path("client.key"), "model"};
  EXPECT_EQ(As("run", client).end.exit_code, kExitOk);
  EXPECT_EQ(As("run", {"--tls-ca", Path("ca.pem"), "model"}).end.exit_code, kExitUnreachable);
  EXPECT_THAT(MustRead(Path("audit.jsonl")), HasSubstr("\"certificate\":\"CN=client\""));
}

TEST_F(Security, WhatWouldGiveATokenAwayIsRefused) {
  AddToken("run");
  Process away({BuildPath("client/steerctl"), "--server", "steer.example:50051", "--token-file",
                Path("run.token"), "model"},
               {}, Path("away.out"), Path("away.err"));
  EXPECT_EQ(away.Wait(absl::Seconds(30)).exit_code, kExitUsage);
  EXPECT_THAT(MustRead(Path("away.err")), HasSubstr("TOKEN_IN_PLAIN_TEXT"));
  // A token file is not replaced, and one that others may read is said.
  EXPECT_NE(
      scenario_.Ctl({"token", "new", "--role", "run", "--name", "b", "--output", Path("run.token")})
          .end.exit_code,
      kExitOk);
  ASSERT_TRUE(scenario_.StartServer({}, {"--tokens-file", Path("tokens")}));
  EXPECT_EQ(As("none", {"model"}).end.exit_code, kExitInput);
  EXPECT_THAT(As("run", {"model"}).err, Not(HasSubstr("may read")));
  ASSERT_EQ(chmod(Path("run.token").c_str(), 0644), 0);
  EXPECT_THAT(As("run", {"model"}).err, HasSubstr("may read"));
}

}  // namespace
}  // namespace steer
