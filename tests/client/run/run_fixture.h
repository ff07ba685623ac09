// Runs the small experiment in this process against a fake service.
#ifndef STEER_TESTS_CLIENT_RUN_RUN_FIXTURE_H_
#define STEER_TESTS_CLIENT_RUN_RUN_FIXTURE_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "client/api/channel.h"
#include "client/api/client.h"
#include "client/plan/lock.h"
#include "client/plan/plan_data.h"
#include "client/run/experiment.h"
#include "client/run/model_facts.h"
#include "client/run/result_log.h"
#include "gtest/gtest.h"
#include "tests/client/api/fake_service.h"
#include "tests/client/run/experiment_files.h"

namespace steer {

class Counting : public RunObserver {
 public:
  void OnCell(const CellRecord&) override { ++cells; }
  void OnFailure(const FailureRecord& failure, const absl::Status& why) override {
    failures.push_back(failure);
    whys.push_back(why);
  }
  int cells = 0;
  std::vector<FailureRecord> failures;
  std::vector<absl::Status> whys;
};

class RunFixture : public ::testing::Test {
 protected:
  void SetUp() override {
    WriteExperimentFiles(folder_.path(), control_draws_);
    WriteAll(folder_ / "plan.yaml", PlanText(ReadAll(folder_ / "plan.yaml")));
    service_.Start();
    auto plan = LoadPlan(folder_ / "plan.yaml");
    ASSERT_TRUE(plan.ok()) << plan.status();
    auto data = LoadPlanData(*plan, folder_.path());
    ASSERT_TRUE(data.ok()) << data.status();
    auto model = MakeClient()->GetModel();
    ASSERT_TRUE(model.ok()) << model.status();
    auto lock = FreezePlan(*plan, *data, ToServerFacts(*model));
    ASSERT_TRUE(lock.ok()) << lock.status();
    lock_ = std::make_unique<Lock>(*std::move(lock));
  }

  // The plan of experiment_files.h, or one made of it.
  virtual std::string PlanText(std::string plan) const { return plan; }

  std::unique_ptr<Client> MakeClient() {
    ChannelOptions channel;
    channel.server = service_.address();
    ClientOptions options;
    options.retry.initial = absl::Milliseconds(5);
    options.patience = absl::Seconds(2);
    return std::make_unique<Client>(*OpenChannel(channel), options);
  }

  absl::StatusOr<RunStats> Run(const std::string& log_name = "cells.jsonl") {
    auto log = ResultLog::Open(folder_ / log_name);
    EXPECT_TRUE(log.ok()) << log.status();
    log_ = *std::move(log);
    RunOptions options = options_;
    options.attempt_wait = absl::Milliseconds(1);
    RunStats stats;
    absl::Status status = RunExperiment(*lock_, folder_.path(), options, MakeClient().get(),
                                        log_.get(), &observer_, &stats);
    if (!status.ok()) return status;
    return stats;
  }

  // What the log of the last run holds.
  std::map<std::string, Json> Payloads() const {
    std::map<std::string, Json> payloads;
    for (const Record& r : log_->records()) payloads[r.key] = r.payload;
    return payloads;
  }

  int control_draws_ = 1;
  TemporaryFolder folder_;
  FakeService service_;
  std::unique_ptr<Lock> lock_;
  std::unique_ptr<ResultLog> log_;
  RunOptions options_;
  Counting observer_;
};

}  // namespace steer

#endif  // STEER_TESTS_CLIENT_RUN_RUN_FIXTURE_H_
