// run.json as somebody else may have left it: what can be read is, nothing else is believed.
#include "client/report/run_provenance.h"

#include "absl/strings/match.h"
#include "common/numeric_fingerprint.h"
#include "gtest/gtest.h"
#include "tests/client/run/experiment_files.h"

namespace steer {
namespace {

const std::map<std::string, std::string> kFacts = {{"threads", "2"}};

class Provenance : public ::testing::Test {
 protected:
  // As `run` writes a server.
  static Json Server(const std::string& version = "0.1.0+abc") {
    return {{"version", version},
            {"contract_version", "steer.v1/1"},
            {"device", "cpu"},
            {"dtype", "float32"},
            {"numeric_fingerprint", NumericFingerprint(kFacts)},
            {"numeric_facts", kFacts}};
  }

  CheckResult Read(const std::string& text, RunProvenance* provenance) {
    WriteAll(folder_ / "run.json", text);
    return ReadProvenance(folder_ / "run.json", {NumericFingerprint(kFacts)}, provenance);
  }
  // Of sessions alone.
  CheckResult ReadSessions(const Json& sessions, RunProvenance* provenance) {
    return Read(Json{{"format", "steer-run-1"}, {"sessions", sessions}}.dump(), provenance);
  }

  TemporaryFolder folder_;
};

TEST_F(Provenance, WhatIsNoListOfSessionsDiffers) {
  for (const char* text :
       {"{", "[]", "7", "{}", R"({"format":"steer-run-1"})",
        R"({"format":"steer-run-1","sessions":{}})", R"({"format":"steer-run-2","sessions":[]})",
        R"({"format":7,"sessions":[]})"}) {
    RunProvenance provenance;
    const CheckResult check = Read(text, &provenance);
    EXPECT_EQ(check.state, CheckState::kDiffers) << text;
    EXPECT_EQ(check.said, "it is not a list of sessions as `run` writes it") << text;
    EXPECT_EQ(provenance.sessions, 0) << text;
  }
}

TEST_F(Provenance, SessionsWithoutProgramsAreCountedAndNothingMore) {
  RunProvenance provenance;
  const CheckResult check = ReadSessions({7,
                                          Json::object(),
                                          {{"client", "steerctl"}},
                                          {{"client", {{"version", 7}}}},
                                          {{"client", Json::object()}},
                                          {{"server", 7}},
                                          {{"servers", 7}},
                                          {{"servers", {7, Json::object(), {{"model", Json()}}}}}},
                                         &provenance);
  EXPECT_EQ(check.state, CheckState::kNotChecked);
  EXPECT_EQ(check.said, "it does not name the server of every cell");
  EXPECT_EQ(provenance.sessions, 8);
  EXPECT_TRUE(provenance.clients.empty());
  EXPECT_TRUE(provenance.servers.empty());
  const std::string lines = ProvenanceLines(provenance);
  EXPECT_EQ(lines, "client  not recorded\nserver  not recorded\n");
}

TEST_F(Provenance, EachProgramIsNamedOnce) {
  const Json client = {{"version", "0.1.0+abc"}};
  RunProvenance provenance;
  const CheckResult check = ReadSessions(
      {{{"client", client}, {"server", Server()}},
       {{"client", client}, {"servers", {{{"model", Server()}}, {{"model", Server("0.2.0+d")}}}}},
       {{"client", {{"version", "0.2.0+d"}}}}},
      &provenance);
  EXPECT_EQ(check.state, CheckState::kOk) << check.said;
  EXPECT_EQ(provenance.clients, (std::vector<std::string>{"0.1.0+abc", "0.2.0+d"}));
  ASSERT_EQ(provenance.servers.size(), 2u);
  EXPECT_TRUE(provenance.servers[0].proven && provenance.servers[1].proven);
  const std::string lines = ProvenanceLines(provenance);
  EXPECT_TRUE(absl::StrContains(lines, "steerctl 0.1.0+abc, 0.2.0+d, 3 sessions\n")) << lines;
  EXPECT_FALSE(absl::StrContains(lines, "not proven")) << lines;
  RunProvenance one;
  ReadSessions({{{"client", client}, {"server", Server()}}}, &one);
  EXPECT_TRUE(absl::StrContains(ProvenanceLines(one), "0.1.0+abc, 1 session\n"));
}

TEST_F(Provenance, FactsProveAServerOnlyWhereTheyGiveItsFingerprint) {
  Json odd = Server(), none = Server(), other = Server(), others_facts = Server();
  odd["numeric_facts"]["threads"] = 2;  // a number is no fact
  none.erase("numeric_facts");
  other["numeric_facts"] = "threads 2";
  others_facts["numeric_facts"]["threads"] = "4";
  for (const Json& server : {odd, none, other, others_facts}) {
    RunProvenance provenance;
    const CheckResult check = ReadSessions({{{"server", server}}}, &provenance);
    EXPECT_EQ(check.state, CheckState::kNotChecked) << server;
    EXPECT_EQ(check.said, "its numeric facts do not give the fingerprint that they stand with");
    ASSERT_EQ(provenance.servers.size(), 1u);
    EXPECT_FALSE(provenance.servers[0].proven) << server;
    EXPECT_TRUE(absl::StrContains(ProvenanceLines(provenance), "not proven")) << server;
    EXPECT_EQ(ProvenanceJson(provenance)["servers"][0]["proven"], false);
  }
  // One wrong server casts doubt on the file; the right one is proven all the same, and found.
  for (const Json& sessions : {Json{{{"server", none}}, {{"server", Server()}}},
                               Json{{{"server", Server()}}, {{"server", none}}}}) {
    RunProvenance provenance;
    EXPECT_EQ(ReadSessions(sessions, &provenance).state, CheckState::kNotChecked);
    const ServerProvenance* found = provenance.Find(NumericFingerprint(kFacts));
    ASSERT_NE(found, nullptr);
    EXPECT_TRUE(found->proven);
  }
}

TEST_F(Provenance, WithoutCellsThereIsNothingToProve) {
  WriteAll(folder_ / "run.json", R"({"format":"steer-run-1","sessions":[]})");
  RunProvenance provenance;
  const CheckResult check = ReadProvenance(folder_ / "run.json", {}, &provenance);
  EXPECT_EQ(check.state, CheckState::kNotChecked);
  EXPECT_EQ(provenance.Find("x"), nullptr);
}

}  // namespace
}  // namespace steer
