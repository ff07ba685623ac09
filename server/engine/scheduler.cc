#include "server/engine/scheduler.h"

#include <algorithm>
#include <utility>

namespace steer {

Scheduler::Scheduler(SchedulerShape shape) : shape_(shape), slots_(shape.kv_tokens) {}

void Scheduler::AddCall(std::shared_ptr<Call> call) { calls_.push_back(std::move(call)); }

void Scheduler::RemoveCall(Call* call) {
  auto drop = [&](std::list<std::unique_ptr<Row>>& rows) {
    rows.remove_if([&](const std::unique_ptr<Row>& row) {
      if (row->call != call) return false;
      slots_.Release(row->kv_begin, row->kv_length);
      return true;
    });
  };
  drop(prefilling_);
  drop(decoding_);
  if (waiting_ != nullptr && waiting_->call == call) waiting_.reset();
  calls_.remove_if([&](const std::shared_ptr<Call>& c) { return c.get() == call; });
}

bool Scheduler::AdmitOne() {
  for (size_t turn = 0; waiting_ == nullptr && turn < calls_.size(); ++turn) {
    waiting_ = calls_.front()->NextRow();
    calls_.splice(calls_.end(), calls_, calls_.begin());
  }
  if (waiting_ == nullptr) return false;
  absl::optional<int64_t> begin = slots_.Reserve(waiting_->slots_needed());
  if (!begin) return false;
  waiting_->kv_begin = *begin;
  waiting_->kv_length = waiting_->slots_needed();
  prefilling_.push_back(std::move(waiting_));
  return true;
}

std::vector<PrefillPiece> Scheduler::PlanPrefill() {
  std::vector<PrefillPiece> pieces;
  if (decoding_.size() >= static_cast<size_t>(shape_.decode_rows)) return pieces;
  int32_t room = shape_.prefill_tokens;
  auto take = [&](Row* row) {
    auto count = static_cast<int32_t>(std::min<int64_t>(room, row->prompt_tokens() - row->context));
    pieces.push_back({row, count});
    room -= count;
  };
  for (const auto& row : prefilling_) {
    if (room > 0) take(row.get());
  }
  while (room > 0 && AdmitOne()) take(prefilling_.back().get());
  return pieces;
}

std::vector<Row*> Scheduler::PlanDecode() {
  std::vector<Row*> rows;
  for (const auto& row : decoding_) {
    if (rows.size() == static_cast<size_t>(shape_.decode_rows)) break;
    rows.push_back(row.get());
  }
  return rows;
}

void Scheduler::MoveToDecode(Row* row) {
  auto it = std::find_if(prefilling_.begin(), prefilling_.end(),
                         [&](const auto& r) { return r.get() == row; });
  if (it != prefilling_.end()) decoding_.splice(decoding_.end(), prefilling_, it);
}

std::unique_ptr<Row> Scheduler::Take(Row* row) {
  for (auto* rows : {&prefilling_, &decoding_}) {
    auto it =
        std::find_if(rows->begin(), rows->end(), [&](const auto& r) { return r.get() == row; });
    if (it == rows->end()) continue;
    std::unique_ptr<Row> taken = std::move(*it);
    rows->erase(it);
    slots_.Release(taken->kv_begin, taken->kv_length);
    return taken;
  }
  return nullptr;
}

bool Scheduler::HasRows(const Call* call) const {
  auto of_call = [&](const std::unique_ptr<Row>& row) { return row->call == call; };
  return std::any_of(prefilling_.begin(), prefilling_.end(), of_call) ||
         std::any_of(decoding_.begin(), decoding_.end(), of_call) ||
         (waiting_ != nullptr && waiting_->call == call);
}

}  // namespace steer
