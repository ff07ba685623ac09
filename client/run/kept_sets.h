// Fitted sets in the run folder, from where another server can have them. They are kept without
// per-prompt states: no arm of a run reads those, and they are most of a set's bytes. The content
// digest does not cover states, so a set without them is the same set to every check of a run.
// Private to client/run.
#ifndef STEER_CLIENT_RUN_KEPT_SETS_H_
#define STEER_CLIENT_RUN_KEPT_SETS_H_

#include <string>

#include "absl/status/statusor.h"
#include "client/api/client.h"
#include "client/run/cell_evaluator.h"
#include "client/run/records.h"

namespace steer {

// <folder>/<content digest>.safetensors
std::string KeptSetPath(const std::string& folder, const FitRecord& fit);

// Exports the set and writes it, all or nothing, unless it is there or options.keep_sets is off.
// A server that will not export is no error: the set can be fitted again. Errors: of the disk
// (reason DISK), and those that stop the run.
absl::Status KeepSet(const FitRecord& fit, const RunOptions& options, Client* client);

// Brings the kept set to a server that lacks it. True if the server then has it under its id and
// with its content digest, which the server computes anew from the tensors. False if none is kept,
// or it cannot be used: it is to be fitted again. Errors: those that stop the run.
absl::StatusOr<bool> ImportKeptSet(const FitRecord& fit, const RunOptions& options, Client* client);

}  // namespace steer

#endif  // STEER_CLIENT_RUN_KEPT_SETS_H_
