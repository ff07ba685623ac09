#include "server/telemetry/metrics.h"

#include <array>
#include <map>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/strip.h"
#include "absl/synchronization/mutex.h"
#include "prometheus/counter.h"
#include "prometheus/gauge.h"
#include "prometheus/histogram.h"
#include "prometheus/registry.h"
#include "prometheus/text_serializer.h"

namespace steer {
namespace {

using prometheus::BuildCounter;
using prometheus::BuildGauge;
using prometheus::BuildHistogram;
using prometheus::Counter;
using prometheus::Family;
using prometheus::Gauge;
using prometheus::Histogram;
using prometheus::Labels;

constexpr std::array<absl::string_view, 17> kCodes = {
    "OK",       "Canceled",       "Unknown",          "InvalidArgument",   "DeadlineExceeded",
    "NotFound", "AlreadyExists",  "PermissionDenied", "ResourceExhausted", "FailedPrecondition",
    "Aborted",  "OutOfRange",     "Unimplemented",    "Internal",          "Unavailable",
    "DataLoss", "Unauthenticated"};
constexpr std::array<const char*, 9> kRejections = {
    "calls_full",   "transfers_full", "loading",   "draining", "too_large",
    "queue_tokens", "queue_bytes",    "lane_full", "deadline"};
constexpr std::array<const char*, 4> kRowKinds = {"fit", "evaluate", "generate", "reference"};
constexpr std::array<const char*, 2> kStepKinds = {"prefill", "decode"};
// From a cached GetModel to an evaluation of many arms.
const Histogram::BucketBoundaries kCallSeconds = {0.001, 0.005, 0.025, 0.1, 0.5, 1,   2.5,
                                                  5,     10,    30,    60,  120, 300, 600};
const Histogram::BucketBoundaries kStepSeconds = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                                  0.1,   0.25,   0.5,   1,    2.5,   10};

const char* KindLabel(CallKind kind) {
  switch (kind) {
    case CallKind::kUnary:
      return "unary";
    case CallKind::kServerStream:
      return "server_stream";
    case CallKind::kClientStream:
      return "client_stream";
  }
  return "unary";
}

struct MethodMetrics {
  Counter* started = nullptr;
  std::array<Counter*, kCodes.size()> handled = {};
  Histogram* seconds = nullptr;
  Gauge* in_flight = nullptr;
};

}  // namespace

absl::string_view GrpcCodeLabel(absl::StatusCode code) {
  const size_t index = static_cast<size_t>(code);
  return index < kCodes.size() ? kCodes[index] : kCodes[2];
}

struct Metrics::Families {
  explicit Families(const std::shared_ptr<prometheus::Registry>& r) : registry(r) {}
  Counter& NewCounter(const char* name, const char* help) {
    return BuildCounter().Name(name).Help(help).Register(*registry).Add({});
  }
  Gauge& NewGauge(const char* name, const char* help) {
    return BuildGauge().Name(name).Help(help).Register(*registry).Add({});
  }
  void AddMethod(absl::string_view service, const MethodName& method);
  MethodMetrics& Of(absl::string_view method) {
    auto found = methods.find(std::string(method));
    return found == methods.end() ? methods.at("other") : found->second;
  }

  std::shared_ptr<prometheus::Registry> registry;

  Family<Counter>& started = BuildCounter()
                                 .Name("grpc_server_started_total")
                                 .Help("Calls that reached the service.")
                                 .Register(*registry);
  Family<Counter>& handled = BuildCounter()
                                 .Name("grpc_server_handled_total")
                                 .Help("Calls that ended, by status code.")
                                 .Register(*registry);
  Family<Histogram>& handling = BuildHistogram()
                                    .Name("grpc_server_handling_seconds")
                                    .Help("Time from a call's arrival to its status.")
                                    .Register(*registry);
  Family<Gauge>& in_flight = BuildGauge()
                                 .Name("steer_requests_in_flight")
                                 .Help("Calls that have not ended.")
                                 .Register(*registry);
  Family<Gauge>& model_info =
      BuildGauge().Name("steer_model_info").Help("The loaded model; always 1.").Register(*registry);
  Family<Counter>& nonfinite = BuildCounter()
                                   .Name("steer_nonfinite_total")
                                   .Help("Values that were not finite, by place.")
                                   .Register(*registry);
  std::map<std::string, MethodMetrics> methods;  // fixed after construction

