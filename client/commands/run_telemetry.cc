#include "client/commands/run_telemetry.h"

#include <algorithm>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "client/commands/run_metrics.h"
#include "common/status_macros.h"
#include "prometheus/collectable.h"

namespace steer {
namespace {

// Least time between snapshots, and how much longer than building one took: the run has the
// processor before its pictures have.
constexpr absl::Duration kInterval = absl::Seconds(1);
constexpr int kRest = 20;

void AddPushes(const PushCounts& pushes, MetricsText* text) {
  text->Declare("steer_push_total", "counter", "Pushes to the Pushgateway by result.");
  text->Add("steer_push_total", {{"result", "ok"}}, static_cast<double>(pushes.pushed));
  text->Add("steer_push_total", {{"result", "failed"}}, static_cast<double>(pushes.failed));
  text->Declare("steer_push_seconds", "histogram", "Time of each push, whatever its result.");
  text->Add("steer_push_seconds", {}, pushes.seconds);
}

}  // namespace

// The newest snapshot, and what only a scrape sees. Thread-safe.
class RunTelemetry::Page : public prometheus::Collectable {
 public:
  explicit Page(const GatewayPusher* pusher) : pusher_(pusher) {}

  void Set(std::vector<prometheus::MetricFamily> families) {
    absl::MutexLock lock(&mutex_);
    families_ = std::move(families);
  }

  std::vector<prometheus::MetricFamily> Collect() const override {
    MetricsText own;
    AddPushes(pusher_ == nullptr ? PushCounts() : pusher_->counts(), &own);
    // Not pushed: what lies in a gateway is an old time, and reads as a wrong clock.
    own.Declare("steer_clock_timestamp_seconds", "gauge", "This process's clock.");
    own.Add("steer_clock_timestamp_seconds", {},
            absl::ToDoubleSeconds(absl::Now() - absl::UnixEpoch()));
    std::vector<prometheus::MetricFamily> all = own.Families();
    absl::MutexLock lock(&mutex_);
    all.insert(all.end(), families_.begin(), families_.end());
    return all;
  }

