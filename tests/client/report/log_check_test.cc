// A log held against its lock, record by record: each field that follows from others is forged alone.
#include "client/report/log_check.h"

#include "tests/client/report/forged_log.h"

namespace steer {
namespace {

const std::string kOther(64, '0');

class LogCheck : public ForgedLog {
 protected:
  CheckResult Check(const std::string& what, const ResultLog& log) const {
    for (const CheckResult& check : CheckLog(*lock_, log)) {
      if (check.what == what) return check;
    }
    ADD_FAILURE() << "no check of " << what;
    return {};
  }

  // That line must fail, in these words among others.
  void ExpectDiffers(const std::string& what, const std::string& said, const ResultLog& log) const {
    const CheckResult check = Check(what, log);
    EXPECT_EQ(check.state, CheckState::kDiffers) << what << ": " << check.said << ", not: " << said;
    EXPECT_TRUE(absl::StrContains(check.said, said)) << check.said << ", not: " << said;
  }

  Record Failure() const {
    return ToRecord(FailureRecord{lock_->digest, "seed-0/test/add/harmless", 1, "INTERNAL",
                                  "WRONG_RECEIPT", "edits"},
                    Json::object());
  }
  Record Restart(uint64_t seed) const {
    return ToRecord(RestartRecord{lock_->digest, seed, 1, kOther, 3});
  }
};

TEST_F(LogCheck, AWholeLogAgreesAndSoDoesOneWithAFailure) {
  for (const auto& log : {Forged({}), Forged({}, {Failure()})}) {
    for (const CheckResult& check : CheckLog(*lock_, *log))
      EXPECT_EQ(check.state, CheckState::kOk) << check.what << ": " << check.said;
  }
  EXPECT_EQ(Check("fits", *Forged({})).said, "2, one a seed, under one numeric fingerprint");
}

TEST_F(LogCheck, ARecordThatIsNotOfTheLockIsNamed) {
  const std::string cell = "seed-0/test/add-control-0/harmless";
  const std::vector<std::pair<Forgery, std::string>> forged = {
      {{cell, Erase("plan_digest")}, "belongs to another lock"},
      {{Fit(1), Erase("method")}, "field method is missing"},
      {{cell, Erase("layer")}, "field layer is missing"},
      {{"seed-1/selected", Erase("tied")}, "field tied is missing"},
      {{cell, Set({"kind"}, "note")}, "does not hold what its key says"},
      {{"seed-1/selected", Set({"seed"}, 0)}, "does not hold what its key says"}};
  for (const auto& [forgery, said] : forged)
    ExpectDiffers("records", absl::StrCat("record ", forgery.key), *Forged({forgery}));
  for (const auto& [forgery, said] : forged) ExpectDiffers("records", said, *Forged({forgery}));

  Record failure = Failure(), restart = Restart(9);
  failure.payload.erase("note");
  ExpectDiffers("records", "field note is missing", *Forged({}, {failure}));
  failure = Failure();
  failure.key += "0";
  ExpectDiffers("records", "does not hold what its key says", *Forged({}, {failure}));
  ExpectDiffers("records", "record seed-9/restart-1 is of a seed that the lock has not",
                *Forged({}, {restart}));
  restart.payload.erase("cells");
  ExpectDiffers("records", "field cells is missing", *Forged({}, {restart}));
}

TEST_F(LogCheck, AFitOfAnotherModelOrSplitIsFound) {
  const std::string said = "seed 1: the fit is not of the lock's model and training split";
  for (const Forgery& forgery : std::vector<Forgery>{{Fit(1), Set({"model_fingerprint"}, kOther)},
                                                     {Fit(1), Set({"layers"}, 5)},
                                                     {Fit(1), Set({"harmful_prompts"}, 9)},
                                                     {Fit(1), Set({"harmless_prompts"}, 9)}}) {
    ExpectDiffers("fits", said, *Forged({forgery}));
  }
  const auto unreadable = Forged({{Fit(1), Erase("method")}});
  ExpectDiffers("fits", "field method", *unreadable);
  ExpectDiffers("cells", "field method", *unreadable);
  ExpectDiffers("receipts", "field method", *unreadable);
}

TEST_F(LogCheck, SeedsOfTwoServersHaveTwoFingerprints) {
  const auto log = Forged({{"", [](Record* record) {
                              if (!absl::StartsWith(record->key, "seed-1/")) return;
                              if (!record->payload.contains("numeric_fingerprint")) return;
                              record->payload["numeric_fingerprint"] = kOther;
                              if (KindOf(*record) == "fit") record->key = FitKey(1, kOther);
                            }}});
  for (const CheckResult& check : CheckLog(*lock_, *log))
    EXPECT_EQ(check.state, CheckState::kOk) << check.what << ": " << check.said;
  EXPECT_EQ(Check("fits", *log).said, "2, one a seed, under 2 numeric fingerprints");
}

TEST_F(LogCheck, AChoiceThatCannotBeReadIsSaidOfCellsAndReceipts) {
  const auto log = Forged({{"seed-1/selected", Erase("tied")}});
  ExpectDiffers("cells", "field tied", *log);
  ExpectDiffers("receipts", "field tied", *log);
  ExpectDiffers("receipts", "field layer", *Forged({{"seed-1/test/add/harmless", Erase("layer")}}));
}

TEST_F(LogCheck, EachFieldOfACellFollowsFromOthers) {
  const std::string baseline = "seed-0/test/baseline/harmful",
                    ablate = "seed-0/test/ablate/harmful";
  const std::string add = "seed-0/selection/layer-2/add/harmless";
  struct Case {
    std::vector<Forgery> forgeries;
    std::string cell, said;
  };
  const std::vector<Case> cases = {
      {{{ablate, Set({"numeric_fingerprint"}, kOther)}}, ablate, "its numeric fingerprint"},
      {{{ablate, Set({"set_id"}, kOther)}}, ablate, "its set"},
      {{{baseline, Set({"set_id"}, kOther)}}, baseline, "its set"},
      {{{ablate, Set({"receipt", "sites"}, 1)}}, ablate, "its sites"},
      {{{ablate, Set({"receipt", "edits"}, 1)}}, ablate, "its edits"},
      {{{ablate, Set({"receipt", "generated_tokens"}, 0)}}, ablate, "its generated tokens"},
      {{{ablate, Set({"receipt", "mean_relative_dose"}, 0.0)}}, ablate, "its dose"},
      {{{baseline, Set({"receipt", "mean_relative_dose"}, 0.5)}}, baseline, "its dose"},
      {{{ablate, Set({"scores"}, false)}}, ablate, "its scores"},
      {{{ablate, Set({"layer"}, 1)}}, ablate, "its layer"},
      {{{add, Set({"layer"}, 1)}}, add, "its layer"},
      {{{baseline, Set({"layer"}, 1)}}, baseline, "its layer"},
      {{{baseline, Set({"direction_digest"}, kOther)}}, baseline, "its direction"},
      {{{add, Set({"direction_digest"}, kOther)}}, add, "its direction"},
      {{{"seed-0/selected", TakeAway}}, ablate, "its layer, which nothing chose"},
      {{{"seed-0/selected", Set({"chosen"}, false)}}, ablate, "its layer, which nothing chose"},
      {{{"seed-0/selected", Set({"layer"}, 77)}, {ablate, Set({"layer"}, 77)}},
       ablate,
       "its layer, which the fit has not"}};
  for (const Case& c : cases) {
    ExpectDiffers("receipts",
                  absl::StrCat("cell ", c.cell, ": ", c.said,
                               " does not follow from its lock, fit and choice"),
                  *Forged(c.forgeries));
  }
  // The fitted direction under a control's name.
  std::string fitted;
  Forged({{ablate, [&fitted](Record* record) {
             fitted = record->payload["direction_digest"].get<std::string>();
           }}});
  const std::string control = "seed-0/test/ablate-control-0/harmful";
  ExpectDiffers("receipts", absl::StrCat("cell ", control, ": its direction "),
                *Forged({{control, Set({"direction_digest"}, fitted)}}));
  ExpectDiffers("receipts", "its seed has no fit", *Forged({{Fit(0), TakeAway}}));
}

}  // namespace
}  // namespace steer
