#include "server/rpc/service_state.h"

#include <utility>

#include "server/rpc/replays.h"

namespace steer {

ServiceState::ServiceState(ServiceOptions o, Metrics* m, AuditLog* a)
    : options(std::move(o)),
      metrics(m),
      audit(a),
      calls({options.max_concurrent_calls, options.max_transfers, options.queue_calls,
             options.queue_tokens, options.queue_bytes},
            m),
      replays(std::make_unique<ReplayTables>(this)),
      pool(options.edge_threads) {
  metrics->SetQueueCapacity({options.queue_calls, options.queue_tokens, options.queue_bytes});
}

ServiceState::~ServiceState() = default;

}  // namespace steer
