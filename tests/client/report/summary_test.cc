// What a summary refuses: records that are the lock's by their keys and contradict it, or each
// other.
#include "client/report/summary.h"

#include "common/errors.h"
#include "tests/client/report/forged_log.h"

namespace steer {
namespace {

class SummaryOfForged : public ForgedLog {
 protected:
  void ExpectDamaged(const std::string& said, const ResultLog& log) const {
    const absl::Status status = BuildSummary(*lock_, log).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << said << ": " << status;
    EXPECT_EQ(ReasonOf(status), "LOG_DAMAGED") << said;
    EXPECT_TRUE(absl::StrContains(status.message(), said)) << status << ", not: " << said;
  }
};

TEST_F(SummaryOfForged, ARecordThatContradictsTheLockIsNamed) {
  const std::string cell = "seed-0/test/add/harmless";
  const std::string candidate = "seed-0/selection/layer-1/ablate/harmful";
  const std::string chosen = "seed-0/selected";
  const auto row_less = [](Record* record) {
    for (const char* list : {"refused", "quality", "finish"}) {
      const std::string rows = record->payload["rows"][list];
      record->payload["rows"][list] = rows.substr(1);
    }
    for (const char* list : {"generated_tokens", "token_digests", "refusal_log_odds", "kl"})
      record->payload["rows"][list].erase(0);
  };
  const std::string not_its_cell = " is not the cell that the lock names";
  const std::string no_choice = "record seed-0/selected does not follow from its cells";
  const std::vector<std::pair<Forgery, std::string>> forged = {
      {{cell, Erase("plan_digest")}, absl::StrCat("record ", cell, " belongs to another lock")},
      {{Fit(0), Erase("method")}, "field method is missing"},
      {{candidate, Erase("layer")}, "field layer is missing"},
      {{candidate, Set({"arm_layer"}, 2)}, candidate + not_its_cell},
      {{candidate, Set({"seed"}, 1)}, candidate + not_its_cell},
      {{candidate, Set({"stage"}, "test")}, candidate + not_its_cell},
      {{cell, row_less}, cell + not_its_cell},
      {{cell, Erase("layer")}, "field layer is missing"},
      {{chosen, Erase("tied")}, "field tied is missing"},
      {{chosen, Set({"chosen"}, false)}, no_choice},
      {{chosen, Set({"layer"}, 1)}, no_choice},
      {{chosen, Set({"tied"}, Json::array({1, 2}))}, no_choice}};
  for (const auto& [forgery, said] : forged) ExpectDamaged(said, *Forged({forgery}));
}

TEST_F(SummaryOfForged, AFailureOrRestartThatCannotBeReadIsNamed) {
  const Json half = {{"kind", "failure"}, {"plan_digest", lock_->digest}};
  ExpectDamaged("field of is missing", *Forged({}, {{"seed-0/test/x/failure-1", half}}));
  Json restart = half;
  restart["kind"] = "restart";
  ExpectDamaged("field seed is missing", *Forged({}, {{RestartKey(0, 1), restart}}));
  ExpectDamaged("another lock", *Forged({}, {{"seed-0/note", {{"kind", "note"}}}}));
}

// A server of other numbers could not fit the seed; another one has since.
TEST_F(SummaryOfForged, AFailedFitIsSupersededByAnyFit) {
  const FailureRecord failure{
      lock_->digest, "seed-0/fit/000000000000", 1, "UNAVAILABLE", "NO_MEMORY", ""};
  const Record record = ToRecord(failure, Json::object());
  const auto whole = BuildSummary(*lock_, *Forged({}, {record}));
  ASSERT_TRUE(whole.ok()) << whole.status();
  EXPECT_TRUE(whole->seeds[0].failures.empty());
  const auto without = BuildSummary(*lock_, *Forged({{"",
                                                      [](Record* r) {
                                                        if (absl::StartsWith(r->key, "seed-0/"))
                                                          TakeAway(r);
                                                      }}},
                                                    {record}));
  ASSERT_TRUE(without.ok()) << without.status();
  ASSERT_EQ(without->seeds[0].failures.size(), 1u);
  EXPECT_EQ(without->seeds[0].failures[0], failure);
}

}  // namespace
}  // namespace steer
