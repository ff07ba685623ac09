#include "server/engine/scheduler.h"

#include <deque>

#include <gtest/gtest.h>

namespace steer {
namespace {

// Hands out rows of given prompt lengths.
class FakeCall : public EngineCall {
 public:
  FakeCall(std::vector<int> lengths, int32_t new_tokens, RowKind kind = RowKind::kEvaluate)
      : EngineCall(std::make_shared<CallControl>()), new_tokens_(new_tokens), kind_(kind) {
    for (int length : lengths) prompts_.emplace_back(length, 0);
  }
  bool Generates() const override { return kind_ == RowKind::kGenerate; }
  std::unique_ptr<Row> NextRow() override {
    if (next_ == prompts_.size()) return nullptr;
    auto row = std::make_unique<Row>();
    row->call = this;
    row->kind = kind_;
    row->prompt = static_cast<int>(next_);
    row->prompt_ids = &prompts_[next_++];
    row->decode.max_new_tokens = new_tokens_;
    return row;
  }
  int64_t RowsLeft() const override { return static_cast<int64_t>(prompts_.size() - next_); }
  absl::Status OnRowDone(Row&) override { return absl::OkStatus(); }
  bool FinishIfComplete() override { return true; }
  void Fail(const absl::Status&) override {}

 private:
  std::deque<std::vector<int32_t>> prompts_;
  size_t next_ = 0;
  int32_t new_tokens_;
  RowKind kind_;
};

void Advance(const std::vector<PrefillPiece>& pieces, Scheduler* scheduler) {
  for (const PrefillPiece& piece : pieces) {
    piece.row->context += piece.count;
    if (piece.row->prompt_done()) scheduler->MoveToDecode(piece.row);
  }
}

TEST(Scheduler, FillsPrefillStepsAcrossRowsAndCallsInTurn) {
  Scheduler scheduler({.decode_rows = 4, .prefill_tokens = 10, .kv_tokens = 1000});
  auto a = std::make_shared<FakeCall>(std::vector<int>{4, 4, 4, 4}, 2);
  auto b = std::make_shared<FakeCall>(std::vector<int>{3}, 2);
  scheduler.AddCall(a);
  scheduler.AddCall(b);
  auto pieces = scheduler.PlanPrefill();
  ASSERT_EQ(pieces.size(), 3u);
  EXPECT_EQ(pieces[0].row->call, a.get());
  EXPECT_EQ(pieces[1].row->call, b.get());
  EXPECT_EQ(pieces[2].row->call, a.get());
  EXPECT_EQ(pieces[2].count, 3);  // 4 + 3 + 3 of 4: the row goes on in the next step
  Advance(pieces, &scheduler);
  pieces = scheduler.PlanPrefill();
  ASSERT_EQ(pieces.size(), 3u);
  EXPECT_EQ(pieces[0].count, 1);
  Advance(pieces, &scheduler);
  EXPECT_TRUE(scheduler.PlanPrefill().empty());  // four and more are ready
  EXPECT_EQ(scheduler.PlanDecode().size(), 4u);
}

TEST(Scheduler, AFullArenaDelaysRowsAndLosesNone) {
  Scheduler scheduler({.decode_rows = 8, .prefill_tokens = 100, .kv_tokens = 12});
  auto call = std::make_shared<FakeCall>(std::vector<int>{5, 5, 5}, 2);
  scheduler.AddCall(call);
  auto pieces = scheduler.PlanPrefill();
  ASSERT_EQ(pieces.size(), 2u);
  EXPECT_EQ(scheduler.kv_used(), 12);
  Advance(pieces, &scheduler);
  EXPECT_TRUE(scheduler.PlanPrefill().empty());
  auto rows = scheduler.PlanDecode();
  ASSERT_EQ(rows.size(), 2u);
  scheduler.Take(rows[0]);
  pieces = scheduler.PlanPrefill();
  ASSERT_EQ(pieces.size(), 1u);
  EXPECT_EQ(pieces[0].row->prompt, 2);
}

TEST(Scheduler, RemovingACallFreesItsSlotsAtOnce) {
  Scheduler scheduler({.decode_rows = 8, .prefill_tokens = 6, .kv_tokens = 12});
  auto gone = std::make_shared<FakeCall>(std::vector<int>{5, 5, 5}, 2);
  scheduler.AddCall(gone);
  Advance(scheduler.PlanPrefill(), &scheduler);
  EXPECT_TRUE(scheduler.HasRows(gone.get()));
  scheduler.RemoveCall(gone.get());
  EXPECT_EQ(scheduler.kv_used(), 0);
  EXPECT_EQ(scheduler.running(), 0);
  EXPECT_TRUE(scheduler.PlanPrefill().empty());
  EXPECT_TRUE(scheduler.PlanDecode().empty());
}

// One step as the engine takes it; whose rows took part.
struct StepOf {
  bool prefill;
  std::vector<Row*> rows;
};
StepOf Step(Scheduler* scheduler) {
  auto pieces = scheduler->PlanPrefill();
  StepOf step{!pieces.empty(), {}};
  if (step.prefill) {
    for (const PrefillPiece& piece : pieces) {
      piece.row->context += piece.count;
      step.rows.push_back(piece.row);
      if (!piece.row->prompt_done()) continue;
      if (piece.row->decode.max_new_tokens > 0) {
        piece.row->generated.push_back(0);
        scheduler->MoveToDecode(piece.row);
      } else {
        scheduler->Take(piece.row);  // its pointer is only compared from here on
        step.rows.pop_back();
      }
    }
    return step;
  }
  for (Row* row : scheduler->PlanDecode()) {
    ++row->context;
    row->generated.push_back(0);
    step.rows.push_back(row);
  }
  for (Row*& row : step.rows) {
    if (static_cast<int32_t>(row->generated.size()) < row->decode.max_new_tokens) continue;
    scheduler->Take(row);
    row = nullptr;
  }
  return step;
}

// A Fit and an Evaluate that never end, some steps under way.
class Busy : public testing::Test {
 protected:
  Busy() {
    scheduler_.AddCall(fit_);
    scheduler_.AddCall(evaluate_);
    for (int i = 0; i < 100; ++i) Step(&scheduler_);
  }
  static bool Has(const StepOf& step, const EngineCall* call) {
    for (const Row* row : step.rows) {
      if (row != nullptr && row->call == call) return true;
    }
    return false;
  }
  Scheduler scheduler_{
      {.decode_rows = 4, .prefill_tokens = 16, .kv_tokens = 400, .generate_kv_tokens = 100}};
  std::shared_ptr<FakeCall> fit_ =
      std::make_shared<FakeCall>(std::vector<int>(3000, 23), 0, RowKind::kFit);
  std::shared_ptr<FakeCall> evaluate_ = std::make_shared<FakeCall>(std::vector<int>(3000, 11), 60);
};

TEST_F(Busy, AGenerateHasItsFirstTokenWithinABoundedNumberOfSteps) {
  for (const int prompt : {1, 16, 17, 70}) {
    auto generate = std::make_shared<FakeCall>(std::vector<int>{prompt}, 5, RowKind::kGenerate);
    scheduler_.AddCall(generate);
    const int bound = 3 * ((prompt + 15) / 16) + 4;
    int steps = 0;
    bool first = false;
    while (!first && steps < 1000) {
      ++steps;
      for (const Row* row : Step(&scheduler_).rows) {
        first = first || (row != nullptr && row->call == generate.get() && row->prompt_done());
      }
    }
    EXPECT_LE(steps, bound) << "prompt of " << prompt;
    // The other four tokens: it is in nearly every decode step, though the batch is full.
    for (steps = 0; scheduler_.HasRows(generate.get()) && steps < 1000; ++steps) Step(&scheduler_);
    EXPECT_LE(steps, 12);
    scheduler_.RemoveCall(generate.get());
  }
}

TEST_F(Busy, AFitAloneStarvesNeitherAGenerateNorTheLastRowsOfAnEvaluate) {
  scheduler_.RemoveCall(evaluate_.get());
  auto generate = std::make_shared<FakeCall>(std::vector<int>{20}, 10, RowKind::kGenerate);
  scheduler_.AddCall(generate);
  int steps = 0;
  do {
    Step(&scheduler_);
  } while (scheduler_.HasRows(generate.get()) && ++steps < 1000);
  EXPECT_LE(steps, 3 * 2 + 4 + 2 * 10);
  auto last = std::make_shared<FakeCall>(std::vector<int>{20}, 10);
  scheduler_.AddCall(last);
  steps = 0;
  do {
    Step(&scheduler_);
  } while (scheduler_.HasRows(last.get()) && ++steps < 1000);
  EXPECT_LE(steps, 10 + 5 * 10);
}

TEST_F(Busy, GeneratesWithoutEndLeaveTheOthersTheirTurn) {
  std::vector<std::shared_ptr<FakeCall>> generates;
  for (int i = 0; i < 8; ++i) {
    generates.push_back(
        std::make_shared<FakeCall>(std::vector<int>(2000, 9), 7, RowKind::kGenerate));
    scheduler_.AddCall(generates.back());
  }
  int others = 0;
  for (int i = 0; i < 400; ++i) {
    const StepOf step = Step(&scheduler_);
    others += Has(step, evaluate_.get()) || Has(step, fit_.get());
  }
  EXPECT_GE(others, 400 / 8);
}

TEST_F(Busy, AFullArenaStillHasRoomForAGenerate) {
  EXPECT_GT(scheduler_.kv_used(), 200);
  EXPECT_LE(scheduler_.kv_used(), 300);
  auto generate = std::make_shared<FakeCall>(std::vector<int>{60}, 40, RowKind::kGenerate);
  scheduler_.AddCall(generate);
  bool seen = false;
  for (int i = 0; i < 4; ++i) seen = seen || Has(Step(&scheduler_), generate.get());
  EXPECT_TRUE(seen);
  scheduler_.RemoveCall(generate.get());
  scheduler_.RemoveCall(fit_.get());
  scheduler_.RemoveCall(evaluate_.get());
  EXPECT_EQ(scheduler_.kv_used(), 0);
}

TEST(Scheduler, ShortRowsDoNotOvertakeALongOneForEver) {
  Scheduler scheduler({.decode_rows = 8, .prefill_tokens = 100, .kv_tokens = 30});
  auto short_rows = std::make_shared<FakeCall>(std::vector<int>(500, 4), 4);
  auto long_row = std::make_shared<FakeCall>(std::vector<int>{25}, 4);
  scheduler.AddCall(short_rows);
  for (int i = 0; i < 5; ++i) Step(&scheduler);
  scheduler.AddCall(long_row);
  int steps = 0;
  bool started = false;
  while (!started && ++steps < 200) {
    for (const Row* row : Step(&scheduler).rows) {
      started = started || (row != nullptr && row->call == long_row.get());
    }
  }
  EXPECT_LE(steps, 12);
}

// A Generate longer than the part that is Generate's own waits for the common one.
TEST(Scheduler, AGenerateThatWaitsIsARowOfItsCall) {
  Scheduler scheduler(
      {.decode_rows = 8, .prefill_tokens = 100, .kv_tokens = 30, .generate_kv_tokens = 10});
  auto other = std::make_shared<FakeCall>(std::vector<int>{16, 16}, 4);
  scheduler.AddCall(other);
  Advance(scheduler.PlanPrefill(), &scheduler);
  EXPECT_EQ(scheduler.kv_used(), 19);
  EXPECT_EQ(scheduler.waiting(), 1);
  auto generate = std::make_shared<FakeCall>(std::vector<int>{15}, 4, RowKind::kGenerate);
  scheduler.AddCall(generate);
  EXPECT_EQ(scheduler.waiting(), 2);
  EXPECT_TRUE(scheduler.PlanPrefill().empty());
  EXPECT_EQ(scheduler.waiting(), 2);
  EXPECT_TRUE(scheduler.HasRows(generate.get()));
  scheduler.RemoveCall(other.get());
  const auto pieces = scheduler.PlanPrefill();
  ASSERT_EQ(pieces.size(), 1u);
  EXPECT_EQ(pieces[0].row->call, generate.get());
  EXPECT_EQ(scheduler.waiting(), 0);
}

TEST(Scheduler, RowsThatOnlyPrefillLeaveADecodeStepAfterFour) {
  Scheduler scheduler({.decode_rows = 8, .prefill_tokens = 10, .kv_tokens = 1000});
  auto evaluate = std::make_shared<FakeCall>(std::vector<int>{4}, 6);
  scheduler.AddCall(evaluate);
  Step(&scheduler);
  auto fit = std::make_shared<FakeCall>(std::vector<int>(100, 10), 0);
  scheduler.AddCall(fit);
  std::string order;
  for (int i = 0; i < 10; ++i) order += Step(&scheduler).prefill ? 'p' : 'd';
  EXPECT_EQ(order.find("ppppp"), std::string::npos) << order;
  EXPECT_NE(order.find("ppppdpppp"), std::string::npos) << order;
}

TEST(Scheduler, ARowThatHasMovedOrIsGoneIsLeftAlone) {
  Scheduler scheduler({.decode_rows = 8, .prefill_tokens = 10, .kv_tokens = 1000});
  scheduler.AddCall(std::make_shared<FakeCall>(std::vector<int>{4}, 6));
  const auto pieces = scheduler.PlanPrefill();
  ASSERT_EQ(pieces.size(), 1u);
  Row* const row = pieces[0].row;
  scheduler.MoveToDecode(row);
  scheduler.MoveToDecode(row);
  EXPECT_EQ(scheduler.running(), 1);
  const std::unique_ptr<Row> taken = scheduler.Take(row);
  EXPECT_EQ(taken.get(), row);
  EXPECT_EQ(scheduler.Take(row), nullptr);
  EXPECT_EQ(scheduler.kv_used(), 0);
}

}  // namespace
}  // namespace steer
