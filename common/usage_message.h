// What is said of a mistake on a command line. Pure functions.
#ifndef STEER_COMMON_USAGE_MESSAGE_H_
#define STEER_COMMON_USAGE_MESSAGE_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace steer {

// The candidate that `word` most likely was to be: one with at most a third of its letters wrong, missing, too
// many or exchanged. Empty if there is none.
std::string ClosestWord(absl::string_view word, const std::vector<std::string>& candidates);

// One line that says what is wrong, and one that says where help is. `unknown` are words that nothing takes, in their
// order: the first flag of them is named, else the first word, and no other, which may be a part of a prompt. Where
// there are none, `what` is wrong.
std::string UsageMessage(absl::string_view program, absl::string_view what,
                         const std::vector<std::string>& unknown,
                         const std::vector<std::string>& candidates);

}  // namespace steer

#endif  // STEER_COMMON_USAGE_MESSAGE_H_
