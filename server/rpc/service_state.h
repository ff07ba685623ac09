// What all handlers share.
#ifndef STEER_SERVER_RPC_SERVICE_STATE_H_
#define STEER_SERVER_RPC_SERVICE_STATE_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/time/time.h"
#include "server/engine/engine.h"
#include "server/rpc/call_table.h"
#include "server/rpc/edge_pool.h"
#include "server/rpc/request_ids.h"
#include "server/rpc/tokens_file.h"
#include "server/telemetry/audit_log.h"
#include "server/telemetry/metrics.h"

namespace steer {

inline constexpr char kServiceName[] = "steer.v1.SteerService";
inline constexpr char kContractVersion[] = "steer.v1/1";

struct ServiceOptions {
  int max_concurrent_calls = 64;
  // See AdmissionLimits.
  int queue_calls = 64;
  int64_t queue_tokens = int64_t{1} << 28;
  int64_t queue_bytes = int64_t{256} << 20;
  int64_t max_request_bytes = int64_t{16} << 20;
  int64_t max_import_bytes = int64_t{512} << 20;
  // Sets in the store, told to clients; the store itself holds it.
  int64_t max_directions = 10000;
  // Exports and imports at once; each holds a set in memory.
  int max_transfers = 2;
  // Messages that wait for a slow reader, in bytes a call.
  int64_t max_pending_bytes = int64_t{8} << 20;
  // Longest call; a client's own deadline may be earlier.
  absl::Duration max_call = absl::Hours(6);
  // How long after its cancellation or deadline a call may linger before its connection is torn.
  absl::Duration linger = absl::Seconds(10);
  int edge_threads = 2;
  // Replies of Fit and Evaluate that are kept for calls that repeat a request id, each kind.
  size_t replay_calls = 1024;
  int64_t replay_bytes = int64_t{64} << 20;
  bool allow_edited_text = false;
  std::string version;  // of the program; empty: this build's
};

struct ReplayTables;

struct ServiceState {
  ServiceState(ServiceOptions o, Metrics* m, AuditLog* a);
  ~ServiceState();

  const ServiceOptions options;
  Metrics* const metrics;
  AuditLog* const audit;                 // may be null
  std::unique_ptr<TokensFile> tokens;    // set before the server listens; null: everyone may call
  std::atomic<Engine*> engine{nullptr};  // set before calls.Open()
  CallTable calls;
  RequestIds request_ids;
  const std::unique_ptr<ReplayTables> replays;
  EdgePool pool;  // last: its threads use all of the above and are joined first
};

}  // namespace steer

#endif  // STEER_SERVER_RPC_SERVICE_STATE_H_
