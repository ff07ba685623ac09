#include "server/engine/scheduler.h"

#include <algorithm>
#include <utility>

namespace steer {

namespace {

// Every fourth step that both lanes want begins with the rows that do not generate, and after four
// prefill steps of rows that never decode those that do have a step.
constexpr int64_t kLaneTurn = 4;

bool Generates(const Row& row) { return row.kind == RowKind::kGenerate; }

}  // namespace

Scheduler::Scheduler(SchedulerShape shape)
    : shape_(shape),
      slots_(shape.kv_tokens - shape.generate_kv_tokens),
      generate_slots_(shape.generate_kv_tokens) {}

void Scheduler::AddCall(std::shared_ptr<EngineCall> call) { calls_.push_back(std::move(call)); }

std::vector<std::unique_ptr<Row>> Scheduler::RemoveCall(EngineCall* call) {
  std::vector<std::unique_ptr<Row>> dropped;
  auto drop = [&](std::list<std::unique_ptr<Row>>& rows) {
    for (auto it = rows.begin(); it != rows.end();) {
      if ((*it)->call != call) {
        ++it;
        continue;
      }
      Release(**it);
      dropped.push_back(std::move(*it));
      it = rows.erase(it);
    }
  };
  drop(prefilling_);
  drop(decoding_);
  if (waiting_ != nullptr && waiting_->call == call) waiting_.reset();
  waiting_generate_.erase(call);
  calls_.remove_if([&](const std::shared_ptr<EngineCall>& c) { return c.get() == call; });
  return dropped;
}

int64_t Scheduler::waiting() const {
  int64_t rows = waiting_ != nullptr ? 1 : 0;
  for (const auto& [call, row] : waiting_generate_) rows += row != nullptr ? 1 : 0;
  for (const std::shared_ptr<EngineCall>& call : calls_) rows += call->RowsLeft();
  return rows;
}

bool Scheduler::Reserve(Row* row) {
  absl::optional<int64_t> begin;
  const int64_t length = row->slots_needed();
  if (Generates(*row) && length <= generate_slots_.capacity()) {
    begin = generate_slots_.Reserve(length);
    if (begin) *begin += slots_.capacity();
  }
  // What the others wait for is theirs, where Generate has a part of its own.
  const bool theirs =
      Generates(*row) && waiting_ != nullptr && length <= generate_slots_.capacity();
  if (!begin && !theirs) begin = slots_.Reserve(length);
  if (!begin) return false;
  row->kv_begin = *begin;
  row->kv_length = length;
  return true;
}

void Scheduler::Release(const Row& row) {
  if (row.kv_begin >= slots_.capacity()) {
    generate_slots_.Release(row.kv_begin - slots_.capacity(), row.kv_length);
  } else {
    slots_.Release(row.kv_begin, row.kv_length);
  }
}

Row* Scheduler::Admit(std::unique_ptr<Row>* row) {
  if (!Reserve(row->get())) return nullptr;
  prefilling_.push_back(std::move(*row));
  return prefilling_.back().get();
}

Row* Scheduler::AdmitOne(bool generate_only) {
  // A row that found no room holds back all but Generate's, or short rows would overtake a long one
  // for ever.
  bool full = waiting_ != nullptr;
  if (full && !generate_only) {
    if (Row* row = Admit(&waiting_)) return row;
  }
  for (size_t turn = 0; turn < calls_.size(); ++turn) {
    EngineCall* call = calls_.front().get();
    calls_.splice(calls_.end(), calls_, calls_.begin());
    const bool generates = call->Generates();
    if (!generates && (generate_only || full)) continue;
    std::unique_ptr<Row>& place = generates ? waiting_generate_[call] : waiting_;
    if (place == nullptr) place = call->NextRow();
    if (place != nullptr) {
      if (Row* row = Admit(&place)) return row;
      if (!generates) full = true;
    }
  }
  return nullptr;
}

bool Scheduler::DecodeIsDue(int64_t generating) const {
  if (decoding_.empty()) return false;
  return (generating > 0 && prefills_ >= 1) || barren_prefills_ >= kLaneTurn;
}

std::vector<PrefillPiece> Scheduler::PlanPrefill() {
  std::vector<PrefillPiece> pieces;
  const int64_t generating = std::count_if(decoding_.begin(), decoding_.end(),
                                           [](const auto& row) { return Generates(*row); });
  const bool full = static_cast<int64_t>(decoding_.size()) - generating >= shape_.decode_rows;
  if (DecodeIsDue(generating) || (full && prefills_ >= 1)) return pieces;
  int32_t room = shape_.prefill_tokens;
  bool barren = true;
  auto take = [&](Row* row) {
    auto count = static_cast<int32_t>(std::min<int64_t>(room, row->prompt_tokens() - row->context));
    pieces.push_back({row, count});
    room -= count;
    barren = barren && row->decode.max_new_tokens == 0;
  };
  auto take_running = [&](bool generates) {
    for (const auto& row : prefilling_) {
      if (room > 0 && Generates(*row) == generates) take(row.get());
    }
  };
  auto take_new = [&](bool generate_only) {
    while (room > 0) {
      Row* row = AdmitOne(generate_only);
      if (row == nullptr) break;
      take(row);
    }
  };
  const bool others_first = !full && prefill_steps_ % kLaneTurn == kLaneTurn - 1;
  if (others_first) take_running(false);
  take_running(true);
  take_new(true);
  if (!full) {
    if (!others_first) take_running(false);
    take_new(false);
  }
  if (pieces.empty()) return pieces;
  ++prefill_steps_;
  ++prefills_;
  barren_prefills_ = barren ? barren_prefills_ + 1 : 0;
  return pieces;
}

std::vector<Row*> Scheduler::PlanDecode() {
  std::vector<Row*> rows;
  auto take = [&](bool generates) {
    for (const auto& row : decoding_) {
      if (rows.size() == static_cast<size_t>(shape_.decode_rows)) break;
      if (Generates(*row) == generates) rows.push_back(row.get());
    }
  };
  const bool others_first = decode_steps_ % kLaneTurn == kLaneTurn - 1;
  take(!others_first);
  take(others_first);
  if (!rows.empty()) ++decode_steps_;
  prefills_ = barren_prefills_ = 0;
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
    Release(*taken);
    return taken;
  }
  return nullptr;
}

bool Scheduler::HasRows(const EngineCall* call) const {
  auto of_call = [&](const std::unique_ptr<Row>& row) { return row->call == call; };
  return std::any_of(prefilling_.begin(), prefilling_.end(), of_call) ||
         std::any_of(decoding_.begin(), decoding_.end(), of_call) ||
         (waiting_ != nullptr && waiting_->call == call) ||
         (waiting_generate_.count(call) > 0 && waiting_generate_.at(call) != nullptr);
}

}  // namespace steer
