#include "tests/support/paths.h"

#include <filesystem>

#include "absl/strings/str_cat.h"

namespace steer {

std::string SourcePath(absl::string_view path) { return absl::StrCat(STEER_SOURCE_DIR, "/", path); }

std::string SharedPath(absl::string_view path) {
  std::string full = absl::StrCat(STEER_SOURCE_DIR, "/../shared/", path);
  return std::filesystem::exists(full) ? full : "";
}

std::string BuildPath(absl::string_view path) { return absl::StrCat(STEER_BINARY_DIR, "/", path); }

}  // namespace steer
