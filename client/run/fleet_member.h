// One of several servers at work, on a thread of its own. Private to client/run.
#ifndef STEER_CLIENT_RUN_FLEET_MEMBER_H_
#define STEER_CLIENT_RUN_FLEET_MEMBER_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "client/run/fleet.h"
#include "client/run/fleet_schedule.h"

namespace steer {

// What the threads of one run share. Thread-safe.
struct FleetState {
  FleetState(const Lock& lock, std::vector<SeedSplits> seeds, const RunOptions& options,
             const FleetOptions& fleet, ResultLog* log, SerialObserver* observer)
      : lock(lock),
        seeds(std::move(seeds)),
        options(options),
        fleet(fleet),
        log(log),
        observer(observer),
        schedule(static_cast<int>(fleet.servers.size()), fleet.move_after, fleet.patience) {}

  // Ends the run with `status`, if nothing has ended it before. A stop by the user lets every server
  // finish its cell in hand; anything else ends the calls.
  void End(const absl::Status& status);
  // No more seeds are given out: the run ends.
  bool ending() const;
  // Calls in hand end too.
  bool abandoned() const;
  absl::Status status() const;
  // True if the user asked to stop; ends the run then.
  bool StopAsked();

  const Lock& lock;
  const std::vector<SeedSplits> seeds;  // with texts; those that are not done
  const RunOptions& options;
  const FleetOptions& fleet;
  ResultLog* const log;
  SerialObserver* const observer;

  mutable absl::Mutex mutex;
  FleetSchedule schedule ABSL_GUARDED_BY(mutex);
  RunStats stats ABSL_GUARDED_BY(mutex);

 private:
  bool ending_ ABSL_GUARDED_BY(mutex) = false;
  bool abandoned_ ABSL_GUARDED_BY(mutex) = false;
  absl::Status status_ ABSL_GUARDED_BY(mutex);
};

class FleetMember {
 public:
  // `client` waits move_after for the server, `probe` does not wait.
  FleetMember(int index, std::unique_ptr<Client> client, std::unique_ptr<Client> probe,
              FleetState* state)
      : index_(index), client_(std::move(client)), probe_(std::move(probe)), state_(*state) {}

  // Asks, takes seeds and runs them until the run ends or the server is out.
  void Run();

 private:
  // False once there is nothing more for this server to do.
  bool Contact();
  absl::optional<FleetSchedule::Task> NextTask();
  absl::Status RunTask(const FleetSchedule::Task& task);
  // Takes the seed's cells back, since this server has other numbers.
  absl::Status Restart(uint64_t seed);
  // What a seed's end means for the server. False as Contact.
  bool Settle(const FleetSchedule::Task& task, const absl::Status& status);
  void LeaveOut(const absl::Status& why);
  // Waits until `wait` is over or the run ends.
  void Pause(absl::Duration wait);
  const std::string& name() const { return state_.fleet.servers[index_]; }

  const int index_;
  const std::unique_ptr<Client> client_;
  const std::unique_ptr<Client> probe_;
  FleetState& state_;
  v1::GetModelResponse model_;
};

}  // namespace steer

#endif  // STEER_CLIENT_RUN_FLEET_MEMBER_H_
