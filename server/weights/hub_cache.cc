#include "server/weights/hub_cache.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/files.h"
#include "common/status_macros.h"

namespace steer {
namespace {

namespace fs = std::filesystem;

constexpr absl::string_view kModels = "models--";
constexpr size_t kMaxPartBytes = 96;
constexpr size_t kMaxRevisionBytes = 200;
constexpr size_t kListedRevisions = 20;

std::string Variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

bool IsRepoChar(char c) { return absl::ascii_isalnum(c) || c == '-' || c == '_' || c == '.'; }

bool IsRepoPart(absl::string_view part) {
  const auto may_end_it = [](char c) { return c != '-' && c != '.'; };
  return !part.empty() && part.size() <= kMaxPartBytes && may_end_it(part.front()) &&
         may_end_it(part.back()) && std::all_of(part.begin(), part.end(), IsRepoChar);
}

// Names that stay below refs/ and snapshots/ whatever the file system makes of them.
bool IsRevision(absl::string_view text) {
  if (text.empty() || text.size() > kMaxRevisionBytes) return false;
  for (absl::string_view part : absl::StrSplit(text, '/')) {
    if (part.empty() || part.front() == '.' ||
        !std::all_of(part.begin(), part.end(), [](char c) { return IsRepoChar(c) || c == '+'; })) {
      return false;
    }
  }
  return true;
}

bool IsFolder(const std::string& path) {
  std::error_code error;
  return fs::is_directory(path, error);
}

// "main (12345678), refs/pr/1 (...)", and the snapshots that no name points to.
std::string RevisionsIn(const std::string& repo_folder) {
  std::vector<std::string> shown, named;
  std::error_code error;
  const fs::path refs = fs::path(repo_folder) / "refs";
  for (fs::recursive_directory_iterator it(refs, error), end; !error && it != end;
       it.increment(error)) {
    if (!it->is_regular_file(error)) continue;
    auto commit = ReadFile(it->path().string(), 4096);
    named.emplace_back(commit.ok() ? absl::StripAsciiWhitespace(*commit) : "");
    shown.push_back(absl::StrCat(it->path().lexically_relative(refs).string(), " (",
                                 named.back().substr(0, 12), ")"));
  }
  std::sort(shown.begin(), shown.end());
  std::vector<std::string> commits;
  for (fs::directory_iterator it(fs::path(repo_folder) / "snapshots", error), end;
       !error && it != end; it.increment(error)) {
    const std::string commit = it->path().filename().string();
    if (std::count(named.begin(), named.end(), commit) == 0) commits.push_back(commit);
  }
  std::sort(commits.begin(), commits.end());
  shown.insert(shown.end(), commits.begin(), commits.end());
  if (shown.empty()) return "there are none";
  if (shown.size() > kListedRevisions) shown.resize(kListedRevisions);
  return absl::StrCat("there are ", absl::StrJoin(shown, ", "));
}

}  // namespace

std::string HubCacheFolder() {
  const std::string home = Variable("HOME");
  const auto expanded = [&home](const std::string& path) {
    const bool tilde = !home.empty() && (path == "~" || absl::StartsWith(path, "~/"));
    return tilde ? home + path.substr(1) : path;
  };
  for (const char* name : {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"}) {
    if (const std::string folder = Variable(name); !folder.empty()) return expanded(folder);
  }
  std::string base = Variable("HF_HOME");
  if (!base.empty()) return expanded(base) + "/hub";
  base = Variable("XDG_CACHE_HOME");
  if (!base.empty()) return expanded(base) + "/huggingface/hub";
  return home.empty() ? "" : home + "/.cache/huggingface/hub";
}

bool IsRepoId(absl::string_view text) {
  const std::vector<absl::string_view> parts = absl::StrSplit(text, '/');
  return parts.size() <= 2 && std::all_of(parts.begin(), parts.end(), IsRepoPart) &&
         !absl::StrContains(text, "..") && !absl::StrContains(text, "--") &&
         !absl::EndsWith(text, ".git");
}

std::string RepoFolderName(absl::string_view id) {
  return absl::StrCat(kModels, absl::StrJoin(absl::StrSplit(id, '/'), "--"));
}

absl::optional<std::string> RepoIdOf(absl::string_view folder_name) {
  if (!absl::ConsumePrefix(&folder_name, kModels)) return absl::nullopt;
  std::string id = absl::StrJoin(absl::StrSplit(folder_name, "--"), "/");
  if (!IsRepoId(id)) return absl::nullopt;
  return id;
}

std::vector<std::string> ModelsInCache(const std::string& cache) {
  std::vector<std::string> ids;
  std::error_code error;
  for (fs::directory_iterator it(cache, error), end; !error && it != end; it.increment(error)) {
    if (auto id = RepoIdOf(it->path().filename().string())) ids.push_back(*std::move(id));
  }
  std::sort(ids.begin(), ids.end());
  return ids;
}

absl::StatusOr<HubSnapshot> FindSnapshot(const std::string& repo_folder,
                                         const std::string& revision) {
  if (!IsRevision(revision)) {
    return absl::InvalidArgumentError(
        absl::StrCat("the revision \"", revision.substr(0, 80),
                     "\" is neither a branch or tag name nor a commit"));
  }
  HubSnapshot out;
  const std::string ref = absl::StrCat(repo_folder, "/refs/", revision);
  auto commit = ReadFile(ref, 4096);
  if (commit.ok()) {
    out.commit = std::string(absl::StripAsciiWhitespace(*commit));
    if (!IsRevision(out.commit) || absl::StrContains(out.commit, '/')) {
      return absl::InvalidArgumentError(
          absl::StrCat(ref, ": holds \"", out.commit.substr(0, 80), "\", which is no commit"));
    }
    out.folder = absl::StrCat(repo_folder, "/snapshots/", out.commit);
    if (IsFolder(out.folder)) return out;
    return absl::NotFoundError(absl::StrCat(repo_folder, ": refs/", revision, " names the commit ",
                                            out.commit, ", of which nothing has been downloaded"));
  }
  out.commit = revision;
  out.folder = absl::StrCat(repo_folder, "/snapshots/", revision);
  if (!absl::StrContains(revision, '/') && IsFolder(out.folder)) return out;
  return absl::NotFoundError(
      absl::StrCat(repo_folder, " has no revision \"", revision, "\"; ", RevisionsIn(repo_folder)));
}

std::string UnfinishedDownload(const std::string& folder) {
  std::vector<std::string> names;
  uint64_t bytes = 0;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    if (it->path().extension() != ".incomplete") continue;
    std::error_code ignored;
    const uint64_t size = fs::file_size(it->path(), ignored);
    bytes += ignored ? 0 : size;
    names.push_back(it->path().filename().string());
  }
  if (names.empty()) return "";
  std::sort(names.begin(), names.end());
  return absl::StrFormat("the download is unfinished (%.1f MB so far in %s/%s%s)",
                         static_cast<double>(bytes) / 1e6, folder, names[0],
                         names.size() > 1 ? absl::StrCat(" and ", names.size() - 1, " more") : "");
}

}  // namespace steer
