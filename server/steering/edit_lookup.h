// Which tokens have an edit at a site: shared by the kernel and its twin. Engine thread only.
#ifndef STEER_SERVER_STEERING_EDIT_LOOKUP_H_
#define STEER_SERVER_STEERING_EDIT_LOOKUP_H_

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "server/steering/intervention.h"

namespace steer {

struct TokenEdit {
  int64_t token;
  const LinearEdit* edit;
};

// Tokens in ascending order; those without an edit at (site, target) are left out. Throws
// c10::Error unless x is [entries.size(), hidden] with `tallies` entries too and every edit has x's
// width. Failpoint "edit.skip_row" leaves out the first token.
std::vector<TokenEdit> FindEdits(int site, EditTarget target,
                                 absl::Span<const EditEntry* const> entries, const at::Tensor& x,
                                 size_t tallies);

}  // namespace steer

#endif  // STEER_SERVER_STEERING_EDIT_LOOKUP_H_
