#include "server/weights/checkpoint_links.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace steer {
namespace {

namespace fs = std::filesystem;

bool IsInside(const fs::path& path, const fs::path& root) {
  return std::mismatch(root.begin(), root.end(), path.begin(), path.end()).first == root.end();
}

// `root` is canonical.
absl::Status CheckLink(const fs::path& link, const fs::path& root) {
  std::error_code error;
  const std::string target = fs::read_symlink(link, error).string();
  const fs::path end = fs::canonical(link, error);
  if (error == std::errc::too_many_symbolic_link_levels) {
    return absl::InvalidArgumentError(
        absl::StrCat(link.string(), " is a link that runs in a circle (to ", target, ")"));
  }
  if (error == std::errc::no_such_file_or_directory) {
    return absl::NotFoundError(
        absl::StrCat(link.string(), " is a link to ", target, ", which is not there"));
  }
  if (error) {
    return absl::ErrnoToStatus(
        error.value(), absl::StrCat("cannot follow the link ", link.string(), " to ", target));
  }
  if (IsInside(end, root)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      link.string(), " is a link to ", end.string(), ", outside of ", root.string(),
      "; only links that stay inside are followed: put the file itself there, or give --model the "
      "folder that holds it"));
}

}  // namespace

absl::Status CheckLinks(const std::string& folder, const std::string& root) {
  std::error_code error;
  const fs::path inside = fs::canonical(root, error);
  if (error) return absl::ErrnoToStatus(error.value(), absl::StrCat("cannot look into ", root));
  if (!IsInside(fs::canonical(folder, error), inside)) return CheckLink(folder, inside);
  std::vector<fs::path> links;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const std::string extension = it->path().extension().string();
    const bool read = extension == ".json" || extension == ".jinja" || extension == ".safetensors";
    std::error_code ignored;
    if (read && it->is_symlink(ignored)) links.push_back(it->path());
  }
  if (error) return absl::ErrnoToStatus(error.value(), absl::StrCat("cannot list ", folder));
  std::sort(links.begin(), links.end());
  for (const fs::path& link : links) STEER_RETURN_IF_ERROR(CheckLink(link, inside));
  return absl::OkStatus();
}

}  // namespace steer
