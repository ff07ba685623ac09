// `plan show` and `plan splits`: a lock for people, and its splits for other programs.
#ifndef STEER_CLIENT_PLAN_SHOW_H_
#define STEER_CLIENT_PLAN_SHOW_H_

#include <string>
#include <vector>

#include "client/data/splits.h"
#include "client/plan/lock.h"
#include "common/json.h"

namespace steer {

// Several lines, ends with a newline. No prompt text (there is none in a lock).
std::string RenderLock(const Lock& lock);

// {"<seed>": {"harmful": {"train": [[row, hash], ...], ...}, "harmless": {...}}, ...}
Json SplitsJson(const std::vector<SeedSplits>& splits);

// One seed's prompts WITH TEXT, as reference programs take them:
// {"harmful": {"train": [text, ...], "validation": [...], "test": [...]}, "harmless": {...}}.
// For a file that the user names only; never for a terminal, log or result.
Json SplitsTextJson(const SeedSplits& splits);

}  // namespace steer

#endif  // STEER_CLIENT_PLAN_SHOW_H_
