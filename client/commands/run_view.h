// One run as its observers see it: progress on the terminal, counts for metrics.
#ifndef STEER_CLIENT_COMMANDS_RUN_VIEW_H_
#define STEER_CLIENT_COMMANDS_RUN_VIEW_H_

#include <string>

#include "client/commands/progress.h"
#include "client/commands/run_telemetry.h"

namespace steer {

// One call at a time, as Progress.
class RunView : public Progress {
 public:
  RunView(const Context& context, RunTelemetry* telemetry)
      : Progress(context), telemetry_(*telemetry) {}

  void OnStage(uint64_t seed, absl::string_view stage, int64_t cells) override {
    Progress::OnStage(seed, stage, cells);
    telemetry_.OnStage(seed, stage, cells);
  }
  void OnRows(uint64_t seed, int64_t done, int64_t total) override {
    Progress::OnRows(seed, done, total);
    telemetry_.OnRows(seed, done, total);
  }
  void OnFit(const FitRecord& fit, bool resumed) override {
    Progress::OnFit(fit, resumed);
    telemetry_.OnFit(fit, resumed);
  }
  void OnCell(const CellRecord& cell) override {
    Progress::OnCell(cell);
    telemetry_.OnCell(cell);
    telemetry_.SetSecondsLeft(SecondsLeft());
  }
  void OnFailure(const FailureRecord& failure, const absl::Status& why) override {
    Progress::OnFailure(failure, why);
    telemetry_.OnFailure(failure, why);
  }
  void OnServer(const ServerChange& change) override {
    Progress::OnServer(change);
    telemetry_.OnServer(change);
  }
  void OnRestart(const RestartRecord& restart, int64_t rows) override {
    Progress::OnRestart(restart, rows);
    telemetry_.OnRestart(restart, rows);
  }
  void OnWaitingFor(const std::string& server, const absl::Status& why, absl::Duration waited) {
    OnWaiting(server, why, waited);
    telemetry_.OnWaiting();
  }
  void OnRetry(absl::string_view method, const absl::Status& why) {
    telemetry_.OnRetry(method, why);
  }

 private:
  RunTelemetry& telemetry_;
};

}  // namespace steer

#endif  // STEER_CLIENT_COMMANDS_RUN_VIEW_H_
