#include "client/commands/trial.h"

#include <algorithm>
#include <chrono>

#include "client/run/cell.h"
#include "common/status_macros.h"

namespace steer {
namespace {

class CountRows : public OutcomeSink {
 public:
  absl::Status OnOutcome(const v1::Outcome&) override {
    ++rows;
    return absl::OkStatus();
  }
  absl::Status OnArm(const v1::ArmResult&) override { return absl::OkStatus(); }
  void OnArmRestart(int) override { rows = 0; }
  int64_t rows = 0;
};

v1::EvaluateRequest RequestOf(const Plan& plan, const PlanData& data, const ServerFacts& facts,
                              size_t rows) {
  v1::EvaluateRequest request;
  request.set_request_id(NewRequestId());
  request.set_expected_model_fingerprint(facts.model_fingerprint);
  request.set_purpose(v1::PURPOSE_EXPLORE);
  request.set_readout(plan.readout);
  request.set_judge_quality(plan.quality);
  request.mutable_decoding()->set_max_new_tokens(plan.max_new_tokens);
  request.mutable_decoding()->set_repetition_penalty(plan.repetition_penalty);
  v1::Arm* arm = request.add_arms();
  arm->set_name("trial");
  const SeedSplits& seed = data.splits.front();
  // A plan splits both classes into the same sizes.
  const size_t pairs = std::min(seed.harmful.train.size(), seed.harmless.train.size());
  for (size_t i = 0; i < pairs && static_cast<size_t>(request.prompts_size()) < rows; ++i) {
    for (const ClassSplits* of : {&seed.harmful, &seed.harmless}) {
      arm->add_prompts(request.prompts_size());
      *request.add_prompts() = ToPrompt(plan, of->train[i]);
    }
  }
  return request;
}

}  // namespace

absl::StatusOr<Trial> TryPlan(const Plan& plan, const PlanData& data, const ServerFacts& facts,
                              Client* client) {
  const SeedSplits& seed = data.splits.front();
  const size_t there = seed.harmful.train.size() + seed.harmless.train.size();
  size_t wanted = 4 * static_cast<size_t>(std::max(facts.decode_rows, 1));
  if (facts.max_prompts > 0) wanted = std::min(wanted, static_cast<size_t>(facts.max_prompts));
  Trial trial;
  for (const size_t rows : {size_t{2}, std::min(wanted, there)}) {
    CountRows counted;
    const auto start = std::chrono::steady_clock::now();
    STEER_RETURN_IF_ERROR(
        client->Evaluate(RequestOf(plan, data, facts, rows), Unfinished::kRestart, &counted)
            .status());
    trial.rows = counted.rows;
    trial.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }
  return trial;
}

}  // namespace steer
