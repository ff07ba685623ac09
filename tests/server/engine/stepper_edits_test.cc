// All golden edits of a checkpoint as rows of one batch, through the scheduler and the stepper: every
// row equals what transformers computes under that row's hooks, though prompts are cut wherever a
// step is full and the rows share all steps. See tests/golden/steering.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "server/engine/call.h"
#include "server/engine/observer.h"
#include "server/engine/receipt.h"
#include "server/engine/scheduler.h"
#include "server/engine/stepper.h"
#include "tests/support/edit_golden.h"
#include "tests/support/tiny_model.h"

namespace steer {
namespace {

constexpr double kTolerance = 2e-5;

// Hands out one row for each case.
class CaseCall : public EngineCall {
 public:
  explicit CaseCall(const EditGolden& golden)
      : EngineCall(std::make_shared<CallControl>()), golden_(golden), prompt_(golden.prompt()) {
    // The kept positions inside the prompt, counted from its end.
    for (int64_t position : golden.kept()) {
      const auto from_end = position - static_cast<int64_t>(prompt_.size());
      if (from_end < 0) positions_.push_back(static_cast<int>(from_end));
    }
  }

  int64_t RowsLeft() const override { return static_cast<int64_t>(golden_.cases().size() - next_); }
  std::unique_ptr<Row> NextRow() override {
    if (next_ == golden_.cases().size()) return nullptr;
    const std::string& name = golden_.cases()[next_++];
    auto compiled = golden_.Compile(name);
    EXPECT_TRUE(compiled.ok()) << compiled.status();
    auto row = std::make_unique<Row>();
    row->call = this;
    row->prompt = static_cast<int>(next_) - 1;
    row->prompt_ids = &prompt_;
    row->intervention = std::make_shared<const CompiledIntervention>(*std::move(compiled));
    row->decode.max_new_tokens = static_cast<int32_t>(golden_.Ints(name + ".greedy").size());
    row->capture_positions = &positions_;
    return row;
  }
  absl::Status OnRowDone(Row&) override { return absl::OkStatus(); }
  bool FinishIfComplete() override { return next_ == golden_.cases().size(); }
  void Fail(const absl::Status&) override {}

  const std::string& NameOf(const Row& row) const {
    return golden_.cases()[static_cast<size_t>(row.prompt)];
  }
  const std::vector<int>& positions() const { return positions_; }

 private:
  const EditGolden& golden_;
  const std::vector<int32_t> prompt_;
  std::vector<int> positions_;
  size_t next_ = 0;
};

// |a - b| / |b|.
double Distance(const float* a, const float* b, int64_t n) {
  double difference = 0, norm = 0;
  for (int64_t i = 0; i < n; ++i) {
    difference += std::pow(double{a[i]} - b[i], 2);
    norm += std::pow(double{b[i]}, 2);
  }
  return std::sqrt(difference / norm);
}

class StepperEdits : public testing::TestWithParam<const char*> {
 protected:
  // Logits at a kept position against the file's.
  void CheckLogits(const Row& row, const std::string& name, absl::Span<const float> logits) {
    const int64_t position = row.context - 1;
    const auto kept = std::find(golden_.kept().begin(), golden_.kept().end(), position);
    if (kept == golden_.kept().end()) return;
    const std::vector<float> wanted = golden_.Floats(name + ".logits");
    const int64_t n = static_cast<int64_t>(logits.size());
    EXPECT_LE(Distance(logits.data(), wanted.data() + (kept - golden_.kept().begin()) * n, n),
              kTolerance)
        << GetParam() << " " << name << ": logits at position " << position;
    ++logits_checked_;
  }

