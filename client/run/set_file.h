// A fitted set's file in a run folder, checked without a server and without torch.
#ifndef STEER_CLIENT_RUN_SET_FILE_H_
#define STEER_CLIENT_RUN_SET_FILE_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/run/records.h"

namespace steer {

// What a set's file says of itself, in the words of a fit's record. plan_digest and seed are unset:
// a set knows neither.
using SetFacts = FitRecord;

// DATA_LOSS saying what is wrong unless the bytes are those of a set without per-prompt states as
// steerd exports it, whole: each tensor is covered by the content digest, the facts by their own, and
// the header is in the one form that steerd writes. So a change of any byte is found. Pure.
absl::StatusOr<SetFacts> ReadSetFile(absl::string_view bytes);

// DATA_LOSS naming the field in which the set is not the one that the log's fit names.
absl::Status CheckSetIsOf(const SetFacts& set, const FitRecord& fit);

}  // namespace steer

#endif  // STEER_CLIENT_RUN_SET_FILE_H_
