// Applies edits to flattened tokens: a table of entries and one entry a token. Rows with different
// interventions share a step at a cost that does not depend on how many differ. Engine thread only.
#ifndef STEER_SERVER_STEERING_EDIT_TABLE_H_
#define STEER_SERVER_STEERING_EDIT_TABLE_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "server/steering/edit_tally.h"
#include "server/steering/intervention.h"

namespace steer {

// Applies the edits of one site to x [T, hidden] in place. entries[t] is the token's entry or null;
// tallies[t] is added to. Tokens without an edit at the site are not written at all. Dot products
// and updates are float32 (dots accumulated in float64 lanes are allowed), with one rounding to x's
// type. Returns the number of (token, site) edits applied. CPU, contiguous float32 or bfloat16.
// Failpoints: "edit.skip_site" (skips the call), "edit.skip_row" (skips one token).
int64_t ApplyEditsCpu(int site, EditTarget target, absl::Span<const EditEntry* const> entries,
                      at::Tensor& x, absl::Span<EditTally> tallies);

// The same by libtorch ops, on any device: entries are gathered into a dense table indexed by
// token. The CPU kernel's twin; equal to it within float32 rounding. Tallies are read back once at
// the end of the call.
int64_t ApplyEditsTorch(int site, EditTarget target, absl::Span<const EditEntry* const> entries,
                        at::Tensor& x, absl::Span<EditTally> tallies);

}  // namespace steer

#endif  // STEER_SERVER_STEERING_EDIT_TABLE_H_
