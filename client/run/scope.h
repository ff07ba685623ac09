// How far a run has come. Pure functions of lock and log.
#ifndef STEER_CLIENT_RUN_SCOPE_H_
#define STEER_CLIENT_RUN_SCOPE_H_

#include <cstdint>
#include <set>

#include "absl/status/statusor.h"
#include "client/data/splits.h"
#include "client/plan/lock.h"
#include "client/run/result_log.h"

namespace steer {

// What a lock asks for and how much of it a log holds.
struct RunScope {
  int64_t cells = 0;
  int64_t rows = 0;
  int64_t done_cells = 0;
  int64_t done_rows = 0;
  bool complete = false;  // every seed chosen and every test cell there: no server is needed
  std::set<uint64_t> done_seeds;  // those whose layer is chosen and whose test cells are there
};
// Layers that turned out unusable, once a fit is there, are not asked for.
absl::StatusOr<RunScope> ScopeOf(const Lock& lock, const ResultLog& log);

}  // namespace steer

#endif  // STEER_CLIENT_RUN_SCOPE_H_
