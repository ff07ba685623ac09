#include "common/failpoint.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace steer {
namespace {

struct Setting {
  std::string action;
  int64_t at = 0;  // 0: every pass
  mutable std::atomic<int64_t> passes{0};
};
using Settings = std::map<std::string, std::unique_ptr<Setting>>;

// Read once: tests set the variable before the program starts, and a fixed map needs no lock.
const Settings& All() {
  static const Settings* const settings = [] {
    auto* result = new Settings;
    const char* text = getenv("STEER_FAILPOINTS");
    if (text == nullptr) return result;
    for (absl::string_view item : absl::StrSplit(text, ',', absl::SkipEmpty())) {
      std::pair<std::string, std::string> parts = absl::StrSplit(item, absl::MaxSplits('=', 1));
      std::pair<std::string, std::string> action =
          absl::StrSplit(parts.second, absl::MaxSplits('@', 1));
      auto setting = std::make_unique<Setting>();
      setting->action = action.first;
      if (!absl::SimpleAtoi(action.second, &setting->at)) setting->at = 0;
      (*result)[parts.first] = std::move(setting);
    }
    return result;
  }();
  return *settings;
}

// The action to take on this pass, or an empty string.
absl::string_view Pass(absl::string_view name) {
  const Settings& settings = All();
  if (settings.empty()) return "";
  auto it = settings.find(std::string(name));
  if (it == settings.end()) return "";
  int64_t pass = ++it->second->passes;
  if (it->second->at != 0 && pass != it->second->at) return "";
  return it->second->action;
}

}  // namespace

absl::Status Failpoint(absl::string_view name) {
  absl::string_view action = Pass(name);
  if (action == "kill") {
    kill(getpid(), SIGKILL);
    pause();
  }
  if (action == "error") return absl::InternalError(absl::StrCat("failpoint ", name));
  return absl::OkStatus();
}

bool FailpointSkips(absl::string_view name) { return Pass(name) == "skip"; }

}  // namespace steer
