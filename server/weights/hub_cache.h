// The Hugging Face cache as huggingface_hub lays it out: CACHE/models--ORG--NAME with refs/BRANCH
// (a commit), snapshots/COMMIT/ and blobs/, where a snapshot's files are links to blobs. Read only;
// no network, no torch.
#ifndef STEER_SERVER_WEIGHTS_HUB_CACHE_H_
#define STEER_SERVER_WEIGHTS_HUB_CACHE_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"

namespace steer {

// $HF_HUB_CACHE, else $HUGGINGFACE_HUB_CACHE, else $HF_HOME/hub, else
// $XDG_CACHE_HOME/huggingface/hub, else ~/.cache/huggingface/hub; a leading ~ is the home. An empty
// variable counts as unset. Empty if there is no $HOME to fall back on.
std::string HubCacheFolder();

// True for NAME and ORG/NAME as the Hub allows them: parts of 1 to 96 letters, digits, '-', '_' and
// '.', that neither begin nor end with '-' or '.', with no ".." and no "--" anywhere.
bool IsRepoId(absl::string_view text);

// "models--ORG--NAME" of an id, and back; empty if `folder_name` is no such name.
std::string RepoFolderName(absl::string_view id);
absl::optional<std::string> RepoIdOf(absl::string_view folder_name);

// The ids of the models in a cache, sorted.
std::vector<std::string> ModelsInCache(const std::string& cache);

struct HubSnapshot {
  std::string folder;  // REPO/snapshots/COMMIT
  std::string commit;
};

// The snapshot of `revision`, a name under refs/ or a commit that is a folder of snapshots/.
// INVALID_ARGUMENT for a revision that could leave the folder; NOT_FOUND lists the revisions that
// there are.
absl::StatusOr<HubSnapshot> FindSnapshot(const std::string& repo_folder,
                                         const std::string& revision);

// "the download is unfinished (2 files, 1.5 MB so far: blobs/....incomplete)" where `folder` holds
// files that end in ".incomplete", which a download renames when it is done; empty otherwise.
std::string UnfinishedDownload(const std::string& folder);

}  // namespace steer

#endif  // STEER_SERVER_WEIGHTS_HUB_CACHE_H_