  void CheckStates(const Row& row, const std::string& name, size_t positions) const {
    const std::vector<float> wanted = golden_.Floats(name + ".states");
    const int64_t hidden = golden_.shape().hidden, sites = golden_.shape().sites();
    ASSERT_EQ(row.captures, static_cast<int64_t>(positions) * sites);
    for (int64_t p = 0; p < static_cast<int64_t>(positions); ++p) {
      for (int64_t site = 0; site < sites; ++site) {
        const auto kept = static_cast<int64_t>(golden_.kept().size());
        EXPECT_LE(Distance(row.states.data() + (p * sites + site) * hidden,
                           wanted.data() + (site * kept + p) * hidden, hidden),
                  kTolerance)
            << GetParam() << " " << name << ": site " << site << ", kept position " << p;
      }
    }
  }

  void RunAll(bool on_cpu);

  const EditGolden golden_ = EditGolden::OfTiny(GetParam());
  int logits_checked_ = 0;
};
INSTANTIATE_TEST_SUITE_P(Checkpoints, StepperEdits, testing::ValuesIn(kEditCheckpoints),
                         [](const auto& info) { return std::string(info.param); });

void StepperEdits::RunAll(bool on_cpu) {
  SchedulerShape shape;
  shape.decode_rows = 32;
  shape.prefill_tokens = 7;  // less than a prompt: every one is cut, at ever other places
  shape.kv_tokens = 1024;
  DecoderOptions options;
  options.kv_tokens = shape.kv_tokens;
  const auto decoder =
      Decoder::Load(*Checkpoint::Open(TinyCheckpoint(GetParam())).value(), options).value();
  EngineObserver unobserved;
  Stepper stepper(decoder.get(), shape, on_cpu, &unobserved);
  Scheduler scheduler(shape);
  auto call = std::make_shared<CaseCall>(golden_);
  scheduler.AddCall(call);
  size_t done = 0, largest_batch = 0;
  std::map<const Row*, int> pieces_of;
  std::vector<Row*> ready, over;
  const auto reader = [&](Row* row, absl::Span<const float> logits) {
    CheckLogits(*row, call->NameOf(*row), logits);
    row->generated.push_back(
        static_cast<int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin()));
    if (row->generated.size() == 1) ready.push_back(row);
    if (static_cast<int32_t>(row->generated.size()) == row->decode.max_new_tokens) {
      over.push_back(row);
    }
  };
  while (done < golden_.cases().size()) {
    const std::vector<PrefillPiece> pieces = scheduler.PlanPrefill();
    for (const PrefillPiece& piece : pieces) ++pieces_of[piece.row];
    if (!pieces.empty()) {
      ASSERT_TRUE(stepper.Prefill(pieces, reader).empty());
    } else {
      const std::vector<Row*> rows = scheduler.PlanDecode();
      ASSERT_FALSE(rows.empty());
      largest_batch = std::max(largest_batch, rows.size());
      ASSERT_TRUE(stepper.Decode(rows, reader).empty());
    }
    for (Row* row : ready) scheduler.MoveToDecode(row);
    ready.clear();
    for (Row* row : over) {
      EXPECT_GE(pieces_of[row], 2);
      const std::unique_ptr<Row> taken = scheduler.Take(row);
      const std::string& name = call->NameOf(*taken);
      EXPECT_EQ(taken->generated, golden_.Ints(name + ".greedy")) << GetParam() << " " << name;
      CheckStates(*taken, name, call->positions().size());
      EXPECT_TRUE(CheckEdits(*taken).ok()) << name;
      EXPECT_EQ(taken->tally.edits == 0, name == "plain");
      ++done;
    }
    over.clear();
  }
  EXPECT_EQ(largest_batch, golden_.cases().size());
  // The prompt's last position and the generated one, of each case.
  EXPECT_EQ(logits_checked_, static_cast<int>(2 * golden_.cases().size()));
}

TEST_P(StepperEdits, RowsOfOneBatchEqualTransformersHooks) { RunAll(/*on_cpu=*/true); }

// By the kernels that serve a device, on tensors of this machine.
TEST_P(StepperEdits, SoTheyDoByTheKernelsOfADevice) { RunAll(/*on_cpu=*/false); }

}  // namespace
}  // namespace steer
