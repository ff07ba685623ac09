// steerd-serve: the server, which steerd becomes (steerd.cc). Start order: signals, logs, the model's folder, metrics, socket (health NOT_SERVING), store, model, serving.
// Stop order: health off, drain, server, engine, metrics. Exit codes: 0 after a drain, 64 for a mistake on the
// command line, 1 for a start that failed, 70 for a device that failed for good or a step that never ended, 128 + n for a second signal.
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/clock.h"
#include "common/core_dumps.h"
#include "common/errors.h"
#include "common/files.h"
#include "common/metrics/metrics_server.h"
#include "common/net_address.h"
#include "common/openssl_at_exit.h"
#include "common/status_macros.h"
#include "prometheus/registry.h"
#include "server/build_words.h"
#include "server/engine/cuda_runtime.h"
#include "server/engine/engine.h"
#include "server/flags.h"
#include "server/process.h"
#include "server/rpc/rpc_server.h"
#include "server/rpc/service.h"
#include "server/telemetry/audit_log.h"
#include "server/telemetry/gpu_metrics.h"
#include "server/telemetry/metrics.h"
#include "server/weights/hub_cache.h"
#include "server/weights/model_location.h"
#include "spdlog/sinks/stdout_color_sinks.h"
#include "spdlog/spdlog.h"

