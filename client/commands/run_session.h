// run.json: clocks and hosts of every session that worked on a run folder. The one file that two
// runs of the same lock do not share.
#ifndef STEER_CLIENT_COMMANDS_RUN_SESSION_H_
#define STEER_CLIENT_COMMANDS_RUN_SESSION_H_

#include <string>

#include "absl/status/status.h"
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
  absl::Status WriteEnd(const RunStats& stats, int64_t retries, const std::string& outcome);

 private:
  absl::Status Write();
  const std::string path_;
  Json sessions_ = Json::array();
  Json session_ = Json::object();
  double started_ = 0;
};

}  // namespace steer

#endif  // STEER_CLIENT_COMMANDS_RUN_SESSION_H_
