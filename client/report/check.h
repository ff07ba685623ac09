// One thing that was looked at, and what came of it: the lines of `reproduce`.
#ifndef STEER_CLIENT_REPORT_CHECK_H_
#define STEER_CLIENT_REPORT_CHECK_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "common/json.h"

namespace steer {

enum class CheckState {
  kOk,
  kDiffers,
  kMissing,
  kNotChecked,  // for the reason said; never a failure
};
absl::string_view CheckStateName(CheckState state);  // "ok", "differs", "missing", "not checked"

// What it means for the whole if the state is kDiffers or kMissing. Worst last.
enum class CheckWeight {
  kNote,         // nothing: it is said
  kFigure,       // a figure alone, which other fonts than the run's may have drawn as well
  kUnfinished,   // the run has not come to its end; what there is may be good
  kUnreachable,  // a server that was to be asked does not answer
  kServer,       // a server is not one for the lock
  kResults,      // damaged, changed, or not reproduced
};

struct CheckResult {
  std::string what;  // "lock.json"
  CheckState state = CheckState::kOk;
  std::string said;  // one line; names, numbers and digests, never text of a prompt
  CheckWeight weight = CheckWeight::kResults;
  bool failed() const { return state == CheckState::kDiffers || state == CheckState::kMissing; }
};

// The worst weight of those that failed; kNote if none did, or only notes.
CheckWeight WorstOf(const std::vector<CheckResult>& checks);

// For people: a line each, in columns; and for programs: [{"check", "state", "said"}].
std::string CheckLines(const std::vector<CheckResult>& checks);
Json ChecksJson(const std::vector<CheckResult>& checks);

}  // namespace steer

#endif  // STEER_CLIENT_REPORT_CHECK_H_
