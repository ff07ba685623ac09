#include "client/run/fleet.h"

#include <thread>
#include <utility>

#include "client/run/fleet_member.h"
#include "client/run/seed_run.h"
#include "common/status_macros.h"

namespace steer {
namespace {

// Seeds of the lock that are not done, with their texts.
absl::StatusOr<std::vector<SeedSplits>> OpenSeeds(const Lock& lock, const std::string& data_root,
                                                  const RunScope& scope) {
  STEER_ASSIGN_OR_RETURN(std::vector<SeedSplits> prompts, LoadLockedPrompts(lock, data_root));
  std::vector<SeedSplits> open;
  for (SeedSplits& seed : prompts) {
    if (scope.done_seeds.count(seed.seed) == 0) open.push_back(std::move(seed));
  }
  return open;
}

absl::Status Prepare(FleetState* state, std::vector<std::unique_ptr<FleetMember>>* members) {
  for (const SeedSplits& seed : state->seeds) {
    STEER_ASSIGN_OR_RETURN(std::string measured, MeasuredNumerics(*state->log, seed.seed));
    absl::MutexLock lock(&state->mutex);
    state->schedule.AddSeed(seed.seed, std::move(measured));
  }
  for (size_t i = 0; i < state->fleet.servers.size(); ++i) {
    const std::string& server = state->fleet.servers[i];
    STEER_ASSIGN_OR_RETURN(std::unique_ptr<Client> client,
                           state->fleet.connect(server, state->fleet.move_after,
                                                [state] { return state->abandoned(); }));
    STEER_ASSIGN_OR_RETURN(
        std::unique_ptr<Client> probe,
        state->fleet.connect(server, absl::ZeroDuration(), [state] { return state->ending(); }));
    members->push_back(std::make_unique<FleetMember>(static_cast<int>(i), std::move(client),
                                                     std::move(probe), state));
    ServerUse use;
    use.server = server;
    absl::MutexLock lock(&state->mutex);
    state->stats.servers.push_back(std::move(use));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status RunOnServers(const Lock& lock, const std::string& data_root, const RunOptions& options,
                          const FleetOptions& fleet, ResultLog* log, SerialObserver* observer,
                          RunStats* stats) {
  STEER_ASSIGN_OR_RETURN(RunScope scope, ScopeOf(lock, *log));
  observer->OnStart(scope.cells, scope.rows, scope.done_cells, scope.done_rows);
  stats->complete = scope.complete;
  if (scope.complete) return absl::OkStatus();

  STEER_ASSIGN_OR_RETURN(std::vector<SeedSplits> seeds, OpenSeeds(lock, data_root, scope));
  FleetState state(lock, std::move(seeds), options, fleet, log, observer);
  std::vector<std::unique_ptr<FleetMember>> members;
  STEER_RETURN_IF_ERROR(Prepare(&state, &members));
  std::vector<std::thread> threads;
  threads.reserve(members.size());
  for (const auto& member : members) threads.emplace_back([&member] { member->Run(); });
  for (std::thread& thread : threads) thread.join();
  {
    absl::MutexLock held(&state.mutex);
    *stats = std::move(state.stats);
  }
  STEER_RETURN_IF_ERROR(state.status());
  STEER_ASSIGN_OR_RETURN(scope, ScopeOf(lock, *log));
  stats->complete = scope.complete;
  return absl::OkStatus();
}

}  // namespace steer
