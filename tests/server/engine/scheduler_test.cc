#include "server/engine/scheduler.h"

#include <deque>

#include <gtest/gtest.h>

namespace steer {
namespace {

// Hands out rows of given prompt lengths.
class FakeCall : public Call {
 public:
  FakeCall(std::vector<int> lengths, int32_t new_tokens)
      : Call(std::make_shared<CallControl>()), new_tokens_(new_tokens) {
    for (int length : lengths) prompts_.emplace_back(length, 0);
  }
  std::unique_ptr<Row> NextRow() override {
    if (next_ == prompts_.size()) return nullptr;
    auto row = std::make_unique<Row>();
    row->call = this;
    row->prompt = static_cast<int>(next_);
    row->prompt_ids = &prompts_[next_++];
    row->decode.max_new_tokens = new_tokens_;
    return row;
  }
  absl::Status OnRowDone(Row&) override { return absl::OkStatus(); }
  bool FinishIfComplete() override { return true; }
  void Fail(const absl::Status&) override {}

 private:
  std::deque<std::vector<int32_t>> prompts_;
  size_t next_ = 0;
  int32_t new_tokens_;
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

}  // namespace
}  // namespace steer
