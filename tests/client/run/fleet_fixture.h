// Runs the small experiment in this process on two fake servers.
#ifndef STEER_TESTS_CLIENT_RUN_FLEET_FIXTURE_H_
#define STEER_TESTS_CLIENT_RUN_FLEET_FIXTURE_H_

#include <algorithm>
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/clock.h"
#include "client/run/fleet.h"
#include "tests/client/run/run_fixture.h"

namespace steer {

// Calls back at each cell, on the run's thread.
class Watching : public Counting {
 public:
  void OnCell(const CellRecord& cell) override {
    Counting::OnCell(cell);
    if (on_cell) on_cell(cell);
  }
  void OnServer(const ServerChange& change) override { changes.push_back(change); }
  int Count(ServerChange::Kind kind) const {
    return static_cast<int>(std::count_if(changes.begin(), changes.end(),
                                          [&](const ServerChange& c) { return c.kind == kind; }));
  }
  std::function<void(const CellRecord&)> on_cell;
  std::vector<ServerChange> changes;
};

class Fleet : public RunFixture {
 protected:
  void SetUp() override {
    RunFixture::SetUp();
    other_.Start();
    service_.behaviour.row_milliseconds = 1;
    other_.behaviour.row_milliseconds = 1;
  }

  absl::Status RunBoth(const std::string& log_name = "cells.jsonl",
                       absl::Duration patience = absl::Seconds(30)) {
    auto log = ResultLog::Open(folder_ / log_name);
    EXPECT_TRUE(log.ok()) << log.status();
    log_ = *std::move(log);
    return RunBothOn(log_.get(), patience);
  }

  absl::Status RunBothOn(ResultLog* log, absl::Duration patience = absl::Seconds(30)) {
    RunOptions options = options_;
    options.attempt_wait = absl::Milliseconds(1);
    options.sets = folder_ / "sets";
    options.keep_sets = true;
    FleetOptions fleet;
    fleet.servers = {service_.address(), other_.address()};
    fleet.move_after = absl::Milliseconds(400);
    fleet.patience = patience;
    fleet.probe_every = absl::Milliseconds(50);
    fleet.connect =
        [this, connects = 0](
            const std::string& server, absl::Duration patience,
            std::function<bool()> stop) mutable -> absl::StatusOr<std::unique_ptr<Client>> {
      if (connects++ == failing_connect_) return absl::InvalidArgumentError("no such server");
      ChannelOptions channel;
      channel.server = server;
      ClientOptions options;
      options.retry.initial = absl::Milliseconds(5);
      options.retry.max = absl::Milliseconds(50);
      options.patience = patience;
      options.stop = std::move(stop);
      return std::make_unique<Client>(*OpenChannel(channel), options);
    };
    watching_.cells = 0;
    stats_ = RunStats();
    SerialObserver observer(&watching_);
    return RunOnServers(*lock_, folder_.path(), options, fleet, log, &observer, &stats_);
  }

  // Stops `server` once `count` cells with these numbers are durable, or with any if empty. Call
  // Join after the run.
  void StopAfter(FakeService* server, int count, const std::string& numerics = "") {
    watching_.on_cell = [this, count, numerics](const CellRecord& cell) {
      if (numerics.empty() || cell.numeric_fingerprint == numerics) ++seen_;
      if (seen_ >= count) due_ = true;
    };
    stopper_ = std::thread([this, server] {
      for (int i = 0; i < 3000 && !due_; ++i) absl::SleepFor(absl::Milliseconds(5));
      server->Stop();
    });
  }
  void Join() { stopper_.join(); }

  // Holds the first Evaluate calls until each server has fitted a seed, so that neither takes both.
  void Together() {
    const int before = service_.fit_calls();
    auto wait = [this, before](const v1::EvaluateRequest&) {
      for (int i = 0; i < 4000; ++i) {
        if (service_.fit_calls() > before && other_.fit_calls() > 0) break;
        absl::SleepFor(absl::Milliseconds(5));
      }
      return grpc::Status::OK;
    };
    service_.behaviour.refuse_evaluate = wait;
    other_.behaviour.refuse_evaluate = wait;
  }

  // Payloads of a run on the first server alone.
  std::map<std::string, Json> OnOne() {
    EXPECT_TRUE(Run("one.jsonl").ok());
    service_.ForgetSets();
    return Payloads();
  }

  FakeService other_;
  int failing_connect_ = -1;  // which call of FleetOptions.connect fails; two for each server
  Watching watching_;
  RunStats stats_;
  std::thread stopper_;
  std::atomic<bool> due_ = false;
  std::atomic<int> seen_ = 0;
};

}  // namespace steer

#endif  // STEER_TESTS_CLIENT_RUN_FLEET_FIXTURE_H_
