// Runs on two servers that refuse work or are away, and seeds that sessions before began elsewhere.
#include <atomic>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "tests/client/run/fleet_fixture.h"

namespace steer {
namespace {

class FleetFaults : public Fleet {
 protected:
  // The first server waits until the second has fitted a seed, which then answers Evaluate calls with `answer`.
  void LetOtherAnswer(std::function<grpc::Status()> answer) {
    const int before = other_.fit_calls();
    service_.behaviour.refuse_evaluate = [this, before](const v1::EvaluateRequest&) {
      for (int i = 0; i < 4000 && other_.fit_calls() == before; ++i)
        absl::SleepFor(absl::Milliseconds(5));
      return grpc::Status::OK;
    };
    other_.behaviour.refuse_evaluate = [answer](const v1::EvaluateRequest&) { return answer(); };
  }
  // Stops once `cells` cells of seed 0 are durable.
  void StopAfterCellsOfSeed0(int cells) {
    seed_0_ = 0;
    watching_.on_cell = [this](const CellRecord& cell) { seed_0_ += cell.seed == 0 ? 1 : 0; };
    options_.stop_soon = [this, cells] { return seed_0_ >= cells; };
  }
  // A log that a session on one server with these numbers left, with two cells of seed 0.
  void BeginOn(const std::string& numerics) {
    service_.behaviour.numeric_fingerprint = numerics;
    options_.stop_soon = [this] { return observer_.cells >= 2; };
    observer_.cells = 0;
    EXPECT_EQ(Run().status().code(), absl::StatusCode::kCancelled);
    options_.stop_soon = nullptr;
    service_.behaviour.numeric_fingerprint = kHere;
    service_.ForgetSets();
  }
  absl::Status Append(const Record& record) {
    return (*ResultLog::Open(folder_ / "cells.jsonl"))->Append(record);
  }

