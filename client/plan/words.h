// Small pieces of text that `plan check` and `plan show` share. Private to client/plan.
#ifndef STEER_CLIENT_PLAN_WORDS_H_
#define STEER_CLIENT_PLAN_WORDS_H_

#include <string>

#include "absl/strings/str_format.h"

namespace steer {

// "0.4 s", "12 s", "3 min", "2.5 h".
inline std::string SecondsText(double seconds) {
  if (seconds < 10) return absl::StrFormat("%.1f s", seconds);
  if (seconds < 120) return absl::StrFormat("%.0f s", seconds);
  if (seconds < 7200) return absl::StrFormat("%.0f min", seconds / 60);
  return absl::StrFormat("%.1f h", seconds / 3600);
}

}  // namespace steer

#endif  // STEER_CLIENT_PLAN_WORDS_H_
