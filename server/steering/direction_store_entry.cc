#include "server/steering/direction_store_entry.h"

#include <errno.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/status_macros.h"

namespace steer {

std::shared_ptr<const DirectionSet> WithoutTensors(const DirectionSet& set) {
  auto facts = std::make_shared<DirectionSet>();
  facts->set_id = set.set_id;
  facts->content_digest = set.content_digest;
  facts->method = set.method;
  facts->model_fingerprint = set.model_fingerprint;
  facts->numeric_fingerprint = set.numeric_fingerprint;
  facts->positions = set.positions;
  facts->layers = set.layers;
  facts->hidden = set.hidden;
  facts->harmful_prompts = set.harmful_prompts;
  facts->harmless_prompts = set.harmless_prompts;
  facts->reports = set.reports;
  facts->fit_prompt_hashes = set.fit_prompt_hashes;
  facts->create_time = set.create_time;
  facts->imported = set.imported;
  return facts;
}

absl::StatusOr<ReadSet> ReadSetFile(const std::string& path, StatesUse use) {
  STEER_ASSIGN_OR_RETURN(const auto file, SafetensorsFile::Open(path));
  return ReadDirectionSet(*file, path, use);
}

absl::Status StoreWritten(const absl::Status& written) {
  if (written.ok()) return written;
  return MakeError(absl::StatusCode::kFailedPrecondition, "STORE_UNWRITABLE",
                   absl::StrCat("the direction store could not be written: ", written.message(),
                                "; nothing was changed; make room or mend the folder of --store, "
                                "then try again"));
}

absl::Status RemoveFile(const std::string& path) {
  if (unlink(path.c_str()) == 0 || errno == ENOENT) return absl::OkStatus();
  return absl::ErrnoToStatus(errno, absl::StrCat("cannot remove ", path));
}

}  // namespace steer
