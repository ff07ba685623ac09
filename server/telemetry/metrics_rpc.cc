// Calls, admission, credentials, audit.
#include "server/telemetry/families.h"

namespace steer {
namespace {

// As other gRPC servers write them.
constexpr std::array<const char*, kStatusCodes> kCodes = {
    "OK",       "Canceled",       "Unknown",          "InvalidArgument",   "DeadlineExceeded",
    "NotFound", "AlreadyExists",  "PermissionDenied", "ResourceExhausted", "FailedPrecondition",
    "Aborted",  "OutOfRange",     "Unimplemented",    "Internal",          "Unavailable",
    "DataLoss", "Unauthenticated"};
constexpr std::array<const char*, 3> kKinds = {"unary", "server_stream", "client_stream"};
constexpr std::array<const char*, 9> kRejections = {"calls_full",  "transfers_full", "loading",
                                                    "draining",    "too_large",      "queue_tokens",
                                                    "queue_bytes", "lane_full",      "deadline"};
constexpr std::array<const char*, 5> kSpecRefusals = {"violation", "unknown_set", "unusable",
                                                      "other_model", "other"};
// From a cached GetModel to an evaluation of many arms.
const Buckets kCallSeconds = {0.001, 0.005, 0.025, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600};

MethodMetrics DeclareMethod(const Declare& declare, absl::string_view service,
                            const MethodName& method) {
  const std::string name(method.name);
  const Labels labels = {{"grpc_type", kKinds[static_cast<size_t>(method.kind)]},
                         {"grpc_service", std::string(service)},
                         {"grpc_method", name}};
  MethodMetrics m;
  m.started =
      &declare.Count("grpc_server_started_total", "Calls that reached the service.", labels);
  for (size_t i = 0; i < kCodes.size(); ++i) {
    Labels coded = labels;
    coded.emplace("grpc_code", kCodes[i]);
    m.handled[i] =
        &declare.Count("grpc_server_handled_total", "Calls that ended, by status code.", coded);
  }
  m.seconds = &declare.Spread("grpc_server_handling_seconds",
                              "Time from a call's arrival to its status.", kCallSeconds, labels);
  m.in_flight =
      &declare.Level("steer_requests_in_flight", "Calls that have not ended.", {{"method", name}});
  return m;
}

}  // namespace

absl::string_view GrpcCodeLabel(absl::StatusCode code) {
  const size_t index = static_cast<size_t>(code);
  return index < kCodes.size() ? kCodes[index] : kCodes[2];
}

RpcFamilies::RpcFamilies(const Declare& declare, absl::string_view service,
                         absl::Span<const MethodName> names) {
  for (const MethodName& method : names) {
    methods[std::string(method.name)] = DeclareMethod(declare, service, method);
  }
  methods["other"] = DeclareMethod(declare, service, {"other", CallKind::kUnary});
  rejections = declare.Counts("steer_admission_rejections_total",
                              "Calls turned away before any work.", "reason", kRejections);
  authentication_failures = declare.Counts(
      "steer_authentication_failures_total", "Calls turned away for their credentials.", "reason",
      std::array<const char*, 3>{"missing", "unknown", "role"});
  tls_reloads = declare.Counts("steer_tls_reloads_total", "Changes of the TLS files seen.",
                               "result", std::array<const char*, 2>{"failed", "ok"});
  audit_records = declare.Counts("steer_audit_records_total", "Lines of the audit log.", "result",
                                 std::array<const char*, 2>{"failed", "written"});
  refused_interventions = declare.Counts(
      "steer_refused_interventions_total",
      "Interventions that could not be applied exactly as written.", "reason", kSpecRefusals);
  for (const char* method : {"FitDirection", "Evaluate"}) {
    replays[method] =
        &declare.Count("steer_idempotent_replays_total",
                       "Calls answered with what another under their request id had computed.",
                       {{"method", method}});
  }
  queued_calls =
      declare.Levels("steer_queued_calls", "Calls that are admitted and have had no step.",
                     "method", std::array<const char*, 3>{"FitDirection", "Evaluate", "Generate"});
  queued_tokens = &declare.Level(
      "steer_queued_tokens", "Tokens that admitted calls hold: of prompts and to be generated.");
  queued_bytes = &declare.Level("steer_queued_bytes", "Bytes of admitted calls' requests.");
  queue_calls_capacity =
      &declare.Level("steer_queue_calls_capacity", "Bound of the calls without a step.");
  queue_tokens_capacity = &declare.Level("steer_queue_tokens_capacity", "Bound of queued tokens.");
  queue_bytes_capacity = &declare.Level("steer_queue_bytes_capacity", "Bound of queued bytes.");
}

MethodMetrics& RpcFamilies::Of(absl::string_view method) {
  auto found = methods.find(std::string(method));
  return found == methods.end() ? methods.at("other") : found->second;
}

void Metrics::CallStarted(absl::string_view method) {
  MethodMetrics& m = families_->rpc.Of(method);
  m.started->Increment();
  m.in_flight->Increment();
}

void Metrics::CallHandled(absl::string_view method, absl::StatusCode code, absl::Duration took) {
  MethodMetrics& m = families_->rpc.Of(method);
  const size_t index = static_cast<size_t>(code);
  m.handled[index < kCodes.size() ? index : 2]->Increment();
  ObserveSeconds(m.seconds, took);
  m.in_flight->Decrement();
}

void Metrics::Rejected(Rejection reason) {
  families_->rpc.rejections[static_cast<size_t>(reason)]->Increment();
}

void Metrics::AuthenticationFailed(AuthenticationFailure why) {
  families_->rpc.authentication_failures[static_cast<size_t>(why)]->Increment();
}

void Metrics::TlsReloaded(bool ok) { families_->rpc.tls_reloads[ok ? 1 : 0]->Increment(); }

void Metrics::AuditRecord(bool written) {
  families_->rpc.audit_records[written ? 1 : 0]->Increment();
}

void Metrics::InterventionRefused(SpecRefusal reason) {
  families_->rpc.refused_interventions[static_cast<size_t>(reason)]->Increment();
}

void Metrics::Replayed(absl::string_view method) {
  auto found = families_->rpc.replays.find(std::string(method));
  if (found != families_->rpc.replays.end()) found->second->Increment();
}

void Metrics::SetQueue(const QueueGauges& queue) {
  RpcFamilies& f = families_->rpc;
  f.queued_calls[0]->Set(static_cast<double>(queue.fit_calls));
  f.queued_calls[1]->Set(static_cast<double>(queue.evaluate_calls));
  f.queued_calls[2]->Set(static_cast<double>(queue.generate_calls));
  f.queued_tokens->Set(static_cast<double>(queue.tokens));
  f.queued_bytes->Set(static_cast<double>(queue.bytes));
}

void Metrics::SetQueueCapacity(const QueueCapacity& capacity) {
  RpcFamilies& f = families_->rpc;
  f.queue_calls_capacity->Set(static_cast<double>(capacity.calls));
  f.queue_tokens_capacity->Set(static_cast<double>(capacity.tokens));
  f.queue_bytes_capacity->Set(static_cast<double>(capacity.bytes));
}

}  // namespace steer