  std::array<Counter*, kRejections.size()> rejections = {};
  std::array<Counter*, 3> auth_failures = {};
  std::array<Counter*, 2> tls_reloads = {};
  std::array<Counter*, 2> audit_records = {};
  std::array<Counter*, kRowKinds.size()> rows = {};
  std::array<Counter*, kStepKinds.size()> steps = {};
  std::array<Counter*, kStepKinds.size()> step_rows = {};
  std::array<Counter*, kStepKinds.size()> step_tokens = {};
  std::array<Counter*, kStepKinds.size()> step_shape = {};
  std::array<Histogram*, kStepKinds.size()> step_seconds = {};
  Counter* outcomes[2][3] = {};  // [refused][ok, degenerate, not judged]
  Counter& prompt_tokens = NewCounter("steer_prompt_tokens_total", "Prompt tokens of ended rows.");
  Counter& generated_tokens =
      NewCounter("steer_generated_tokens_total", "Tokens generated by ended rows.");
  Counter& edits =
      NewCounter("steer_edits_total", "Edits applied: pairs of token and site, of ended rows.");
  Gauge& rows_waiting = NewGauge("steer_rows_waiting", "Rows admitted and not yet in a step.");
  Gauge& rows_running = NewGauge("steer_rows_running", "Rows that hold a slot of the model.");
  Gauge& kv_tokens = NewGauge("steer_kv_tokens_used", "Tokens of the KV arena in use.");
  Gauge& ready = NewGauge("steer_ready", "1 while the server takes new work.");
  Gauge& heartbeat = NewGauge("steer_engine_heartbeat_timestamp_seconds",
                              "When the engine thread last finished a step or was idle.");
  absl::Mutex model_mutex;
  Gauge* model ABSL_GUARDED_BY(model_mutex) = nullptr;
};

void Metrics::Families::AddMethod(absl::string_view service, const MethodName& method) {
  const std::string name(method.name);
  const Labels labels = {{"grpc_type", KindLabel(method.kind)},
                         {"grpc_service", std::string(service)},
                         {"grpc_method", name}};
  MethodMetrics m;
  m.started = &started.Add(labels);
  for (size_t i = 0; i < kCodes.size(); ++i) {
    Labels coded = labels;
    coded.emplace("grpc_code", std::string(kCodes[i]));
    m.handled[i] = &handled.Add(coded);
  }
  m.seconds = &handling.Add(labels, kCallSeconds);
  m.in_flight = &in_flight.Add({{"method", name}});
  methods[name] = m;
}

Metrics::Metrics(absl::string_view service, absl::Span<const MethodName> methods,
                 absl::string_view version)
    : families_(std::make_unique<Families>(std::make_shared<prometheus::Registry>())) {
  Families& f = *families_;
  for (const MethodName& method : methods) f.AddMethod(service, method);
  f.AddMethod(service, {"other", CallKind::kUnary});
  auto counters = [&](const char* name, const char* help, const char* label, auto& values,
                      auto* out) {
    Family<Counter>& family = BuildCounter().Name(name).Help(help).Register(*f.registry);
    for (size_t i = 0; i < values.size(); ++i) (*out)[i] = &family.Add({{label, values[i]}});
  };
  counters("steer_admission_rejections_total", "Calls turned away before any work.", "reason",
           kRejections, &f.rejections);
  const std::array<const char*, 3> failures = {"missing", "unknown", "role"};
  counters("steer_authentication_failures_total", "Calls turned away for their credentials.",
           "reason", failures, &f.auth_failures);
  const std::array<const char*, 2> reloads = {"failed", "ok"};
  counters("steer_tls_reloads_total", "Changes of the TLS files seen.", "result", reloads,
           &f.tls_reloads);
  const std::array<const char*, 2> records = {"failed", "written"};
  counters("steer_audit_records_total", "Lines of the audit log.", "result", records,
           &f.audit_records);
  counters("steer_rows_total", "Rows that ended well.", "kind", kRowKinds, &f.rows);
  counters("steer_steps_total", "Forward passes.", "kind", kStepKinds, &f.steps);
  counters("steer_step_rows_total", "Rows that took part, summed over steps.", "kind", kStepKinds,
           &f.step_rows);
  counters("steer_step_tokens_total", "Tokens that rows used, summed over steps.", "kind",
           kStepKinds, &f.step_tokens);
  counters("steer_step_shape_tokens_total",
           "Tokens computed, padding included, summed over steps; used / computed is the fill.",
           "kind", kStepKinds, &f.step_shape);
  Family<Histogram>& seconds = BuildHistogram()
                                   .Name("steer_step_seconds")
                                   .Help("Time of one forward pass.")
                                   .Register(*f.registry);
  for (size_t i = 0; i < kStepKinds.size(); ++i) {
    f.step_seconds[i] = &seconds.Add({{"kind", kStepKinds[i]}}, kStepSeconds);
  }
  Family<Counter>& outcomes = BuildCounter()
                                  .Name("steer_outcomes_total")
                                  .Help("Outcomes of Evaluate rows.")
                                  .Register(*f.registry);
  const char* const refused[] = {"no", "yes"};
  const char* const quality[] = {"ok", "degenerate", "not_judged"};
  for (int r = 0; r < 2; ++r) {
    for (int q = 0; q < 3; ++q) {
      f.outcomes[r][q] = &outcomes.Add({{"refused", refused[r]}, {"quality", quality[q]}});
    }
  }
  for (const char* where : {"states", "logits", "direction", "scores"}) {
    f.nonfinite.Add({{"where", where}});
  }
  BuildGauge()
      .Name("steer_build_info")
      .Help("This build; always 1.")
      .Register(*f.registry)
      .Add({{"version", std::string(version)}})
      .Set(1);
}

