// Every metric of steerd, in one registry. Names and label values are the contract with dashboards
// and alerts, and listed in deploy/metrics.md: known label sets exist from the start at 0, so that a
// rate over them is never absent. One file a subject: metrics_rpc.cc, metrics_engine.cc,
// metrics_state.cc.
//
// Thread-safe. One object a process is enough, but nothing forbids several (tests have many).
#ifndef STEER_SERVER_TELEMETRY_METRICS_H_
#define STEER_SERVER_TELEMETRY_METRICS_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "server/engine/observer.h"

namespace prometheus {
class Registry;
}

namespace steer {

// Kinds of a method for the label grpc_type, as other gRPC servers write it.
enum class CallKind { kUnary, kServerStream, kClientStream };

struct MethodName {
  absl::string_view name;  // "Evaluate"
  CallKind kind;
};

// Why a call was turned away before any work.
enum class Rejection {
  kCallsFull,
  kTransfersFull,
  kLoading,
  kDraining,
  kTooLarge,
  kQueueTokens,
  kQueueBytes,
  kLaneFull,
  kDeadline
};

// Why an intervention was not applied: it breaks a rule of proto Op or cannot be applied exactly; it
// names a set that is not stored; a direction with no norm; a set of another model.
enum class SpecRefusal { kViolation, kUnknownSet, kUnusable, kOtherModel, kOther };

// What admitted calls hold, and the bounds; calls by method.
struct QueueGauges {
  int64_t fit_calls = 0, evaluate_calls = 0, generate_calls = 0;
  int64_t tokens = 0;
  int64_t bytes = 0;
};
struct QueueCapacity {
  int64_t calls = 0, tokens = 0, bytes = 0;
};

// Bytes; limit 0: none known.
struct MemoryGauges {
  int64_t weights = 0, kv_arena = 0, work = 0, limit = 0;
};

struct StoreGauges {
  int64_t directions = 0;
  int64_t bytes = 0;
  int64_t free_bytes = -1;  // of its file system; -1: unknown
};

// What this program was built from.
struct BuildWords {
  std::string version;
  std::string commit = "", libtorch = "", cuda = "";
};

// Why a caller was turned away.
enum class AuthenticationFailure { kMissing, kUnknown, kRole };

class Metrics final : public EngineObserver {
 public:
  // `service` is the full name for the label grpc_service; `methods` are initialised to 0.
  Metrics(absl::string_view service, absl::Span<const MethodName> methods, const BuildWords& build);
  ~Metrics() override;

  // RPC. A method outside of `methods` is counted under "other".
  void CallStarted(absl::string_view method);
  // Ends what CallStarted began.
  void CallHandled(absl::string_view method, absl::StatusCode code, absl::Duration took);
  void Rejected(Rejection reason);

  void AuthenticationFailed(AuthenticationFailure why);
  void TlsReloaded(bool ok);
  void AuditRecord(bool written);
  void InterventionRefused(SpecRefusal reason);
  // A call was answered with what another under its request id had computed.
  void Replayed(absl::string_view method);
  void SetQueue(const QueueGauges& queue);
  void SetQueueCapacity(const QueueCapacity& capacity);

  // State of the process.
  void SetModel(absl::string_view name, absl::string_view family, absl::string_view device,
                absl::string_view dtype, absl::string_view model_fingerprint);
  void SetModelLoad(absl::Duration took);
  void SetMemory(const MemoryGauges& memory, int64_t kv_tokens);
  void SetStore(const StoreGauges& store);
  void SetReady(bool ready);
  void SetDraining(bool draining);
  void SetHeartbeat(absl::Time last);
  void SetClock(absl::Time now);

  // EngineObserver.
  void OnStep(const StepReport& step) override;
  void OnRow(const RowReport& row) override;
  void OnRowDropped(RowKind kind, RowFinish why) override;
  void OnOutcome(const OutcomeReport& outcome) override;
  void OnQueueWait(RowKind kind, absl::Duration waited) override;
  void OnFirstToken(const InterventionClass& intervention, absl::Duration after) override;
  void OnToken(const InterventionClass& intervention, absl::Duration gap) override;
  void OnFit(FitOutcome outcome) override;
  void OnFitPhase(FitPhase phase, absl::Duration took) override;
  void OnLoad(int64_t rows_waiting, int64_t rows_running, int64_t kv_tokens_used) override;
  void OnCanary(bool ok) override;
  void OnOutOfMemory() override;
  void OnHalved() override;
  void OnDeviceError() override;
  void OnNonFinite(absl::string_view where) override;

  const std::shared_ptr<prometheus::Registry>& registry() const;
  // The text format of all metrics, as a scrape would see them (process_* aside).
  std::string Text() const;

 private:
  struct Families;
  std::unique_ptr<Families> families_;
};

// The spelling of other gRPC servers' label grpc_code: "OK", "InvalidArgument".
absl::string_view GrpcCodeLabel(absl::StatusCode code);

}  // namespace steer

#endif  // STEER_SERVER_TELEMETRY_METRICS_H_
