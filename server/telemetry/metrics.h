// Every metric of steerd, in one registry. Names and label values are the contract with dashboards
// and alerts: known label sets exist from the start at 0, so that a rate over them is never absent.
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

// Why a caller was turned away.
enum class AuthenticationFailure { kMissing, kUnknown, kRole };

class Metrics final : public EngineObserver {
 public:
  // `service` is the full name for the label grpc_service; `methods` are initialised to 0.
  Metrics(absl::string_view service, absl::Span<const MethodName> methods,
          absl::string_view version);
  ~Metrics() override;

  // RPC. A method outside of `methods` is counted under "other".
  void CallStarted(absl::string_view method);
  // Ends what CallStarted began.
  void CallHandled(absl::string_view method, absl::StatusCode code, absl::Duration took);
  void Rejected(Rejection reason);

  void AuthenticationFailed(AuthenticationFailure why);
  void TlsReloaded(bool ok);
  void AuditRecord(bool written);

  // State of the process.
  void SetModel(absl::string_view name, absl::string_view family, absl::string_view device,
                absl::string_view dtype, absl::string_view model_fingerprint);
  void SetReady(bool ready);
  void SetHeartbeat(absl::Time last);

  // EngineObserver.
  void OnStep(StepKind kind, int64_t rows, int64_t tokens, int64_t shape,
              absl::Duration took) override;
  void OnRow(RowKind kind, int64_t prompt_tokens, int64_t generated_tokens, int64_t edits) override;
  void OnOutcome(bool refused, bool quality_judged, bool degenerate) override;
  void OnLoad(int64_t rows_waiting, int64_t rows_running, int64_t kv_tokens_used) override;
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