Metrics::~Metrics() = default;

void Metrics::AuthenticationFailed(AuthenticationFailure why) {
  families_->auth_failures[static_cast<size_t>(why)]->Increment();
}

void Metrics::TlsReloaded(bool ok) { families_->tls_reloads[ok ? 1 : 0]->Increment(); }

void Metrics::AuditRecord(bool written) {
  families_->audit_records[written ? 1 : 0]->Increment();
}

void Metrics::CallStarted(absl::string_view method) {
  MethodMetrics& m = families_->Of(method);
  m.started->Increment();
  m.in_flight->Increment();
}

void Metrics::CallHandled(absl::string_view method, absl::StatusCode code, absl::Duration took) {
  MethodMetrics& m = families_->Of(method);
  const size_t index = static_cast<size_t>(code);
  m.handled[index < kCodes.size() ? index : 2]->Increment();
  m.seconds->Observe(absl::ToDoubleSeconds(took));
  m.in_flight->Decrement();
}

void Metrics::Rejected(Rejection reason) {
  families_->rejections[static_cast<size_t>(reason)]->Increment();
}

void Metrics::SetModel(absl::string_view name, absl::string_view family, absl::string_view device,
                       absl::string_view dtype, absl::string_view model_fingerprint) {
  absl::MutexLock lock(&families_->model_mutex);
  if (families_->model != nullptr) families_->model_info.Remove(families_->model);
  families_->model = &families_->model_info.Add({{"model", std::string(name)},
                                                 {"family", std::string(family)},
                                                 {"device", std::string(device)},
                                                 {"dtype", std::string(dtype)},
                                                 {"fingerprint", std::string(model_fingerprint)}});
  families_->model->Set(1);
}

void Metrics::SetReady(bool ready) { families_->ready.Set(ready ? 1 : 0); }

void Metrics::SetHeartbeat(absl::Time last) {
  families_->heartbeat.Set(absl::ToDoubleSeconds(last - absl::UnixEpoch()));
}

void Metrics::OnStep(StepKind kind, int64_t rows, int64_t tokens, int64_t shape,
                     absl::Duration took) {
  const size_t k = static_cast<size_t>(kind);
  families_->steps[k]->Increment();
  families_->step_rows[k]->Increment(static_cast<double>(rows));
  families_->step_tokens[k]->Increment(static_cast<double>(tokens));
  families_->step_shape[k]->Increment(static_cast<double>(shape));
  families_->step_seconds[k]->Observe(absl::ToDoubleSeconds(took));
}

void Metrics::OnRow(RowKind kind, int64_t prompt_tokens, int64_t generated_tokens, int64_t edits) {
  families_->rows[static_cast<size_t>(kind)]->Increment();
  families_->prompt_tokens.Increment(static_cast<double>(prompt_tokens));
  families_->generated_tokens.Increment(static_cast<double>(generated_tokens));
  families_->edits.Increment(static_cast<double>(edits));
}

void Metrics::OnOutcome(bool refused, bool quality_judged, bool degenerate) {
  families_->outcomes[refused ? 1 : 0][!quality_judged ? 2 : degenerate ? 1 : 0]->Increment();
}

void Metrics::OnLoad(int64_t rows_waiting, int64_t rows_running, int64_t kv_tokens_used) {
  families_->rows_waiting.Set(static_cast<double>(rows_waiting));
  families_->rows_running.Set(static_cast<double>(rows_running));
  families_->kv_tokens.Set(static_cast<double>(kv_tokens_used));
}

void Metrics::OnNonFinite(absl::string_view where) {
  // The engine names the reason of the error, NON_FINITE_LOGITS; labels are plain words.
  absl::ConsumePrefix(&where, "NON_FINITE_");
  families_->nonfinite.Add({{"where", absl::AsciiStrToLower(where)}}).Increment();
}

const std::shared_ptr<prometheus::Registry>& Metrics::registry() const {
  return families_->registry;
}

std::string Metrics::Text() const {
  return prometheus::TextSerializer().Serialize(families_->registry->Collect());
}

}  // namespace steer
