// run.json: what a session writes into it, and what is made of a file that is damaged.
#include "client/commands/run_session.h"

#include <limits>

#include "absl/strings/match.h"
#include "common/errors.h"
#include "gtest/gtest.h"
#include "tests/client/run/experiment_files.h"

namespace steer {
namespace {

class SessionFile : public ::testing::Test {
 protected:
  Json Held() const { return *ReadJsonFile(path_); }
  TemporaryFolder folder_;
  const std::string path_ = folder_ / "run.json";
};

TEST_F(SessionFile, KeepsTheSessionsBefore) {
  for (int i = 1; i <= 2; ++i) {
    RunSession session(path_);
    ASSERT_TRUE(session.WriteStart(i, 0).ok());
    EXPECT_EQ(Held()["sessions"].size(), static_cast<size_t>(i));
  }
  EXPECT_EQ(Held()["sessions"][0]["resumed_records"], 1);
  EXPECT_FALSE(Held()["sessions"][1]["client"]["host"]["kernel"].get<std::string>().empty());
}

TEST_F(SessionFile, StartsAnewWhereTheFileHoldsNoSessions) {
  for (const char* bad : {"", "[]", "{}", "{\"sessions\":7}", "{\"sessions\":{}}"}) {
    WriteAll(path_, bad);
    ASSERT_TRUE(RunSession(path_).WriteStart(0, 0).ok()) << bad;
    EXPECT_EQ(Held()["sessions"].size(), 1u) << bad;
  }
}

TEST_F(SessionFile, SaysWhatEachServerDidAndWhereSeedsWent) {
  RunStats stats;
  stats.servers = {{"a:1", {}, {3}, 1, false}, {"b:1", {}, {}, 0, true}};
  stats.servers[0].model.set_model_fingerprint("f");
  stats.moves = {{3, "a:1", "b:1", true, false}, {4, "", "b:1", false, true}};
  RunSession session(path_);
  ASSERT_TRUE(session.WriteEnd(stats, RunFacts()).ok());
  const Json written = Held()["sessions"][0];
  EXPECT_FALSE(written.contains("server"));
  EXPECT_EQ(written["servers"][0]["model"]["model_fingerprint"], "f");
  EXPECT_TRUE(written["servers"][1]["model"].is_null()) << "it never answered";
  EXPECT_EQ(written["servers"][1]["left_out"], true);
  EXPECT_EQ(written["moves"][0]["from"], "a:1");
  EXPECT_TRUE(written["moves"][1]["from"].is_null()) << "an earlier session began it";
}

TEST_F(SessionFile, NothingIsWrittenThatCannotBeReadBack) {
  RunSession session(path_);
  ASSERT_TRUE(session.WriteStart(0, 0).ok());
  const std::string before = ReadAll(path_);
  RunStats stats;
  stats.stage_seconds["fit"] = std::numeric_limits<double>::quiet_NaN();
  const absl::Status status = session.WriteEnd(stats, RunFacts());
  EXPECT_TRUE(absl::StrContains(status.message(), "not finite")) << status;
  EXPECT_EQ(ReadAll(path_), before);
}

TEST_F(SessionFile, AFolderThatIsGoneIsADiskError) {
  RunSession session(folder_ / "absent/run.json");
  EXPECT_EQ(ReasonOf(session.WriteStart(0, 0)), "DISK");
}

TEST_F(SessionFile, TheLastSessionIsReadStrictly) {
  const std::pair<const char*, const char*> damaged[] = {
      {"", "JSON"},
      {"[]", "has no list of sessions"},
      {"{}", "has no list of sessions"},
      {R"({"sessions":7})", "has no list of sessions"},
      {R"({"sessions":[]})", "has no list of sessions"},
      {R"({"sessions":[7]})", "object"},
      {R"({"sessions":[{"started":"2026-01-02T03:04:05Z"}]})", "outcome"},
      {R"({"sessions":[{"outcome":"done"}]})", "started"},
      {R"({"sessions":[{"outcome":"done","started":"yesterday"}]})", "started"},
      {R"({"sessions":[{"metrics":7,"outcome":"done","started":"2026-01-02T03:04:05Z"}]})",
       "metrics"},
  };
  for (const auto& [text, said] : damaged) {
    WriteAll(path_, text);
    const absl::Status status = LastSession(path_).status();
    EXPECT_FALSE(status.ok()) << text;
    EXPECT_TRUE(absl::StrContains(status.message(), path_)) << status;
    EXPECT_TRUE(absl::StrContains(status.message(), said)) << text << "\n" << status;
  }
  WriteAll(path_, R"({"sessions":[{"outcome":"done","started":"2026-01-02T03:04:05Z"}]})");
  const absl::StatusOr<RunFacts> facts = LastSession(path_);
  ASSERT_TRUE(facts.ok()) << facts.status();
  EXPECT_EQ(facts->state, "done");
  EXPECT_EQ(facts->started, 1767323045);
}

}  // namespace
}  // namespace steer