 private:
  const GatewayPusher* const pusher_;
  mutable absl::Mutex mutex_;
  std::vector<prometheus::MetricFamily> families_ ABSL_GUARDED_BY(mutex_);
};

absl::StatusOr<std::unique_ptr<RunTelemetry>> RunTelemetry::Start(
    const RunTelemetryOptions& options, const Lock& lock) {
  // Not make_unique: the constructor is private.
  std::unique_ptr<RunTelemetry> telemetry(new RunTelemetry(lock));
  if (!options.push_gateway.empty()) {
    GatewayOptions gateway;
    gateway.group = ExperimentGroup(options.push_gateway, lock.plan.name);
    STEER_ASSIGN_OR_RETURN(telemetry->pusher_, GatewayPusher::Start(std::move(gateway)));
  }
  if (!options.metrics_listen.empty()) {
    telemetry->page_ = std::make_shared<Page>(telemetry->pusher_.get());
    STEER_ASSIGN_OR_RETURN(
        telemetry->server_of_page_,
        MetricsServer::Start(options.metrics_listen, options.metrics_insecure, telemetry->page_));
  }
  return telemetry;
}

RunTelemetry::~RunTelemetry() { Close(); }

int RunTelemetry::port() const { return server_of_page_ == nullptr ? 0 : server_of_page_->port(); }

void RunTelemetry::Begin(const ResultLog* log, absl::Time started, std::string server) {
  log_ = log;
  server_ = std::move(server);
  {
    absl::MutexLock lock(&mutex_);
    facts_.started = absl::ToUnixSeconds(started);
    changed_ = true;
  }
  if (pusher_ == nullptr && page_ == nullptr) return;
  try {
    thread_ = std::thread([this] { Loop(); });
  } catch (const std::system_error&) {
    // No thread to be had: the run is measured without pictures, but for the last one.
  }
}

void RunTelemetry::Change(const std::function<void(RunFacts*)>& change) {
  absl::MutexLock lock(&mutex_);
  if (ended_) return;
  change(&facts_);
  changed_ = true;
}

void RunTelemetry::Heard(bool up) {
  if (server_.empty()) return;  // of several, OnServer tells
  absl::MutexLock lock(&mutex_);
  if (ended_) return;
  auto [held, fresh] = facts_.servers.try_emplace(server_, up);
  if (!fresh && held->second == up) return;
  held->second = up;
  changed_ = true;
}

void RunTelemetry::OnStage(uint64_t, absl::string_view, int64_t) { Heard(true); }
void RunTelemetry::OnRows(uint64_t, int64_t, int64_t) { Heard(true); }
void RunTelemetry::OnFit(const FitRecord&, bool) { Heard(true); }

void RunTelemetry::OnCell(const CellRecord&) {
  Heard(true);
  const int64_t now = absl::ToUnixSeconds(absl::Now());
  Change([now](RunFacts* facts) {
    ++facts->cells_done;
    facts->progress = now;
  });
}

void RunTelemetry::OnFailure(const FailureRecord&, const absl::Status&) {
  Change([](RunFacts*) {});
}

void RunTelemetry::OnRestart(const RestartRecord&, int64_t) {
  Change([](RunFacts*) {});
}

void RunTelemetry::OnServer(const ServerChange& change) {
  Change(
      [&](RunFacts* facts) { facts->servers[change.server] = change.kind == ServerChange::kUp; });
}

void RunTelemetry::OnWaiting() { Heard(false); }

void RunTelemetry::OnRetry(absl::string_view method, const absl::Status& why) {
  Change([&](RunFacts* facts) {
    ++facts->retries[{std::string(method), absl::StatusCodeToString(why.code())}];
  });
}

void RunTelemetry::SetSecondsLeft(absl::optional<double> seconds) {
  Change([&](RunFacts* facts) { facts->seconds_left = seconds; });
}

void RunTelemetry::Loop() {
  absl::Duration wait;
  for (;;) {
    RunFacts facts;
    {
      absl::MutexLock lock(&mutex_);
      mutex_.AwaitWithTimeout(absl::Condition(&ended_), wait);
      auto ready = [this]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return changed_ || ended_; };
      mutex_.Await(absl::Condition(&ready));
      if (ended_) return;
      changed_ = false;
      facts = facts_;
    }
    const absl::Time start = absl::Now();
    Publish(facts);
    // The wall clock may step.
    const absl::Duration took =
        std::clamp(absl::Now() - start, absl::ZeroDuration(), absl::Seconds(10));
    wait = std::max(kInterval, took * kRest);
  }
}

void RunTelemetry::Publish(const RunFacts& facts) {
  // Read while the run writes, the log may for a moment say less than it takes; the next time will
  // do.
  const absl::StatusOr<RunState> state = ReadRunState(lock_, *log_);
  if (!state.ok()) return;
  const MetricsText text = RunMetrics(lock_, *state, facts);
  if (page_ != nullptr) page_->Set(text.Families());
  if (pusher_ != nullptr) pusher_->Publish(text.Render());
}

RunFacts RunTelemetry::End(const std::string& state) {
  RunFacts facts;
  {
    absl::MutexLock lock(&mutex_);
    if (!ended_) facts_.state = state;
    ended_ = true;
    facts = facts_;
  }
  if (thread_.joinable()) thread_.join();
  return facts;
}

void RunTelemetry::Finish() {
  if (log_ == nullptr || (pusher_ == nullptr && page_ == nullptr)) return;
  RunFacts facts;
  {
    absl::MutexLock lock(&mutex_);
    facts = facts_;
  }
  Publish(facts);
}

PushCounts RunTelemetry::Close() {
  {
    absl::MutexLock lock(&mutex_);
    ended_ = true;
  }
  if (thread_.joinable()) thread_.join();
  if (pusher_ != nullptr) pusher_->Close();
  server_of_page_.reset();  // before the pusher, which the page reads
  return pusher_ == nullptr ? PushCounts() : pusher_->counts();
}

}  // namespace steer