  const std::string kHere = std::string(64, 'b');
  const std::string kElsewhere = std::string(64, 'd');
  std::atomic<int> seed_0_ = 0;
};

TEST_F(FleetFaults, AServerThatRefusesItsWorkIsLeftOut) {
  const grpc::Status refusals[] = {
      grpc::Status(grpc::StatusCode::UNAUTHENTICATED, "who?"),
      grpc::Status(grpc::StatusCode::PERMISSION_DENIED, "no"),
      DetailedStatus(grpc::StatusCode::FAILED_PRECONDITION, "another", "MODEL_MISMATCH")};
  const auto expected = OnOne();
  for (const grpc::Status& refusal : refusals) {
    const std::string name = absl::StrCat("refused-", refusal.error_code(), ".jsonl");
    LetOtherAnswer([refusal] { return refusal; });
    watching_.changes.clear();
    const absl::Status status = RunBoth(name);
    ASSERT_TRUE(status.ok()) << name << status;
    EXPECT_TRUE(stats_.complete) << name;
    EXPECT_EQ(Payloads(), expected) << name;
    EXPECT_TRUE(stats_.servers[1].out) << name;
    EXPECT_EQ(stats_.servers[1].lost, 1) << name;
    EXPECT_EQ(watching_.Count(ServerChange::kOut), 1) << name;
    other_.ForgetSets();
    service_.ForgetSets();
  }
}

TEST_F(FleetFaults, AServerReplacedAtItsWorkIsAskedAnew) {
  const auto expected = OnOne();
  LetOtherAnswer([calls = std::make_shared<std::atomic<int>>(0)] {
    return (*calls)++ == 0
               ? DetailedStatus(grpc::StatusCode::FAILED_PRECONDITION, "other", "NUMERICS_MISMATCH")
               : grpc::Status::OK;
  });
  const absl::Status status = RunBoth();
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_TRUE(stats_.complete);
  EXPECT_EQ(Payloads(), expected);
  EXPECT_EQ(stats_.servers[1].lost, 1);
  EXPECT_FALSE(stats_.servers[1].out);
  EXPECT_EQ(watching_.Count(ServerChange::kAway), 1);
}

TEST_F(FleetFaults, AFailedCellIsToldAndTheRestGoesOn) {
  for (FakeService* server : {&service_, &other_}) {
    server->behaviour.refuse_evaluate = [](const v1::EvaluateRequest& r) {
      for (const v1::Arm& arm : r.arms()) {
        if (arm.name() == "add/harmless")
          return DetailedStatus(grpc::StatusCode::INVALID_ARGUMENT, "no", "INVALID_REQUEST");
      }
      return grpc::Status::OK;
    };
  }
  const absl::Status status = RunBoth();
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_FALSE(stats_.complete);
  ASSERT_EQ(watching_.failures.size(), 2u);
  EXPECT_EQ(watching_.failures[0].reason, "INVALID_REQUEST");
}

TEST_F(FleetFaults, AStopIsSeenWhileNoServerAnswers) {
  service_.Stop();
  other_.Stop();
  for (const int asked : {1, 2, 3, 4, 5}) {
    options_.stop_soon = [asked, count = std::make_shared<std::atomic<int>>(0)] {
      return ++*count >= asked;
    };
    const absl::Time start = absl::Now();
    EXPECT_EQ(RunBoth().code(), absl::StatusCode::kCancelled) << asked;
    EXPECT_LT(absl::Now() - start, absl::Seconds(10));
  }
}

TEST_F(FleetFaults, AServerWithoutASeedSeesAStopToo) {
  ASSERT_TRUE(Run("one.jsonl").ok());
  const auto expected = Payloads();
  // Seed 0 is done, so that one server has seed 1 and the other none.
  std::vector<Record> records;
  for (const Record& record : log_->records(SeedPrefix(0))) records.push_back(record);
  for (const Record& record : records) ASSERT_TRUE(Append(record).ok());
  service_.ForgetSets();
  std::atomic<bool> working = false, stopped = false;
  for (FakeService* server : {&service_, &other_}) {
    server->behaviour.refuse_evaluate = [&](const v1::EvaluateRequest&) {
      working = true;
      for (int i = 0; i < 4000 && !stopped; ++i) absl::SleepFor(absl::Milliseconds(5));
      return grpc::Status::OK;
    };
  }
  // Only the server without a seed asks while the other one's call waits.
  options_.stop_soon = [&] {
    if (working) stopped = true;
    return working.load();
  };
  EXPECT_EQ(RunBoth().code(), absl::StatusCode::kCancelled);
  EXPECT_LE(watching_.cells, 1);
  options_.stop_soon = nullptr;
  ASSERT_TRUE(RunBoth().ok());
  EXPECT_EQ(Payloads(), expected);
}

TEST_F(FleetFaults, AServerThatIsSlowToAnswerIsAskedAgain) {
  const auto expected = OnOne();
  other_.behaviour.model_errors = {grpc::Status(grpc::StatusCode::DEADLINE_EXCEEDED, "slow")};
  Together();
  const absl::Status status = RunBoth();
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(Payloads(), expected);
  EXPECT_EQ(other_.fit_calls(), 1);
}

TEST_F(FleetFaults, TheEndOfTheRunDoesNotWaitForAServerThatSaysNothing) {
  std::atomic<bool> ended = false;
  other_.behaviour.refuse = [&](const std::string& call) {
    for (int i = 0; i < 4000 && call == "GetModel" && !ended; ++i)
      absl::SleepFor(absl::Milliseconds(5));
    return grpc::Status::OK;
  };
  const absl::Time start = absl::Now();
  const absl::Status status = RunBoth();
  EXPECT_LT(absl::Now() - start, absl::Seconds(10));
  ended = true;
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_TRUE(stats_.complete);
  EXPECT_EQ(other_.fit_calls(), 0);
  EXPECT_FALSE(stats_.servers[1].out);
}

TEST_F(FleetFaults, NothingIsBegunThatCannotBeDone) {
  for (const int connect : {0, 1, 3}) {
    failing_connect_ = connect;
    EXPECT_EQ(RunBoth().message(), "no such server") << connect;
  }
  failing_connect_ = -1;
  ASSERT_TRUE(Append({"seed-0/fit/x", {{"kind", "fit"}}}).ok());
  EXPECT_EQ(ReasonOf(RunBoth()), "LOG_DAMAGED");
  WriteAll(folder_ / "harmless.txt", ReadAll(folder_ / "harmless.txt") + "one more\n");
  EXPECT_EQ(ReasonOf(RunBoth("new.jsonl")), "LOCK_DATA_MISMATCH");
  EXPECT_EQ(service_.fit_calls() + other_.fit_calls(), 0);
}

TEST_F(FleetFaults, ASeedBegunElsewhereBeginsAnewAndIsCounted) {
  const auto expected = OnOne();
  BeginOn(kElsewhere);
  // Not of the seed, whatever its key says: it does not count among the cells that are lost.
  ASSERT_TRUE(
      Append({"seed-0/test/other", expected.at(CellKey(1, Stage::kTest, "ablate/harmful"))}).ok());
  StopAfterCellsOfSeed0(2);
  EXPECT_EQ(RunBoth().code(), absl::StatusCode::kCancelled);
  ASSERT_EQ(stats_.restarts.size(), 1u);
  EXPECT_EQ(stats_.restarts[0].seed, 0u);
  EXPECT_EQ(stats_.restarts[0].number, 1);
  EXPECT_EQ(stats_.restarts[0].numeric_fingerprint, kElsewhere);
  EXPECT_EQ(stats_.restarts[0].cells, 2);
  ASSERT_EQ(stats_.moves.size(), 1u);
  EXPECT_EQ(stats_.moves[0].from, "") << "a session before this one began it";
  EXPECT_TRUE(stats_.moves[0].anew);
  // Once more, on servers that are others again.
  options_.stop_soon = nullptr;
  watching_.on_cell = nullptr;
  service_.behaviour.numeric_fingerprint = other_.behaviour.numeric_fingerprint =
      std::string(64, 'c');
  ASSERT_TRUE(RunBoth().ok());
  EXPECT_TRUE(stats_.complete);
  const Record* second = log_->Find(RestartKey(0, 2));
  ASSERT_NE(second, nullptr);
  EXPECT_EQ(ParseRestart(*second)->numeric_fingerprint, kHere);
}

TEST_F(FleetFaults, ASeedWhoseCellsCannotBeReadDoesNotBeginAnew) {
  BeginOn(kElsewhere);
  ASSERT_TRUE(Append({"seed-0/test/x", {{"kind", "cell"}}}).ok());
  EXPECT_EQ(ReasonOf(RunBoth()), "LOG_DAMAGED");
  EXPECT_EQ(log_->Find(RestartKey(0, 1)), nullptr);
}

TEST_F(FleetFaults, ASeedThatCannotBeSaidToBeginAnewDoesNot) {
  const auto expected = OnOne();
  BeginOn(kElsewhere);
  // Seed 1 is done, so that nothing else has to be written.
  for (const auto& [key, payload] : expected) {
    if (!absl::StartsWith(key, SeedPrefix(1))) continue;
    ASSERT_TRUE(Append({key, payload}).ok());
  }
  const auto log = ResultLog::ReadOnly(*ReadResultLog(folder_ / "cells.jsonl"));
  EXPECT_EQ(RunBothOn(log.get()).message(), "the log is only read");
  EXPECT_TRUE(stats_.restarts.empty());
}

}  // namespace
}  // namespace steer