namespace steer {
namespace {

absl::Status LoadDevice(const SteerdFlags& flags) {
  if (flags.engine.device != "cuda") return absl::OkStatus();
  STEER_ASSIGN_OR_RETURN(const std::string device, LoadCudaRuntime(flags.cuda_plugin));
  spdlog::info("CUDA device: {}", device);
  return absl::OkStatus();
}

// Metrics of the card, where there is one and its driver tells.
void WatchDevice(const SteerdFlags& flags, MetricsServer* server) {
  if (flags.engine.device != "cuda" || server == nullptr) return;
  absl::StatusOr<std::shared_ptr<GpuMetrics>> gpu =
      GpuMetrics::Open("libnvidia-ml.so.1", CudaBusId(), CudaAllocatorBytes);
  if (gpu.ok()) return server->Add(*gpu);
  spdlog::warn("{}", std::string(gpu.status().message()));
}

constexpr int kDeviceFailedExit = 70;  // EX_SOFTWARE of sysexits.h
// How long calls have to be told so.
constexpr absl::Duration kLastWords = absl::Seconds(2);

// How long the end of calls, listener and engine may take once a drain is over.
constexpr absl::Duration kShutdownTime = absl::Seconds(10);

// A step that never returns would hold up all that waits for the engine's thread. After as long as makes a server unready, counted from
// the last step, the process ends without it.
void EndIfStuck(const SteerdFlags& flags, const Engine& engine) {
  const absl::Time beat = engine.last_heartbeat();
  const absl::Time end = std::max(absl::Now(), beat + std::max(flags.rpc.stale_heartbeat,
                                                               20 * engine.slowest_step())) +
                         kShutdownTime;
  std::thread([beat, end] {
    absl::SleepFor(end - absl::Now());
    spdlog::critical("no step has ended for {} s: ending without it",
                     absl::ToInt64Seconds(absl::Now() - beat));
    spdlog::default_logger()->flush();
    _exit(kDeviceFailedExit);
  }).detach();
}

absl::StatusOr<std::unique_ptr<Engine>> LoadModel(const SteerdFlags& flags,
                                                  const ModelLocation& location,
                                                  DirectionStore* store, Metrics* metrics,
                                                  SignalWatch* signals) {
  EngineOptions options = flags.engine;
  options.device_memory = CudaDeviceMemory();
  options.on_fatal = [signals](const absl::Status& status) {
    spdlog::critical("the device has failed and lasts so until the process ends: {}",
                     std::string(status.message()));
    signals->Interrupt();
  };
  options.model_folder = location.folder;
  if (options.model_name.empty()) options.model_name = location.name;
  auto engine = Engine::Create(options, store, metrics);
  if (!engine.ok()) return ExplainMissing(location, engine.status());
  return engine;
}

absl::Status Serve(const SteerdFlags& flags, SignalWatch* signals) {
  // First: what people mistype most ends before anything is made or bound.
  STEER_RETURN_IF_ERROR(CheckPortFile(flags.port_file));
  STEER_ASSIGN_OR_RETURN(const ModelLocation location,
                         LocateModel(flags.model, flags.revision, HubCacheFolder()));
  const BuildWords build = ThisBuild();
  Metrics metrics(kServiceName, ServiceMethods(), build);
  std::unique_ptr<MetricsServer> metrics_server;
  if (!flags.metrics_listen.empty()) {
    STEER_ASSIGN_OR_RETURN(
        metrics_server,
        MetricsServer::Start(flags.metrics_listen, flags.metrics_insecure, metrics.registry()));
    if (!IsLoopback(flags.metrics_listen)) {
      spdlog::warn("metrics on {} can be read by everyone who reaches it", flags.metrics_listen);
    }
  }
  std::unique_ptr<AuditLog> audit;
  if (!flags.audit_log.empty()) {
    STEER_ASSIGN_OR_RETURN(audit, AuditLog::Open(flags.audit_log, [&metrics](bool written) {
                             metrics.AuditRecord(written);
                           }));
    spdlog::info("audit log {}: head {}", flags.audit_log, audit->head());
  }
  STEER_RETURN_IF_ERROR(Annotate(MakeFolders(flags.store), "--store"));
  std::vector<std::string> warnings;
  STEER_ASSIGN_OR_RETURN(const std::unique_ptr<DirectionStore> store,
                         DirectionStore::Open(flags.store, &warnings));
  for (const std::string& warning : warnings) spdlog::warn("direction store: {}", warning);
  store->set_max_sets(flags.rpc.service.max_directions);
  // With the commit, as build metadata of semantic versioning has it: clients keep it with results.
  auto rpc = flags.rpc;
  rpc.service.version = build.version + "+" + build.commit;
  // Declared before the server, and so destroyed after it: calls hold it until they end.
  std::unique_ptr<Engine> engine;
  STEER_ASSIGN_OR_RETURN(const std::unique_ptr<RpcServer> server,
                         RpcServer::Start(rpc, &metrics, audit.get()));

  spdlog::info("loading {}{} from {} on {}", location.name,
               location.revision.empty() ? "" : " (revision " + location.revision + ")",
               location.folder, flags.engine.device);
  // Before any other use of torch: its CUDA hooks latch at first use.
  STEER_RETURN_IF_ERROR(LoadDevice(flags));
  const absl::Time load_start = absl::Now();
  STEER_ASSIGN_OR_RETURN(engine, LoadModel(flags, location, store.get(), &metrics, signals));
  WatchDevice(flags, metrics_server.get());
  const ModelFacts& facts = engine->facts();
  metrics.SetModel(facts.name, facts.family, facts.device, facts.dtype, facts.model_fingerprint);
  metrics.SetModelLoad(absl::Now() - load_start);
  metrics.SetMemory(
      {facts.weights_bytes, facts.kv_arena_bytes, facts.work_bytes, facts.memory_limit_bytes},
      engine->options().kv_tokens);
  signals->Arm();
  server->Serve(engine.get());
  const int metrics_port = metrics_server == nullptr ? 0 : metrics_server->port();
  spdlog::info("serving {} ({}, {} layers, {} on {}) at {} (port {}), metrics port {}", facts.name,
               facts.family, facts.layers, facts.dtype, facts.device, flags.rpc.listen.address,
               server->port(), metrics_port);
  if (!flags.port_file.empty()) {
    STEER_RETURN_IF_ERROR(WritePortFile(flags.port_file, server->port(), metrics_port));
  }

  const int number = signals->Wait();
  if (number == 0) {
    server->Drain(kLastWords);
    spdlog::default_logger()->flush();
    // Not by way of destructors: those of a lost device's memory may hang or throw.
    _exit(kDeviceFailedExit);
  }
  spdlog::info("signal {}: draining for at most {} s", number, absl::ToInt64Seconds(flags.drain));
  if (!server->Drain(flags.drain)) spdlog::warn("calls were cancelled at the end of the drain");
  EndIfStuck(flags, *engine);
  server->Shutdown();
  engine.reset();
  if (audit != nullptr) spdlog::info("audit log {}: head {}", flags.audit_log, audit->head());
  spdlog::info("stopped");
  return absl::OkStatus();
}

}  // namespace
}  // namespace steer

int main(int argc, char** argv) {
  steer::EnsurePassiveOpenMp(argv);
  steer::ForbidCoreDumps();  // after the program has started itself anew through /proc
  steer::KeepOpenSslAtExit();
  prctl(PR_SET_NAME, "steerd");  // what people look for
  const steer::ParsedFlags parsed = steer::ParseFlags(argc, argv);
  if (parsed.exit_code) return *parsed.exit_code;
  // Leaked: its thread waits for signals until the process is gone.
  auto* signals = new steer::SignalWatch;
  spdlog::set_default_logger(spdlog::stderr_color_mt("steerd"));
  const absl::Status status = steer::Serve(parsed.flags, signals);
  if (status.ok()) return 0;
  std::fprintf(stderr, "steerd: %s\n", std::string(status.message()).c_str());
  return 1;
}
