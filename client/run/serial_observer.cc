#include "client/run/serial_observer.h"

namespace steer {

void SerialObserver::Do(absl::FunctionRef<void()> what) {
  absl::MutexLock lock(&mutex_);
  what();
}

void SerialObserver::OnStart(int64_t cells, int64_t rows, int64_t done_cells, int64_t done_rows) {
  Do([&] { inner_->OnStart(cells, rows, done_cells, done_rows); });
}

void SerialObserver::OnStage(uint64_t seed, absl::string_view stage, int64_t cells) {
  Do([&] { inner_->OnStage(seed, stage, cells); });
}

void SerialObserver::OnRows(uint64_t seed, int64_t done, int64_t total) {
  Do([&] { inner_->OnRows(seed, done, total); });
}

void SerialObserver::OnFit(const FitRecord& fit, bool resumed) {
  Do([&] { inner_->OnFit(fit, resumed); });
}

void SerialObserver::OnCell(const CellRecord& cell) {
  Do([&] { inner_->OnCell(cell); });
}

void SerialObserver::OnSelected(const SelectionRecord& selection) {
  Do([&] { inner_->OnSelected(selection); });
}

void SerialObserver::OnFailure(const FailureRecord& failure, const absl::Status& why) {
  Do([&] { inner_->OnFailure(failure, why); });
}

void SerialObserver::OnSeedEnd(uint64_t seed) {
  Do([&] { inner_->OnSeedEnd(seed); });
}

void SerialObserver::OnServer(const ServerChange& change) {
  Do([&] { inner_->OnServer(change); });
}

void SerialObserver::OnMove(const SeedMove& move) {
  Do([&] { inner_->OnMove(move); });
}

void SerialObserver::OnRestart(const RestartRecord& restart, int64_t rows) {
  Do([&] { inner_->OnRestart(restart, rows); });
}

}  // namespace steer
