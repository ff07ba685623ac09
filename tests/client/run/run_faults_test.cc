// Runs with a disk, a log, a server or a user that does not do what a run would like.
#include <errno.h>

#include <filesystem>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "client/run/kept_sets.h"
#include "common/errors.h"
#include "tests/client/run/run_fixture.h"
#include "tests/support/system_fault.h"

namespace steer {
namespace {

constexpr int kRunCells = 2 * (12 + 6);  // as in experiment_test.cc

class RunFaults : public RunFixture {
 protected:
  // Runs on a log whose record number `after` cannot be made durable.
  absl::Status RunOnBrokenDisk(int after, const std::string& log_name = "cells.jsonl") {
    SystemFault fault("fdatasync", EIO, after, -1);
    return Run(log_name).status();
  }
  // Leaves a log in which seed 0 is fitted and selected, and nothing is tested.
  void RunWithoutTests() {
    service_.behaviour.refuse_evaluate = [](const v1::EvaluateRequest& r) {
      return r.purpose() == v1::PURPOSE_TEST
                 ? grpc::Status(grpc::StatusCode::PERMISSION_DENIED, "not yet")
                 : grpc::Status::OK;
    };
    EXPECT_EQ(Run().status().code(), absl::StatusCode::kPermissionDenied);
    service_.behaviour.refuse_evaluate = nullptr;
  }
  // Refuses one call, by its name.
  void Refuse(const std::string& call, grpc::StatusCode code) {
    service_.behaviour.refuse = [call, code](const std::string& name) {
      return name == call ? grpc::Status(code, "refused") : grpc::Status::OK;
    };
  }
  void KeepSets() {
    options_.sets = folder_ / "sets";
    options_.keep_sets = true;
  }
};

TEST_F(RunFaults, ADiskThatFailsAtAnyRecordStopsTheRunAndRunningAgainCompletesIt) {
  ASSERT_TRUE(Run("whole.jsonl").ok());
  const auto whole = Payloads();
  // The fit, the first and last cell of the selection, the choice, the first and last test cell.
  for (const int after : {0, 1, 12, 13, 14, 19}) {
    const std::string name = absl::StrCat("disk-", after, ".jsonl");
    EXPECT_EQ(ReasonOf(RunOnBrokenDisk(after, name)), "DISK") << after;
    EXPECT_EQ(log_->records().size(), static_cast<size_t>(after));
    ASSERT_TRUE(Run(name).ok()) << after;
    EXPECT_EQ(Payloads(), whole) << after;
  }
}

TEST_F(RunFaults, AFailureThatCannotBeLoggedStopsTheRun) {
  for (const char* reason : {"EDIT_COUNT_MISMATCH", "INVALID_REQUEST"}) {
    service_.behaviour.refuse_evaluate = [reason](const v1::EvaluateRequest&) {
      return DetailedStatus(grpc::StatusCode::INVALID_ARGUMENT, "no", reason);
    };
    EXPECT_EQ(ReasonOf(RunOnBrokenDisk(1, absl::StrCat(reason, ".jsonl"))), "DISK") << reason;
    EXPECT_EQ(log_->records().size(), 1u) << "the fit";
  }
  EXPECT_TRUE(observer_.failures.empty());
}

TEST_F(RunFaults, ADamagedRecordIsFoundBeforeAnyWork) {
  const std::string fit = FitKey(0, service_.behaviour.numeric_fingerprint);
  const std::pair<std::string, const char*> records[] = {{"seed-0/fit/x", "fit"},
                                                         {"seed-0/test/x", "cell"},
                                                         {SelectionKey(0), "selection"},
                                                         {fit, "other"}};
  for (const auto& [key, kind] : records) {
    std::filesystem::remove(folder_ / "cells.jsonl");
    ASSERT_TRUE((*ResultLog::Open(folder_ / "cells.jsonl"))->Append({key, {{"kind", kind}}}).ok());
    const absl::Status status = Run().status();
    EXPECT_EQ(ReasonOf(status), "LOG_DAMAGED") << key;
    EXPECT_TRUE(absl::StrContains(status.message(), absl::StrCat("record ", key, ": "))) << status;
  }
  EXPECT_EQ(service_.fit_calls(), 0);
}

TEST_F(RunFaults, ADamagedCellIsNotChosenBy) {
  RunWithoutTests();
  std::vector<Record> records;
  for (const Record& record : log_->records()) records.push_back(record);
  auto log = *ResultLog::Open(folder_ / "other.jsonl");
  for (Record& record : records) {
    if (record.key == SelectionKey(0)) continue;
    if (record.key == CellKey(0, Stage::kSelection, "layer-5/add/harmless"))
      record.payload = {{"kind", "cell"}};
    ASSERT_TRUE(log->Append(record).ok());
  }
  EXPECT_EQ(ReasonOf(Run("other.jsonl").status()), "LOG_DAMAGED");
  EXPECT_EQ(log_->Find(SelectionKey(0)), nullptr);
}

TEST_F(RunFaults, AStopIsSeenBeforeASeedAndBeforeACall) {
  options_.stop_soon = [] { return true; };
  EXPECT_EQ(Run().status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(service_.fit_calls(), 0);
  options_.stop_soon = [asked = 0]() mutable { return ++asked > 1; };
  EXPECT_EQ(Run().status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(service_.fit_calls(), 1);
  EXPECT_TRUE(service_.evaluate_requests().empty());
}

TEST_F(RunFaults, AFailedCellIsCountedAgainInEachRun) {
  service_.behaviour.refuse_evaluate = [](const v1::EvaluateRequest& r) {
    for (const v1::Arm& arm : r.arms()) {
      if (arm.name() == "add/harmless")
        return DetailedStatus(grpc::StatusCode::INVALID_ARGUMENT, "no", "INVALID_REQUEST");
    }
    return grpc::Status::OK;
  };
  ASSERT_TRUE(Run().ok());
  ASSERT_TRUE(Run().ok());
  const std::string key = CellKey(0, Stage::kTest, "add/harmless");
  EXPECT_NE(log_->Find(FailureKey(key, 1)), nullptr);
  EXPECT_NE(log_->Find(FailureKey(key, 2)), nullptr);
  EXPECT_EQ(log_->Find(FailureKey(key, 3)), nullptr);
}

TEST_F(RunFaults, AControlIsANullOfItsOwnAndOfTheSameNorm) {
  const std::function<void(v1::GetDirectionResponse*)> edits[] = {
      [](v1::GetDirectionResponse* r) { r->set_direction_norm(r->direction_norm() * 1.01); },
      [](v1::GetDirectionResponse* r) { r->set_direction_digest("x"); },
      [](v1::GetDirectionResponse* r) {
        for (const v1::LayerReport& report : r->set().reports())
          if (report.layer() == 3) r->set_direction_digest(report.direction_digest());
      },
  };
  int number = 0;
  for (const auto& edit : edits) {
    service_.behaviour.edit_direction = edit;
    observer_ = Counting();
    const auto stats = Run(absl::StrCat("control-", number, ".jsonl"));
    ASSERT_TRUE(stats.ok()) << stats.status();
    EXPECT_FALSE(stats->complete);
    ASSERT_EQ(observer_.failures.size(), 4u) << number;
    for (const FailureRecord& failure : observer_.failures) {
      EXPECT_EQ(failure.reason, "WRONG_CONTROL");
      EXPECT_TRUE(absl::StrContains(failure.of, "-control-0/")) << failure.of;
    }
    EXPECT_EQ(observer_.cells, kRunCells - 4);
    ++number;
  }
  // The fit, 12 cells and the choice; then the failure of the first control.
  EXPECT_EQ(ReasonOf(RunOnBrokenDisk(14, "disk.jsonl")), "DISK");
}

TEST_F(RunFaults, AServerThatWillNotShowASetStopsTheRun) {
  RunWithoutTests();
  Refuse("GetDirection", grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(Run().status().code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(service_.fit_calls(), 1);
}

TEST_F(RunFaults, ASetOfOtherContentIsFittedAgain) {
  RunWithoutTests();
  service_.behaviour.edit_direction = [](v1::GetDirectionResponse* r) {
    r->mutable_set()->set_content_digest(std::string(64, '0'));
  };
  const auto stats = Run();
  ASSERT_TRUE(stats.ok()) << stats.status();
  EXPECT_TRUE(stats->complete);
  EXPECT_EQ(service_.fit_calls(), 3);
}

TEST_F(RunFaults, ASetThatIsNotExportedIsNotKept) {
  KeepSets();
  Refuse("ExportDirection", grpc::StatusCode::INVALID_ARGUMENT);
  const auto stats = Run("one.jsonl");
  ASSERT_TRUE(stats.ok()) << stats.status();
  EXPECT_TRUE(stats->complete);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "sets"));
  Refuse("ExportDirection", grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(Run("two.jsonl").status().code(), absl::StatusCode::kPermissionDenied);
}

TEST_F(RunFaults, SetsAreKeptInAFolderOfTheRunsOwn) {
  RunWithoutTests();
  KeepSets();
  // Where the set was fitted before, and where it is fitted now.
  WriteAll(folder_ / "sets", "a file");
  EXPECT_EQ(ReasonOf(Run().status()), "DISK");
  EXPECT_EQ(ReasonOf(Run("new.jsonl").status()), "DISK");
  std::filesystem::remove(folder_ / "sets");
  std::filesystem::create_directory(folder_ / "elsewhere");
  std::filesystem::create_directory_symlink(folder_ / "elsewhere", folder_ / "sets");
  const absl::Status status = Run().status();
  EXPECT_EQ(ReasonOf(status), "DISK");
  EXPECT_TRUE(absl::StrContains(status.message(), "is a link, not a folder")) << status;
  EXPECT_TRUE(std::filesystem::is_empty(folder_ / "elsewhere"));
}

class KeptSets : public RunFaults {
 protected:
  void SetUp() override {
    RunFaults::SetUp();
    KeepSets();
    RunWithoutTests();
    service_.ForgetSets();
    path_ = KeptSetPath(options_.sets, *ParseFit(*log_->Find(FitKey(0, std::string(64, 'b')))));
    ASSERT_TRUE(std::filesystem::exists(path_));
  }
  std::string path_;
};

TEST_F(KeptSets, AKeptSetIsImported) {
  ASSERT_TRUE(Run()->complete);
  EXPECT_EQ(service_.import_calls(), 1);
  EXPECT_EQ(service_.fit_calls(), 2);
}

TEST_F(KeptSets, AServerThatRefusesUsStopsTheRun) {
  Refuse("ImportDirection", grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(Run().status().code(), absl::StatusCode::kPermissionDenied);
}

TEST_F(KeptSets, ASetThatCannotBeUsedIsFittedAgain) {
  Refuse("ImportDirection", grpc::StatusCode::INVALID_ARGUMENT);
  ASSERT_TRUE(Run()->complete);
  EXPECT_EQ(service_.fit_calls(), 3);
}

TEST_F(KeptSets, ASetOfOtherContentIsNoSetOfTheRun) {
  v1::DirectionSet set;
  ASSERT_TRUE(set.ParseFromString(ReadAll(path_)));
  set.set_content_digest(std::string(64, '0'));
  WriteAll(path_, set.SerializeAsString());
  ASSERT_TRUE(Run()->complete);
  EXPECT_EQ(service_.import_calls(), 1);
  EXPECT_EQ(service_.fit_calls(), 3);
}

TEST_F(KeptSets, WithoutAFolderNothingIsImported) {
  options_.sets.clear();
  options_.keep_sets = false;
  ASSERT_TRUE(Run()->complete);
  EXPECT_EQ(service_.import_calls(), 0);
  EXPECT_EQ(service_.fit_calls(), 3);
}

TEST_F(RunFaults, EachLimitAloneMakesMoreCallsAndTheSameLog) {
  ASSERT_TRUE(Run("whole.jsonl").ok());
  const auto whole = Payloads();
  const struct {
    const char* name;
    void (*set)(v1::Limits*);
    bool (*holds)(const v1::EvaluateRequest&);
  } cases[] = {
      {"arms", [](v1::Limits* l) { l->set_max_arms(3); },
       [](const v1::EvaluateRequest& r) { return r.arms_size() <= 3; }},
      // One class alone, of 6 in the selection and 10 in the test.
      {"prompts", [](v1::Limits* l) { l->set_max_prompts(10); },
       [](const v1::EvaluateRequest& r) { return r.prompts_size() <= 10; }},
      // With a reference row for each prompt.
      {"rows", [](v1::Limits* l) { l->set_max_rows(30); },
       [](const v1::EvaluateRequest& r) {
         int rows = r.prompts_size();
         for (const v1::Arm& arm : r.arms()) rows += arm.prompts_size();
         return rows <= 30;
       }},
      {"bytes", [](v1::Limits* l) { l->set_max_request_bytes(7000); },
       [](const v1::EvaluateRequest& r) { return r.ByteSizeLong() <= 7000; }},
      {"none", [](v1::Limits*) {}, [](const v1::EvaluateRequest&) { return true; }},
  };
  for (const auto& one : cases) {
    service_.behaviour.limits = v1::Limits();  // none is stated
    one.set(&service_.behaviour.limits);
    const size_t before = service_.evaluate_requests().size();
    ASSERT_TRUE(Run(absl::StrCat(one.name, ".jsonl")).ok()) << one.name;
    EXPECT_EQ(Payloads(), whole) << one.name;
    const auto requests = service_.evaluate_requests();
    for (size_t i = before; i < requests.size(); ++i)
      EXPECT_TRUE(one.holds(requests[i])) << one.name;
    const bool limited = std::string(one.name) != "none";
    EXPECT_EQ(requests.size() - before > 4, limited) << one.name;
  }
}

TEST_F(RunFaults, RowsOfEveryQualityAndEndAreLogged) {
  service_.behaviour.edit_outcome = [](v1::Outcome* o) {
    if (o->prompt() % 3 == 1) o->set_quality(v1::QUALITY_DEGENERATE);
    if (o->prompt() % 3 == 1) o->set_finish_reason(v1::FINISH_REASON_LENGTH);
    if (o->prompt() % 3 == 2) o->set_finish_reason(v1::FINISH_REASON_CERTAIN);
  };
  ASSERT_TRUE(Run().ok());
  const Json& rows = log_->Find(CellKey(0, Stage::kTest, "baseline/harmful"))->payload["rows"];
  EXPECT_EQ(rows["quality"], "ODOODOODOO");
  EXPECT_EQ(rows["finish"], "ELCELCELCE");
}

// A plan with a system prompt, and without what can be left out.
class PlainRun : public RunFixture {
 protected:
  std::string PlanText(std::string plan) const override {
    return absl::StrReplaceAll(
        plan, {{", quality: true, scores: true}", "}\nprompt: {system: Answer briefly.}"}});
  }
};

TEST_F(PlainRun, AsksForNoQualityAndNoScores) {
  const auto stats = Run();
  ASSERT_TRUE(stats.ok()) << stats.status();
  EXPECT_TRUE(stats->complete);
  for (const v1::EvaluateRequest& request : service_.evaluate_requests()) {
    EXPECT_FALSE(request.judge_quality() || request.scores());
    for (const v1::Prompt& prompt : request.prompts())
      EXPECT_EQ(prompt.system(), "Answer briefly.");
  }
  const Json& rows = log_->Find(CellKey(0, Stage::kTest, "ablate/harmful"))->payload["rows"];
  EXPECT_EQ(rows["quality"], std::string(10, 'N'));
  EXPECT_FALSE(rows.contains("kl"));
}

TEST_F(PlainRun, TakesNoQualityThatWasNotAskedFor) {
  service_.behaviour.edit_outcome = [](v1::Outcome* o) { o->set_quality(v1::QUALITY_OK); };
  options_.attempts = 1;
  ASSERT_TRUE(Run().ok());
  EXPECT_EQ(observer_.cells, 0);
  ASSERT_FALSE(observer_.whys.empty());
  for (const absl::Status& why : observer_.whys) {
    EXPECT_TRUE(absl::StrContains(why.message(), "has a quality that was not asked for")) << why;
  }
}

}  // namespace
}  // namespace steer
