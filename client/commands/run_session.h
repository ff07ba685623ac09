// run.json: clocks and hosts of every session that worked on a run folder. The one file that two
// runs of the same lock do not share.
#ifndef STEER_CLIENT_COMMANDS_RUN_SESSION_H_
#define STEER_CLIENT_COMMANDS_RUN_SESSION_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/commands/run_facts.h"
#include "client/run/experiment.h"
#include "common/json.h"

namespace steer {

class RunSession {
 public:
  // Reads what earlier sessions wrote (a damaged file is started anew) and adds this one.
  explicit RunSession(std::string path);
  // Written at the start, so that a session that is killed has left its mark, and at the end.
  // Errors carry reason DISK.
  absl::Status WriteStart(int64_t resumed_records, int64_t torn_bytes);
  absl::Status WriteEnd(const RunStats& stats, const RunFacts& facts);
  absl::Time started() const { return started_at_; }  // whole seconds

 private:
  absl::Status Write();
  const std::string path_;
  Json sessions_ = Json::array();
  Json session_ = Json::object();
  const absl::Time started_at_;
  const double started_ = 0;  // monotonic seconds
};

// What the last session of a run.json left for its metrics. Its state is "running" if it never came
// to its end; then only `started` is known besides. NOT_FOUND if there is no such file,
// INVALID_ARGUMENT naming it if it is damaged.
absl::StatusOr<RunFacts> LastSession(const std::string& path);

}  // namespace steer

#endif  // STEER_CLIENT_COMMANDS_RUN_SESSION_H_
