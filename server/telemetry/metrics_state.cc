// The process, its model and its store.
#include "server/telemetry/families.h"

namespace steer {

StateFamilies::StateFamilies(const Declare& declare, const BuildWords& build)
    : store_free(prometheus::BuildGauge()
                     .Name("steer_store_free_bytes")
                     .Help("Bytes free on the direction store's file system.")
                     .Register(*declare.registry())),
      model_info(prometheus::BuildGauge()
                     .Name("steer_model_info")
                     .Help("The loaded model; always 1.")
                     .Register(*declare.registry())) {
  ready = &declare.Level("steer_ready", "1 while the server takes new work.");
  draining = &declare.Level("steer_draining", "1 from the signal to stop on.");
  heartbeat = &declare.Level("steer_engine_heartbeat_timestamp_seconds",
                             "When the engine thread last finished a step or was idle.");
  clock = &declare.Level("steer_clock_timestamp_seconds",
                         "This machine's clock, at most a second ago.");
  load_seconds = &declare.Level("steer_model_load_seconds",
                                "Time from the start of loading to the canary row's end.");
  memory = declare.Levels(
      "steer_memory_bytes", "Memory by the plan made before loading; limit 0 where none is known.",
      "kind", std::array<const char*, 4>{"weights", "kv_arena", "work", "limit"});
  kv_capacity = &declare.Level("steer_kv_tokens_capacity", "Tokens that the KV arena holds.");
  directions = &declare.Level("steer_directions", "Direction sets in the store.");
  store_bytes = &declare.Level("steer_direction_store_bytes", "Bytes of the stored sets' files.");
  declare
      .Level("steer_build_info", "This build; always 1.",
             {{"version", build.version},
              {"commit", build.commit},
              {"libtorch", build.libtorch},
              {"cuda", build.cuda}})
      .Set(1);
}

void Metrics::SetModel(absl::string_view name, absl::string_view family, absl::string_view device,
                       absl::string_view dtype, absl::string_view model_fingerprint) {
  StateFamilies& f = families_->state;
  absl::MutexLock lock(&f.mutex);
  if (f.model != nullptr) f.model_info.Remove(f.model);
  f.model = &f.model_info.Add({{"model", std::string(name)},
                               {"family", std::string(family)},
                               {"device", std::string(device)},
                               {"dtype", std::string(dtype)},
                               {"fingerprint", std::string(model_fingerprint)}});
  f.model->Set(1);
}

void Metrics::SetModelLoad(absl::Duration took) {
  families_->state.load_seconds->Set(absl::ToDoubleSeconds(took));
}

void Metrics::SetMemory(const MemoryGauges& memory, int64_t kv_tokens) {
  StateFamilies& f = families_->state;
  const int64_t bytes[] = {memory.weights, memory.kv_arena, memory.work, memory.limit};
  for (size_t i = 0; i < f.memory.size(); ++i) f.memory[i]->Set(static_cast<double>(bytes[i]));
  f.kv_capacity->Set(static_cast<double>(kv_tokens));
}

void Metrics::SetStore(const StoreGauges& store) {
  StateFamilies& f = families_->state;
  f.directions->Set(static_cast<double>(store.directions));
  f.store_bytes->Set(static_cast<double>(store.bytes));
  // What is not known is absent: a 0 would look like a full disk.
  if (store.free_bytes >= 0) f.store_free.Add({}).Set(static_cast<double>(store.free_bytes));
}

void Metrics::SetReady(bool ready) { families_->state.ready->Set(ready ? 1 : 0); }

void Metrics::SetDraining(bool draining) { families_->state.draining->Set(draining ? 1 : 0); }

void Metrics::SetHeartbeat(absl::Time last) {
  families_->state.heartbeat->Set(absl::ToDoubleSeconds(last - absl::UnixEpoch()));
}

void Metrics::SetClock(absl::Time now) {
  families_->state.clock->Set(absl::ToDoubleSeconds(now - absl::UnixEpoch()));
}

}  // namespace steer
