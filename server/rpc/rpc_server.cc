#include "server/rpc/rpc_server.h"

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "common/errors.h"
#include "common/status_macros.h"
#include "grpcpp/ext/proto_server_reflection_plugin.h"
#include "grpcpp/health_check_service_interface.h"
#include "grpcpp/impl/server_builder_option.h"
#include "grpcpp/impl/server_builder_plugin.h"
#include "grpcpp/server.h"
#include "grpcpp/server_builder.h"
#include "server/rpc/listen_check.h"
#include "server/rpc/replays.h"
#include "server/rpc/service.h"
#include "spdlog/spdlog.h"

namespace steer {
namespace {

// How long cancelled calls have to end before their connections are closed.
constexpr absl::Duration kCancelGrace = absl::Seconds(5);

// Linking the reflection library switches it on for every server of the process; this takes it out.
class WithoutReflection final : public grpc::ServerBuilderOption {
 public:
  void UpdateArguments(grpc::ChannelArguments*) override {}
  void UpdatePlugins(std::vector<std::unique_ptr<grpc::ServerBuilderPlugin>>* plugins) override {
    plugins->erase(std::remove_if(plugins->begin(), plugins->end(),
                                  [](const auto& plugin) {
                                    return plugin->name() == "proto_server_reflection";
                                  }),
                   plugins->end());
  }
};

void SetBuilderOptions(const RpcServerOptions& options, grpc::ServerBuilder* builder) {
  const int64_t max_request = options.service.max_request_bytes;
  // Above our own limit, so that a request somewhat too large gets our refusal, which says what to
  // do, rather than gRPC's RESOURCE_EXHAUSTED, which a client would take for a full server.
  builder->SetMaxReceiveMessageSize(
      static_cast<int>(std::min<int64_t>(2 * max_request, INT32_MAX)));
  builder->SetMaxSendMessageSize(-1);
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 60000);
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 20000);
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder->AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 10000);
  // Streams beyond the limit wait in the client without a word; ours must be refused by admission.
  builder->AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS,
                              options.service.max_concurrent_calls + 64);
  const auto milliseconds = [](absl::Duration d) {
    return static_cast<int>(std::min<int64_t>(absl::ToInt64Milliseconds(d), INT32_MAX));
  };
  if (options.max_connection_age > absl::ZeroDuration()) {
    builder->AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_MS,
                                milliseconds(options.max_connection_age));
    // No accepted call is cut: it has as long as the longest call may take.
    builder->AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS,
                                milliseconds(options.service.max_call + options.service.linger));
  }
  if (options.max_connection_idle > absl::ZeroDuration()) {
    builder->AddChannelArgument(GRPC_ARG_MAX_CONNECTION_IDLE_MS,
                                milliseconds(options.max_connection_idle));
  }
  builder->AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, 16 * 1024);
  if (!options.reflection) builder->SetOption(std::make_unique<WithoutReflection>());
  // Two servers on one port would each get some of the connections.
  builder->AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
}

}  // namespace

RpcServer::RpcServer(RpcServerOptions options, Metrics* metrics, AuditLog* audit)
    : options_(std::move(options)), state_(options_.service, metrics, audit) {}

absl::StatusOr<std::unique_ptr<RpcServer>> RpcServer::Start(RpcServerOptions options,
                                                            Metrics* metrics, AuditLog* audit) {
  STEER_RETURN_IF_ERROR(CheckListen(options.listen));
  if (options.reflection && !options.listen.tokens_file.empty()) {
    return MakeError(
        absl::StatusCode::kInvalidArgument, "BAD_FLAG",
        "--reflection: cannot be asked for a token; leave it out beside --tokens-file");
  }
  STEER_RETURN_IF_ERROR(CheckCanListen(options.listen.address));
  // Process-wide switches of gRPC, read by BuildAndStart.
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  std::unique_ptr<RpcServer> server(new RpcServer(std::move(options), metrics, audit));
  const ListenOptions& listen = server->options_.listen;
  STEER_ASSIGN_OR_RETURN(server->tls_,
                         OpenTlsFiles(listen, [metrics](bool ok) { metrics->TlsReloaded(ok); }));
  if (!listen.tokens_file.empty()) {
    STEER_ASSIGN_OR_RETURN(server->state_.tokens, TokensFile::Open(listen.tokens_file));
  }
  server->credentials_ = server->tls_ == nullptr ? grpc::InsecureServerCredentials()
                                                 : ReloadingCredentials(server->tls_);
  server->service_ = std::make_unique<SteerServiceImpl>(&server->state_);
  grpc::ServerBuilder builder;
  SetBuilderOptions(server->options_, &builder);
  builder.AddListeningPort(listen.address, server->credentials_, &server->port_);
  builder.RegisterService(server->service_.get());
  server->server_ = builder.BuildAndStart();
  // For a Unix socket gRPC reports port 1.
  const bool unix_socket = server->options_.listen.address.rfind("unix", 0) == 0;
  if (server->server_ == nullptr) {
    return MakeError(absl::StatusCode::kUnavailable, "ADDRESS_UNAVAILABLE",
                     absl::StrCat("--listen: cannot listen on '", server->options_.listen.address,
                                  "': another program was faster, or a TLS file is damaged"));
  }
  if (unix_socket) server->port_ = 0;
  // gRPC's health service starts as SERVING.
  grpc::HealthCheckServiceInterface* health = server->server_->GetHealthCheckService();
  health->SetServingStatus("", false);
  health->SetServingStatus(kServiceName, false);
  server->watch_ = std::thread([s = server.get()] { s->Watch(); });
  return server;
}

