// What a session of a run knows beside the log: its clocks, its calls, its servers. Kept in
// run.json, so that the metrics of a run can be rebuilt from its folder.
#ifndef STEER_CLIENT_COMMANDS_RUN_FACTS_H_
#define STEER_CLIENT_COMMANDS_RUN_FACTS_H_

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/types/optional.h"
#include "common/json.h"

namespace steer {

struct RunFacts {
  std::string state = "running";     // running, done, incomplete, stopped
  int64_t started = 0;               // Unix seconds
  absl::optional<int64_t> progress;  // Unix seconds: when a cell was last made durable
  int64_t cells_done = 0;            // made durable in this session
  absl::optional<double> seconds_left;
  std::map<std::pair<std::string, std::string>, int64_t> retries;  // by {method, code}
  std::map<std::string, bool> servers;  // those heard of: whether they answer

  int64_t retries_in_all() const;
  friend bool operator==(const RunFacts&, const RunFacts&) = default;
};

// All but `state` and `started`, which a session of run.json has in fields of its own.
Json RunFactsJson(const RunFacts& facts);
// INVALID_ARGUMENT saying what is wrong.
absl::StatusOr<RunFacts> ParseRunFacts(const Json& json);

}  // namespace steer

#endif  // STEER_CLIENT_COMMANDS_RUN_FACTS_H_
