// A typed client of steerd: every call has a deadline, waits for a server that is away as long as
// the caller is patient, and comes back with an absl::Status that carries the server's reason,
// violations and retry delay.
#ifndef STEER_CLIENT_API_CLIENT_H_
#define STEER_CLIENT_API_CLIENT_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "client/api/retry.h"
#include "steer/v1/steer_service.pb.h"

namespace grpc {
class Channel;
}  // namespace grpc

namespace steer {

struct ClientOptions {
  absl::Duration deadline = absl::Seconds(60);     // of short calls
  absl::Duration long_deadline = absl::Hours(24);  // of Fit, Evaluate, Generate and transfers
  absl::Duration stall = absl::Minutes(5);         // longest silence of a stream
  // How long a call goes on trying while the server is away or full. Counted from the last sign of
  // life.
  absl::Duration patience = absl::Seconds(10);
  RetryPolicy retry;
  // Told while waiting for the server: why, and how long so far. Calling thread.
  std::function<void(const absl::Status& why, absl::Duration waited)> on_waiting;
  // Called for each retry, with the method's name. Calling thread.
  std::function<void(absl::string_view method, const absl::Status& why)> on_retry;
  // Polled from any thread; true ends calls with CANCELLED. May be empty.
  std::function<bool()> stop;
  // Opens another channel to the same server, for the calls that follow one that ended in silence.
  // Any thread. An error, or an empty function: the channel in use is kept.
  std::function<absl::StatusOr<std::shared_ptr<grpc::Channel>>()> reopen;
};

// What an Evaluate stream brings. Called on the calling thread; an error ends the call with it.
class OutcomeSink {
 public:
  virtual ~OutcomeSink() = default;
  virtual void OnProgress(int64_t /*rows_done*/, int64_t /*rows_total*/) {}
  virtual absl::Status OnOutcome(const v1::Outcome& outcome) = 0;
  // After the last outcome of the arm.
  virtual absl::Status OnArm(const v1::ArmResult& result) = 0;
  // The stream broke inside this arm and its rows will be sent again: forget them.
  virtual void OnArmRestart(int /*arm*/) {}
};

// What happens to the rows of an arm that a broken stream left unfinished.
enum class Unfinished {
  // They are named as held; only the rest is run. The arm's receipt then covers the rest alone.
  kHold,
  // They are dropped and run again, so that one receipt covers the whole arm. Rows of finished arms
  // are always held.
  kRestart,
};

// Thread-safe. Calls block the calling thread.
class Client {
 public:
  Client(std::shared_ptr<grpc::Channel> channel, ClientOptions options);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  absl::StatusOr<v1::GetModelResponse> GetModel();
  absl::StatusOr<v1::TokenizeResponse> Tokenize(const v1::TokenizeRequest& request);
  absl::StatusOr<v1::GetDirectionResponse> GetDirection(const v1::GetDirectionRequest& request);
  absl::StatusOr<v1::ListDirectionsResponse> ListDirections(
      const v1::ListDirectionsRequest& request);
  absl::Status DeleteDirection(const std::string& set_id);

  using Progress = std::function<void(int64_t done, int64_t total)>;
  // Repeats the same request id after a broken stream: the server answers with the same set. Not
  // for validate_only.
  absl::StatusOr<v1::FitDirectionResult> FitDirection(const v1::FitDirectionRequest& request,
                                                      const Progress& progress);
  absl::StatusOr<v1::Cost> FitCost(v1::FitDirectionRequest request);

  // Continues a broken stream by naming the rows already held. Each outcome reaches the sink once
  // (kRestart: once after the last OnArmRestart of its arm). DATA_LOSS (reason PROTOCOL) where the
  // stream contradicts the contract: an unknown arm, prompt or sequence number, a row sent twice,
  // an arm closed too early, no summary. Not for validate_only.
  absl::StatusOr<v1::EvaluateSummary> Evaluate(const v1::EvaluateRequest& request,
                                               Unfinished unfinished, OutcomeSink* sink);
  absl::StatusOr<v1::Cost> EvaluateCost(v1::EvaluateRequest request);

  // Not repeated once text has come. `text` sees whole UTF-8 pieces.
  absl::StatusOr<v1::GenerateResult> Generate(const v1::GenerateRequest& request,
                                              const std::function<void(absl::string_view)>& text);

  // The whole file, its digest checked (DATA_LOSS).
  absl::StatusOr<std::string> ExportDirection(const v1::ExportDirectionRequest& request);
  absl::StatusOr<v1::DirectionSet> ImportDirection(absl::string_view file);

  const ClientOptions& options() const;

 private:
  friend class Attempt;  // client_impl.h
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// A random UUID (version 4) for request_id.
std::string NewRequestId();

}  // namespace steer

#endif  // STEER_CLIENT_API_CLIENT_H_
