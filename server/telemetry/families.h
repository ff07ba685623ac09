// The families behind Metrics, by subject. Private to telemetry/.
#ifndef STEER_SERVER_TELEMETRY_FAMILIES_H_
#define STEER_SERVER_TELEMETRY_FAMILIES_H_

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "prometheus/counter.h"
#include "prometheus/gauge.h"
#include "prometheus/histogram.h"
#include "prometheus/registry.h"
#include "server/telemetry/metrics.h"

namespace steer {

using prometheus::Counter;
using prometheus::Gauge;
using prometheus::Histogram;
using prometheus::Labels;
using Buckets = Histogram::BucketBoundaries;

inline constexpr size_t kStatusCodes = 17;

// Declares metrics. A family that was declared before gets another series.
class Declare {
 public:
  explicit Declare(prometheus::Registry* registry) : registry_(registry) {}

  Counter& Count(const char* name, const char* help, const Labels& labels = {}) const {
    return prometheus::BuildCounter().Name(name).Help(help).Register(*registry_).Add(labels);
  }
  Gauge& Level(const char* name, const char* help, const Labels& labels = {}) const {
    return prometheus::BuildGauge().Name(name).Help(help).Register(*registry_).Add(labels);
  }
  Histogram& Spread(const char* name, const char* help, const Buckets& buckets,
                    const Labels& labels = {}) const {
    return prometheus::BuildHistogram()
        .Name(name)
        .Help(help)
        .Register(*registry_)
        .Add(labels, buckets);
  }
  // One series a word.
  template <size_t N>
  std::array<Counter*, N> Counts(const char* name, const char* help, const char* label,
                                 const std::array<const char*, N>& words) const {
    std::array<Counter*, N> out = {};
    for (size_t i = 0; i < N; ++i) out[i] = &Count(name, help, {{label, words[i]}});
    return out;
  }
  template <size_t N>
  std::array<Gauge*, N> Levels(const char* name, const char* help, const char* label,
                               const std::array<const char*, N>& words) const {
    std::array<Gauge*, N> out = {};
    for (size_t i = 0; i < N; ++i) out[i] = &Level(name, help, {{label, words[i]}});
    return out;
  }
  template <size_t N>
  std::array<Histogram*, N> Spreads(const char* name, const char* help, const Buckets& buckets,
                                    const char* label,
                                    const std::array<const char*, N>& words) const {
    std::array<Histogram*, N> out = {};
    for (size_t i = 0; i < N; ++i) out[i] = &Spread(name, help, buckets, {{label, words[i]}});
    return out;
  }
  prometheus::Registry* registry() const { return registry_; }

 private:
  prometheus::Registry* const registry_;
};

// A clock that was set back must not take from a sum.
inline void ObserveSeconds(Histogram* histogram, absl::Duration d) {
  histogram->Observe(std::max(0.0, absl::ToDoubleSeconds(d)));
}

template <size_t N>
using Counters = std::array<Counter*, N>;
template <size_t N>
using Gauges = std::array<Gauge*, N>;
template <size_t N>
using Histograms = std::array<Histogram*, N>;

struct MethodMetrics {
  Counter* started = nullptr;
  Counters<kStatusCodes> handled = {};
  Histogram* seconds = nullptr;
  Gauge* in_flight = nullptr;
};

struct RpcFamilies {
  RpcFamilies(const Declare& declare, absl::string_view service,
              absl::Span<const MethodName> methods);
  MethodMetrics& Of(absl::string_view method);

  std::map<std::string, MethodMetrics> methods;  // fixed after construction
  Counters<9> rejections;
  Counters<3> authentication_failures;
  Counters<2> tls_reloads, audit_records;
  Counters<5> refused_interventions;
  std::map<std::string, Counter*> replays;  // fixed after construction
  Gauges<3> queued_calls;
  Gauge *queued_tokens, *queued_bytes;
  Gauge *queue_calls_capacity, *queue_tokens_capacity, *queue_bytes_capacity;
};

struct EngineFamilies {
  explicit EngineFamilies(const Declare& declare);

  // By StepKind.
  Counters<2> steps, step_rows, step_tokens, step_shape;
  Histograms<2> step_seconds, rows_per_step, interventions_per_step;
  // By RowKind.
  Counters<4> rows;
  Counter* row_finish[4][8];  // by RowKind and RowFinish
  Counter *prompt_tokens, *generated_tokens;
  Gauge *rows_waiting, *rows_running, *kv_tokens;
  Histograms<3> queue_wait;  // FitDirection, Evaluate, Generate
  // By ArmKind.
  Histograms<5> first_token, inter_token, row_prefill, row_decode;
  // By InterventionClass, see IndexOf; null where there is nothing to count for it.
  Counters<kInterventionClasses> edited_rows = {}, edited_sites = {}, edits = {};
  Histograms<kInterventionClasses> dose = {}, kl = {};
  Counter* outcomes[kInterventionClasses][2][3];  // [refused][ok, degenerate, not judged]
  Histogram* residual;
  Counters<3> fits;          // by FitOutcome
  Histograms<5> fit_phases;  // by FitPhase
  Counters<2> canaries;      // failed, ok
  Counter *out_of_memory, *halvings, *device_errors;
  std::map<std::string, Counter*> nonfinite;  // by place; fixed after construction
};

struct StateFamilies {
  StateFamilies(const Declare& declare, const BuildWords& build);

  Gauge *ready, *draining, *heartbeat, *clock, *load_seconds;
  Gauges<4> memory;  // weights, kv_arena, work, limit
  Gauge* kv_capacity;
  Gauge *directions, *store_bytes;
  prometheus::Family<Gauge>& store_free;
  prometheus::Family<Gauge>& model_info;
  absl::Mutex mutex;
  Gauge* model ABSL_GUARDED_BY(mutex) = nullptr;
};

struct Metrics::Families {
  Families(absl::string_view service, absl::Span<const MethodName> methods, const BuildWords& build)
      : rpc(Declare(registry.get()), service, methods),
        engine(Declare(registry.get())),
        state(Declare(registry.get()), build) {}
  const std::shared_ptr<prometheus::Registry> registry = std::make_shared<prometheus::Registry>();
  RpcFamilies rpc;
  EngineFamilies engine;
  StateFamilies state;
};

}  // namespace steer

#endif  // STEER_SERVER_TELEMETRY_FAMILIES_H_
