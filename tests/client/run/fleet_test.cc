// Runs on two fake servers: the log of one, seeds that move, servers that come and go.
#include "client/run/fleet.h"

#include <filesystem>

#include "client/run/kept_sets.h"
#include "common/errors.h"
#include "tests/client/run/fleet_fixture.h"

namespace steer {
namespace {

constexpr int kAllCells = 2 * (12 + 6);  // as in experiment_test.cc

TEST_F(Fleet, TwoServersTakeASeedEachAndLeaveTheLogOfOne) {
  const auto expected = OnOne();
  const int before = service_.fit_calls();
  Together();
  absl::Status status = RunBoth();
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_TRUE(stats_.complete);
  EXPECT_EQ(Payloads(), expected);
  EXPECT_EQ(service_.fit_calls() - before, 1);
  EXPECT_EQ(other_.fit_calls(), 1);
  // A seed is whole on its server: two calls each.
  EXPECT_EQ(other_.evaluate_requests().size(), 2u);
  EXPECT_TRUE(stats_.moves.empty());
  ASSERT_EQ(stats_.servers.size(), 2u);
  EXPECT_EQ(stats_.servers[0].seeds.size(), 1u);
  EXPECT_EQ(stats_.servers[1].seeds.size(), 1u);
  EXPECT_EQ(stats_.servers[1].model.name(), "fake-model");
  // Both sets are kept.
  for (uint64_t seed : {0, 1}) {
    auto fit = ParseFit(*log_->Find(FitKey(seed, service_.behaviour.numeric_fingerprint)));
    ASSERT_TRUE(fit.ok());
    EXPECT_FALSE(ReadAll(KeptSetPath(folder_ / "sets", *fit)).empty());
  }
  // A log from elsewhere names no other file with it.
  Record record = *log_->Find(FitKey(0, service_.behaviour.numeric_fingerprint));
  for (const char* bad : {"../../other", "/tmp/other", "", ".."}) {
    record.payload["content_digest"] = bad;
    EXPECT_EQ(ReasonOf(ParseFit(record).status()), "LOG_DAMAGED") << bad;
  }
}

TEST_F(Fleet, ALostServersSeedMovesWithItsSet) {
  const auto expected = OnOne();
  const int before = service_.fit_calls();
  Together();
  service_.behaviour.row_milliseconds = 4;
  other_.behaviour.row_milliseconds = 4;
  StopAfter(&other_, 6);
  absl::Status status = RunBoth();
  Join();
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_TRUE(stats_.complete);
  EXPECT_EQ(Payloads(), expected);
  EXPECT_EQ(service_.fit_calls() - before, 1) << "the other seed's set was not fitted again";
  EXPECT_EQ(service_.import_calls(), 1);
  ASSERT_EQ(stats_.moves.size(), 1u);
  EXPECT_TRUE(stats_.moves[0].imported);
  EXPECT_FALSE(stats_.moves[0].anew);
  EXPECT_EQ(stats_.moves[0].from, other_.address());
  EXPECT_EQ(stats_.moves[0].to, service_.address());
  EXPECT_EQ(stats_.servers[1].lost, 1);
  EXPECT_EQ(watching_.Count(ServerChange::kAway), 1);
  EXPECT_TRUE(stats_.restarts.empty());
}

TEST_F(Fleet, AKeptSetThatWasDamagedIsFittedAgain) {
  const auto expected = OnOne();
  const int before = service_.fit_calls();
  Together();
  service_.behaviour.row_milliseconds = 4;
  other_.behaviour.row_milliseconds = 4;
  StopAfter(&other_, 6);
  auto stop = watching_.on_cell;
  watching_.on_cell = [&](const CellRecord& cell) {
    for (const auto& entry : std::filesystem::directory_iterator(folder_ / "sets")) {
      WriteAll(entry.path().string(), "not a set");
    }
    stop(cell);
  };
  absl::Status status = RunBoth();
  Join();
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(Payloads(), expected);
  EXPECT_EQ(service_.fit_calls() - before, 2);
  ASSERT_EQ(stats_.moves.size(), 1u);
  EXPECT_FALSE(stats_.moves[0].imported);
}

TEST_F(Fleet, WithOtherNumbersTheSeedBeginsAnewAndTheLogSaysSo) {
  const auto expected = OnOne();
  const std::string others(64, 'c');
  other_.behaviour.numeric_fingerprint = others;
  Together();
  service_.behaviour.row_milliseconds = 4;
  other_.behaviour.row_milliseconds = 4;
  StopAfter(&other_, 3, others);
  absl::Status status = RunBoth();
  Join();
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_TRUE(stats_.complete);
  ASSERT_EQ(stats_.restarts.size(), 1u);
  const RestartRecord& restart = stats_.restarts[0];
  EXPECT_EQ(restart.numeric_fingerprint, others);
  EXPECT_GE(restart.cells, 3);
  ASSERT_EQ(stats_.moves.size(), 1u);
  EXPECT_TRUE(stats_.moves[0].anew);
  // But for the record that says so, everything is as if the first server had done it all.
  auto payloads = Payloads();
  EXPECT_EQ(payloads.erase(RestartKey(restart.seed, 1)), 1u);
  EXPECT_EQ(payloads, expected);
  // And the file, read again, says the same.
  auto again = ResultLog::Open(folder_ / "cells.jsonl");
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ((*again)->records().size(), expected.size() + 1);
  EXPECT_NE(ReadAll(folder_ / "cells.jsonl").find(others), std::string::npos);
}

TEST_F(Fleet, AllServersLostEndsAfterThePatienceAndRunAgainGoesOn) {
  const auto expected = OnOne();
  service_.behaviour.row_milliseconds = 3;
  other_.behaviour.row_milliseconds = 3;
  StopAfter(&other_, 4);
  std::thread first([this] {
    while (!due_) absl::SleepFor(absl::Milliseconds(5));
    service_.Stop();
  });
  const absl::Time start = absl::Now();
  absl::Status status = RunBoth("cells.jsonl", absl::Seconds(1.5));
  Join();
  first.join();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
  EXPECT_GE(absl::Now() - start, absl::Seconds(1.4));
  EXPECT_LT(absl::Now() - start, absl::Seconds(15));
  EXPECT_FALSE(stats_.complete);
  EXPECT_LT(Payloads().size(), expected.size());
  watching_.on_cell = nullptr;
  service_.Start();
  other_.Start();
  status = RunBoth();
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(Payloads(), expected);
}

TEST_F(Fleet, AServerThatComesLateTakesItsShare) {
  other_.Stop();
  Together();  // the first server's work waits for the other's
  std::thread late([this] {
    absl::SleepFor(absl::Milliseconds(600));
    other_.Start();
  });
  absl::Status status = RunBoth();
  late.join();
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_TRUE(stats_.complete);
  EXPECT_EQ(other_.fit_calls(), 1);
  EXPECT_EQ(stats_.servers[1].seeds.size(), 1u);
}

TEST_F(Fleet, AServerOfAnotherModelIsLeftOut) {
  other_.behaviour.model_fingerprint = std::string(64, 'e');
  absl::Status status = RunBoth();
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_TRUE(stats_.complete);
  EXPECT_EQ(other_.fit_calls(), 0);
  EXPECT_TRUE(stats_.servers[1].out);
  EXPECT_EQ(watching_.Count(ServerChange::kOut), 1);
  // With no other left, its error is the run's.
  service_.behaviour.model_fingerprint = std::string(64, 'f');
  EXPECT_EQ(ReasonOf(RunBoth("none.jsonl")), "LOCK_SERVER_MISMATCH");
}

TEST_F(Fleet, AStopLetsEveryServerFinishItsCell) {
  const auto expected = OnOne();
  std::atomic<int> cells = 0;
  watching_.on_cell = [&](const CellRecord&) { ++cells; };
  options_.stop_soon = [&] { return cells >= 3; };
  absl::Status status = RunBoth();
  EXPECT_EQ(status.code(), absl::StatusCode::kCancelled) << status;
  EXPECT_GE(watching_.cells, 3);
  EXPECT_LE(watching_.cells, 4) << "one cell more, of the other server";
  options_.stop_soon = nullptr;
  ASSERT_TRUE(RunBoth().ok());
  EXPECT_EQ(Payloads(), expected);
}

TEST_F(Fleet, AnErrorOfTheDiskEndsTheWholeRun) {
  WriteAll(folder_ / "sets", "a file where the folder should be");
  EXPECT_EQ(ReasonOf(RunBoth()), "DISK");
}

TEST_F(Fleet, ServersThatAnswerAndNeverWorkAreGivenUp) {
  for (FakeService* service : {&service_, &other_}) {
    service->behaviour.refuse_evaluate = [](const v1::EvaluateRequest&) {
      return DetailedStatus(grpc::StatusCode::RESOURCE_EXHAUSTED, "full", "QUEUE_FULL", 0.01);
    };
  }
  const absl::Time start = absl::Now();
  absl::Status status = RunBoth("cells.jsonl", absl::Seconds(2));
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
  EXPECT_LT(absl::Now() - start, absl::Seconds(20));
}

TEST_F(Fleet, WhatIsDoneNeedsNoServer) {
  ASSERT_TRUE(RunBoth().ok());
  EXPECT_EQ(watching_.cells, kAllCells);
  service_.Stop();
  other_.Stop();
  ASSERT_TRUE(RunBoth().ok());
  EXPECT_TRUE(stats_.complete);
  EXPECT_EQ(watching_.cells, 0);
}

}  // namespace
}  // namespace steer
