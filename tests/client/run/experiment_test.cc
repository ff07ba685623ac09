#include <string>

#include "client/run/fit_check.h"
#include "common/errors.h"
#include "tests/client/run/run_fixture.h"

namespace steer {
namespace {

// 2 seeds x (2 baselines + 5 usable layers x 2, then 6 test arms).
constexpr int kCells = 2 * (12 + 6);

using Experiment = RunFixture;

TEST_F(Experiment, RunsEveryCellInTwoCallsASeed) {
  auto stats = Run();
  ASSERT_TRUE(stats.ok()) << stats.status();
  EXPECT_TRUE(stats->complete);
  EXPECT_EQ(observer_.cells, kCells);
  EXPECT_EQ(service_.fit_calls(), 2);
  auto requests = service_.evaluate_requests();
  ASSERT_EQ(requests.size(), 4u);
  EXPECT_EQ(requests[0].purpose(), v1::PURPOSE_SELECT);
  EXPECT_EQ(requests[0].arms_size(), 12);
  EXPECT_EQ(requests[1].purpose(), v1::PURPOSE_TEST);
  EXPECT_EQ(requests[1].arms_size(), 6);
  for (const auto& request : requests) {
    EXPECT_EQ(request.expected_model_fingerprint(), lock_->model_fingerprint);
    EXPECT_EQ(request.plan_digest(), lock_->digest);
    EXPECT_FALSE(request.expected_numeric_fingerprint().empty());
  }
  // The planted best layer, both seeds.
  for (uint64_t seed : {0, 1}) {
    const Record* selected = log_->Find(SelectionKey(seed));
    ASSERT_NE(selected, nullptr);
    EXPECT_EQ(ParseSelection(*selected)->layer, 3);
  }
}

TEST_F(Experiment, TestArmsNameTheEditsOfThePost) {
  ASSERT_TRUE(Run().ok());
  v1::EvaluateRequest test = service_.evaluate_requests()[1];
  const v1::Arm* ablate = nullptr;
  const v1::Arm* add_control = nullptr;
  for (const v1::Arm& arm : test.arms()) {
    if (arm.name() == "ablate/harmful") ablate = &arm;
    if (arm.name() == "add-control-0/harmless") add_control = &arm;
  }
  ASSERT_NE(ablate, nullptr);
  ASSERT_NE(add_control, nullptr);
  EXPECT_TRUE(ablate->intervention().ops(0).sites().all());
  EXPECT_FALSE(ablate->intervention().ops(0).ablate().directions(0).has_control());
  const v1::Op& op = add_control->intervention().ops(0);
  EXPECT_EQ(op.add().coefficient(), 1.0);
  EXPECT_EQ(op.sites().layer_inputs(0), 3);
  EXPECT_EQ(op.tokens(), v1::TOKEN_SCOPE_ALL);
  EXPECT_EQ(op.add().direction().control().seed(), 7u);  // control seed + seed 0
}

TEST_F(Experiment, ACompleteRunNeedsNoServer) {
  ASSERT_TRUE(Run().ok());
  service_.Stop();
  auto again = Run();
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_TRUE(again->complete);
}

TEST_F(Experiment, SmallLimitsMakeMoreCallsAndTheSameLog) {
  ASSERT_TRUE(Run().ok());
  std::map<std::string, Json> whole;
  for (const Record& r : log_->records()) whole[r.key] = r.payload;
  size_t calls = service_.evaluate_requests().size();
  service_.behaviour.limits.set_max_arms(5);
  service_.behaviour.limits.set_max_rows(40);
  ASSERT_TRUE(Run("other.jsonl").ok());
  for (const v1::EvaluateRequest& request : service_.evaluate_requests())
    EXPECT_LE(request.arms_size(), 12);
  EXPECT_GT(service_.evaluate_requests().size() - calls, 8u);
  ASSERT_EQ(log_->records().size(), whole.size());
  for (const Record& r : log_->records()) EXPECT_EQ(r.payload, whole[r.key]) << r.key;
}

TEST_F(Experiment, BrokenStreamsAndInterleavedRowsLeaveTheSameLog) {
  ASSERT_TRUE(Run().ok());
  std::map<std::string, Json> whole;
  for (const Record& r : log_->records()) whole[r.key] = r.payload;
  int before = static_cast<int>(service_.evaluate_requests().size());
  service_.behaviour.round_robin = true;
  service_.behaviour.broken_streams = before + 3;
  service_.behaviour.break_after = 70;
  ASSERT_TRUE(Run("other.jsonl").ok());
  ASSERT_EQ(log_->records().size(), whole.size());
  for (const Record& r : log_->records()) EXPECT_EQ(r.payload, whole[r.key]) << r.key;
}

TEST_F(Experiment, AForgottenSetIsFittedAgain) {
  service_.behaviour.refuse_evaluate = [](const v1::EvaluateRequest& r) {
    return r.purpose() == v1::PURPOSE_TEST
               ? grpc::Status(grpc::StatusCode::PERMISSION_DENIED, "not yet")
               : grpc::Status::OK;
  };
  EXPECT_EQ(Run().status().code(), absl::StatusCode::kPermissionDenied);
  service_.ForgetSets();
  service_.behaviour.refuse_evaluate = nullptr;
  auto stats = Run();
  ASSERT_TRUE(stats.ok()) << stats.status();
  EXPECT_TRUE(stats->complete);
  EXPECT_EQ(service_.fit_calls(), 3);
}

TEST_F(Experiment, OtherNumericsInTheMiddleOfASeedAreRefused) {
  service_.behaviour.refuse_evaluate = [](const v1::EvaluateRequest& r) {
    return r.purpose() == v1::PURPOSE_TEST
               ? grpc::Status(grpc::StatusCode::PERMISSION_DENIED, "not yet")
               : grpc::Status::OK;
  };
  EXPECT_FALSE(Run().ok());
  service_.behaviour.refuse_evaluate = nullptr;
  service_.behaviour.numeric_fingerprint = std::string(64, 'c');
  EXPECT_EQ(ReasonOf(Run().status()), kNumericsChanged);
}

TEST_F(Experiment, OtherNumericsAreFineWhileNothingIsMeasured) {
  service_.behaviour.refuse_evaluate = [](const v1::EvaluateRequest&) {
    return grpc::Status(grpc::StatusCode::PERMISSION_DENIED, "not yet");
  };
  EXPECT_FALSE(Run().ok());  // fitted, nothing measured
  service_.behaviour.refuse_evaluate = nullptr;
  service_.behaviour.numeric_fingerprint = std::string(64, 'c');
  auto stats = Run();
  ASSERT_TRUE(stats.ok()) << stats.status();
  EXPECT_TRUE(stats->complete);
}

TEST_F(Experiment, AServerReplacedDuringACallStopsTheRun) {
  service_.behaviour.refuse_evaluate = [](const v1::EvaluateRequest&) {
    return DetailedStatus(grpc::StatusCode::FAILED_PRECONDITION, "other", "NUMERICS_MISMATCH");
  };
  EXPECT_EQ(ReasonOf(Run().status()), kNumericsChanged);
}

TEST_F(Experiment, APoisonCellFailsAloneAndIsTriedAgainNextTime) {
  service_.behaviour.refuse_evaluate = [](const v1::EvaluateRequest& r) {
    for (const v1::Arm& arm : r.arms()) {
      if (arm.name() == "add/harmless")
        return DetailedStatus(grpc::StatusCode::INTERNAL, "not finite", "NON_FINITE");
    }
    return grpc::Status::OK;
  };
  auto stats = Run();
  ASSERT_TRUE(stats.ok()) << stats.status();
  EXPECT_FALSE(stats->complete);
  EXPECT_EQ(observer_.cells, kCells - 2);
  ASSERT_EQ(observer_.failures.size(), 2u);
  EXPECT_EQ(observer_.failures[0].of, "seed-0/test/add/harmless");
  EXPECT_EQ(observer_.failures[0].reason, "NON_FINITE");
  EXPECT_EQ(observer_.failures[0].note, "");  // the server's words stay out of the log
  service_.behaviour.refuse_evaluate = nullptr;
  stats = Run();
  ASSERT_TRUE(stats.ok()) << stats.status();
  EXPECT_TRUE(stats->complete);
  EXPECT_EQ(observer_.cells, kCells);
}

TEST_F(Experiment, AFailedSelectionCellLeavesTheSeedWithoutTest) {
  service_.behaviour.refuse_evaluate = [](const v1::EvaluateRequest& r) {
    for (const v1::Arm& arm : r.arms()) {
      if (arm.name() == "layer-2/add/harmless")
        return DetailedStatus(grpc::StatusCode::INVALID_ARGUMENT, "no", "INVALID_REQUEST");
    }
    return grpc::Status::OK;
  };
  auto stats = Run();
  ASSERT_TRUE(stats.ok()) << stats.status();
  EXPECT_FALSE(stats->complete);
  EXPECT_EQ(log_->Find(SelectionKey(0)), nullptr);
}

TEST_F(Experiment, ASetOfOtherPromptsIsRefused) {
  service_.behaviour.edit_set = [](v1::DirectionSet* set) { set->set_harmful_prompts(7); };
  auto stats = Run();
  ASSERT_TRUE(stats.ok()) << stats.status();
  EXPECT_FALSE(stats->complete);
  ASSERT_FALSE(observer_.failures.empty());
  EXPECT_EQ(observer_.failures[0].reason, "WRONG_SET");
}

TEST_F(Experiment, NoUsableLayerStillMeasuresTheBaselines) {
  service_.behaviour.unusable_layers = {0, 1, 2, 3, 4, 5};
  auto stats = Run();
  ASSERT_TRUE(stats.ok()) << stats.status();
  EXPECT_TRUE(stats->complete);
  EXPECT_FALSE(ParseSelection(*log_->Find(SelectionKey(0)))->chosen);
  EXPECT_NE(log_->Find("seed-0/test/baseline/harmful"), nullptr);
  EXPECT_EQ(log_->Find("seed-0/test/ablate/harmful"), nullptr);
}

TEST_F(Experiment, AnOutcomeOfAnotherPromptIsRefused) {
  service_.behaviour.edit_outcome = [](v1::Outcome* o) {
    if (o->arm() == 1 && o->prompt() == 0) o->set_prompt_hash(std::string(64, '0'));
    if (o->arm() == 0 && o->prompt() == 0) o->set_prompt_hash(std::string(64, '0'));
  };
  auto stats = Run();
  ASSERT_TRUE(stats.ok()) << stats.status();
  EXPECT_FALSE(stats->complete);
  for (const absl::Status& why : observer_.whys) EXPECT_EQ(ReasonOf(why), "PROTOCOL") << why;
  EXPECT_FALSE(observer_.whys.empty());
}

TEST_F(Experiment, AnotherModelIsRefusedBeforeTheFirstRow) {
  lock_->model_fingerprint = std::string(64, 'e');
  EXPECT_EQ(ReasonOf(Run().status()), "LOCK_SERVER_MISMATCH");
  EXPECT_EQ(service_.fit_calls(), 0);
}

TEST_F(Experiment, ChangedPromptsAreRefusedBeforeTheFirstRow) {
  WriteAll(folder_ / "harmless.txt", ReadAll(folder_ / "harmless.txt") + "one more\n");
  EXPECT_EQ(ReasonOf(Run().status()), "LOCK_DATA_MISMATCH");
  EXPECT_EQ(service_.fit_calls(), 0);
}

// Every field of a receipt that contradicts the plan fails its cell, by name, and no other.
struct WrongField {
  const char* name;
  void (*edit)(v1::Receipt*);
};
class WrongReceipt : public RunFixture, public ::testing::WithParamInterface<WrongField> {};

TEST_P(WrongReceipt, FailsTheCell) {
  service_.behaviour.edit_receipt = [](v1::ArmResult* r) {
    if (r->name() == "ablate/harmful") GetParam().edit(r->mutable_receipt());
  };
  auto stats = Run();
  ASSERT_TRUE(stats.ok()) << stats.status();
  EXPECT_FALSE(stats->complete);
  ASSERT_EQ(observer_.failures.size(), 2u);
  for (const FailureRecord& failure : observer_.failures) {
    EXPECT_EQ(failure.reason, "WRONG_RECEIPT");
    EXPECT_NE(failure.note.find(GetParam().name), std::string::npos) << failure.note;
  }
  EXPECT_EQ(log_->Find("seed-0/test/ablate/harmful"), nullptr);
  EXPECT_EQ(observer_.cells, kCells - 2);
}

INSTANTIATE_TEST_SUITE_P(
    EachField, WrongReceipt,
    ::testing::Values(
        WrongField{"model_fingerprint",
                   [](v1::Receipt* r) { r->set_model_fingerprint(std::string(64, '1')); }},
        WrongField{"numeric_fingerprint",
                   [](v1::Receipt* r) { r->set_numeric_fingerprint(std::string(64, '1')); }},
        WrongField{"decode_rows", [](v1::Receipt* r) { r->set_decode_rows(4); }},
        WrongField{"prefill_tokens", [](v1::Receipt* r) { r->set_prefill_tokens(1); }},
        WrongField{"rows", [](v1::Receipt* r) { r->set_rows(r->rows() - 1); }},
        WrongField{"steps", [](v1::Receipt* r) { r->set_steps(0); }},
        WrongField{"tokens", [](v1::Receipt* r) { r->set_tokens(1); }},
        WrongField{"generated_tokens", [](v1::Receipt* r) { r->set_generated_tokens(1); }},
        WrongField{"sites", [](v1::Receipt* r) { r->set_sites(r->sites() - 1); }},
        WrongField{"edits", [](v1::Receipt* r) { r->set_edits(r->edits() - 1); }},
        WrongField{"expected_edits",
                   [](v1::Receipt* r) {
                     r->set_edits(r->edits() - 13);
                     r->set_expected_edits(r->edits());
                   }},
        WrongField{"direction_digests",
                   [](v1::Receipt* r) { r->set_direction_digests(0, std::string(64, '2')); }},
        WrongField{"direction_digests", [](v1::Receipt* r) { r->clear_direction_digests(); }},
        WrongField{"content_digests",
                   [](v1::Receipt* r) { r->set_content_digests(0, std::string(64, '2')); }},
        WrongField{"mean_relative_dose", [](v1::Receipt* r) { r->set_mean_relative_dose(0); }},
        WrongField{"mean_relative_dose",
                   [](v1::Receipt* r) { r->set_mean_relative_dose(1.0 / 0.0); }},
        WrongField{"largest_residual_projection",
                   [](v1::Receipt* r) { r->set_largest_residual_projection(0.01); }}));

}  // namespace
}  // namespace steer
