// What others can see of a run while it goes on: a page to be scraped, snapshots for a Pushgateway.
// Snapshots are built and sent on threads of their own; the run's threads only count. Nothing here
// fails or delays a run that has begun.
#ifndef STEER_CLIENT_COMMANDS_RUN_TELEMETRY_H_
#define STEER_CLIENT_COMMANDS_RUN_TELEMETRY_H_

#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "client/commands/run_facts.h"
#include "client/plan/lock.h"
#include "client/run/observer.h"
#include "client/run/result_log.h"
#include "client/telemetry/gateway.h"
#include "common/metrics/metrics_server.h"

namespace steer {

struct RunTelemetryOptions {
  std::string metrics_listen;     // host:port; empty: no page
  bool metrics_insecure = false;  // the page may be reached from other machines
  std::string push_gateway;       // URL; empty: no pushes
};

// Observes what concerns metrics. Thread-safe.
class RunTelemetry : public RunObserver {
 public:
  // Opens the page and starts the pusher. INVALID_ARGUMENT (reason INVALID_ADDRESS, INVALID_URL,
  // METRICS_BEYOND_LOOPBACK) for flags; UNAVAILABLE (reason METRICS_ADDRESS_UNAVAILABLE) if the
  // page's address cannot be bound.
  static absl::StatusOr<std::unique_ptr<RunTelemetry>> Start(const RunTelemetryOptions& options,
                                                             const Lock& lock);
  // As Close.
  ~RunTelemetry() override;

  // Port of the page; 0 if there is none.
  int port() const;

  // From here on snapshots are taken of `log`. `server`: the only one of the run, empty if there
  // are several.
  void Begin(const ResultLog* log, absl::Time started, std::string server);

  void OnStage(uint64_t seed, absl::string_view stage, int64_t cells) override;
  void OnRows(uint64_t seed, int64_t done, int64_t total) override;
  void OnFit(const FitRecord& fit, bool resumed) override;
  void OnCell(const CellRecord& cell) override;
  void OnFailure(const FailureRecord& failure, const absl::Status& why) override;
  void OnServer(const ServerChange& change) override;
  void OnRestart(const RestartRecord& restart, int64_t rows) override;
  // A call waits for its server. Of several, OnServer tells which are given up.
  void OnWaiting();
  // A call is tried again.
  void OnRetry(absl::string_view method, const absl::Status& why);
  void SetSecondsLeft(absl::optional<double> seconds);

  // The session is over, in this state: no more counts, and the log is left alone. What Finish will
  // show. A second call changes nothing.
  RunFacts End(const std::string& state);
  // Publishes the last snapshot, after End; the log may be closed afterwards.
  void Finish();
  // Waits for the last push and closes the page. What became of the pushes.
  PushCounts Close();

 private:
  class Page;
  explicit RunTelemetry(const Lock& lock) : lock_(lock) {}
  void Change(const std::function<void(RunFacts*)>& change);
  void Heard(bool up);
  void Loop();
  void Publish(const RunFacts& facts);

  const Lock& lock_;
  const ResultLog* log_ = nullptr;
  std::string server_;
  absl::Mutex mutex_;
  RunFacts facts_ ABSL_GUARDED_BY(mutex_);
  bool changed_ ABSL_GUARDED_BY(mutex_) = false;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  std::unique_ptr<GatewayPusher> pusher_;  // null: no pushes
  std::shared_ptr<Page> page_;             // null: no page
  std::unique_ptr<MetricsServer> server_of_page_;
  std::thread thread_;
};

}  // namespace steer

#endif  // STEER_CLIENT_COMMANDS_RUN_TELEMETRY_H_