RpcServer::~RpcServer() { Shutdown(); }

void RpcServer::Serve(Engine* engine) {
  state_.engine.store(engine, std::memory_order_release);
  state_.calls.Open();
  absl::MutexLock lock(&mutex_);
  if (phase_ == Phase::kLoading) phase_ = Phase::kServing;
  UpdateHealth();
}

void RpcServer::UpdateHealth() {
  if (server_ == nullptr) return;
  bool healthy = phase_ == Phase::kServing;
  if (Engine* engine = state_.engine.load(std::memory_order_acquire); engine != nullptr) {
    const absl::Time beat = engine->last_heartbeat();
    state_.metrics->SetHeartbeat(beat);
    const absl::Duration limit = std::max(options_.stale_heartbeat, 20 * engine->slowest_step());
    const bool stale = absl::Now() - beat > limit;
    const absl::Status sound = engine->health();
    if (healthy && healthy_ && stale) {
      spdlog::error("the engine has not finished a step for {} s: not serving",
                    absl::ToInt64Seconds(absl::Now() - beat));
    }
    if (healthy && healthy_ && !sound.ok()) {
      spdlog::error("{}: not serving", std::string(sound.message()));
    }
    healthy = healthy && !stale && sound.ok();
  }
  state_.metrics->SetReady(healthy);
  if (healthy == healthy_) return;
  healthy_ = healthy;
  grpc::HealthCheckServiceInterface* health = server_->GetHealthCheckService();
  health->SetServingStatus("", healthy);
  health->SetServingStatus(kServiceName, healthy);
}

void RpcServer::UpdateGauges() {
  state_.metrics->SetClock(absl::Now());
  const QueueLoad load = state_.calls.load();
  const auto waiting = [&](Lane lane) { return int64_t{load.waiting[static_cast<int>(lane)]}; };
  state_.metrics->SetQueue({waiting(Lane::kFit), waiting(Lane::kEvaluate), waiting(Lane::kOther),
                            load.tokens, load.bytes});
  if (Engine* engine = state_.engine.load(std::memory_order_acquire); engine != nullptr) {
    const StoreUsage store = engine->store().usage();
    state_.metrics->SetStore({store.sets, store.bytes, store.free_bytes});
  }
}

void RpcServer::Watch() {
  absl::MutexLock lock(&mutex_);
  const auto stopped = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return phase_ == Phase::kStopped;
  };
  while (!mutex_.AwaitWithTimeout(absl::Condition(&stopped), options_.watch_period)) {
    UpdateHealth();
    mutex_.Unlock();
    UpdateGauges();
    state_.calls.Expire(absl::Now());
    if (tls_ != nullptr) tls_->Poll();
    if (state_.tokens != nullptr) state_.tokens->Poll();
    state_.replays->fits.Expire();
    state_.replays->evaluations.Expire();
    mutex_.Lock();
  }
}

bool RpcServer::Drain(absl::Duration limit) {
  {
    absl::MutexLock lock(&mutex_);
    if (phase_ != Phase::kStopped) phase_ = Phase::kDraining;
    state_.metrics->SetDraining(true);
    UpdateHealth();
  }
  state_.calls.BeginDrain();
  const absl::Time open_until = absl::Now() + std::min(options_.drain_window, limit);
  if (state_.calls.AwaitEmpty(limit)) {
    absl::SleepFor(open_until - absl::Now());
    return true;
  }
  state_.calls.CancelAll(
      WithRetryDelay(MakeError(absl::StatusCode::kUnavailable, "DRAINING",
                               "the server is shutting down and the call did not end in time"),
                     absl::Seconds(5)));
  state_.calls.AwaitEmpty(kCancelGrace);
  return false;
}

void RpcServer::Shutdown() {
  if (server_ == nullptr) return;
  state_.calls.BeginDrain();
  // The deadline closes the connections of whoever is left; Shutdown itself returns only when every
  // call has ended, so they are cancelled as well.
  state_.calls.CancelAll(
      MakeError(absl::StatusCode::kUnavailable, "DRAINING", "the server is shutting down"));
  server_->Shutdown(absl::ToChronoTime(absl::Now() + kCancelGrace));
  server_->Wait();
  {
    absl::MutexLock lock(&mutex_);
    phase_ = Phase::kStopped;
    state_.metrics->SetReady(false);
  }
  watch_.join();
  server_ = nullptr;
}

}  // namespace steer
