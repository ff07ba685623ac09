// An engine on a planted checkpoint, and sinks that tests can wait for.
#ifndef STEER_TESTS_SERVER_ENGINE_ENGINE_FIXTURE_H_
#define STEER_TESTS_SERVER_ENGINE_ENGINE_FIXTURE_H_

#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "absl/synchronization/notification.h"
#include "common/json.h"
#include "server/engine/engine.h"

namespace steer {

struct FitCollector : FitSink {
  void OnProgress(int64_t, int64_t) override {}
  void OnDone(absl::StatusOr<FitResult> r) override {
    result = std::move(r);
    done.Notify();
  }
  absl::StatusOr<FitResult> result = absl::UnknownError("not done");
  absl::Notification done;
};

struct GenerateCollector : GenerateSink {
  void OnText(std::string piece) override { text += piece; }
  void OnDone(absl::StatusOr<GenerateResult> r) override {
    result = std::move(r);
    done.Notify();
  }
  std::string text;
  absl::StatusOr<GenerateResult> result = absl::UnknownError("not done");
  absl::Notification done;
};

struct EvaluateCollector : EvaluateSink {
  void OnProgress(int64_t, int64_t) override {}
  void OnOutcome(const RowOutcome& outcome) override {
    outcomes.push_back(outcome);
    if (!first.HasBeenNotified()) first.Notify();
  }
  void OnArmDone(int arm, const ReceiptCounts& receipt) override {
    arms.emplace_back(arm, receipt);
  }
  void OnDone(absl::StatusOr<ReceiptCounts> r) override {
    result = std::move(r);
    done.Notify();
  }
  // The outcome of (arm, prompt), or a failure.
  const RowOutcome& Of(int arm, int prompt) const {
    for (const RowOutcome& outcome : outcomes) {
      if (outcome.arm == arm && outcome.prompt == prompt) return outcome;
    }
    ADD_FAILURE() << "no outcome of arm " << arm << ", prompt " << prompt;
    static const RowOutcome none;
    return none;
  }
  std::vector<RowOutcome> outcomes;
  std::vector<std::pair<int, ReceiptCounts>> arms;
  absl::StatusOr<ReceiptCounts> result = absl::UnknownError("not done");
  absl::Notification first, done;
};

// The whole test program shares one engine and one fitted set: both are immutable to callers.
class EngineTest : public testing::Test {
 protected:
  static constexpr int kFit = 64;  // prompts a class

  static void SetUpTestSuite();
  static void TearDownTestSuite();

  static Engine& engine() { return *shared_->engine; }
  static DirectionStore& store() { return *shared_->store; }
  static const Json& truth() { return shared_->truth; }
  static const std::vector<PreparedPrompt>& harmful() { return shared_->harmful; }
  static const std::vector<PreparedPrompt>& harmless() { return shared_->harmless; }
  static const std::string& set_id() { return shared_->set_id; }
  static const std::string& model_folder() { return shared_->model; }

  static FitJob MakeFit(int begin, int count);
  // Prompts kFit .. kFit + count of the class.
  static std::vector<PreparedPrompt> HeldOut(const std::vector<PreparedPrompt>& prompts, int count);
  static DirectionRef Ref(int layer, int control_draw = -1);
  static std::shared_ptr<const CompiledIntervention> Ablate(int layer, int control_draw = -1);
  static std::shared_ptr<const CompiledIntervention> Add(int layer, int control_draw = -1);
  static std::shared_ptr<const CompiledIntervention> Compile(const InterventionSpec& spec);
  // All arms over all prompts.
  static EvaluateJob MakeEvaluate(std::vector<PreparedPrompt> prompts,
                                  std::vector<std::shared_ptr<const CompiledIntervention>> arms);
  // Submits and waits; a failure unless it ends well.
  static std::shared_ptr<EvaluateCollector> Run(EvaluateJob job);

 private:
  struct Shared {
    std::string folder, model, set_id;
    Json truth;
    std::unique_ptr<DirectionStore> store;
    std::unique_ptr<Engine> engine;
    std::vector<PreparedPrompt> harmful, harmless;
  };
  static Shared* shared_;
};

}  // namespace steer

#endif  // STEER_TESTS_SERVER_ENGINE_ENGINE_FIXTURE_H_
