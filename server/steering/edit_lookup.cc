#include "server/steering/edit_lookup.h"

#include <c10/util/Exception.h>

#include "common/failpoint.h"

namespace steer {

std::vector<TokenEdit> FindEdits(int site, EditTarget target,
                                 absl::Span<const EditEntry* const> entries, const at::Tensor& x,
                                 size_t tallies) {
  TORCH_CHECK(x.dim() == 2 && x.size(0) == static_cast<int64_t>(entries.size()) &&
                  tallies == entries.size(),
              "edit table: x has not one row for each of ", entries.size(), " tokens");
  TORCH_CHECK(target != EditTarget::kDefault && site >= 0, "edit table: no target or site");
  const size_t at = static_cast<size_t>(site), hidden = static_cast<size_t>(x.size(1));
  std::vector<TokenEdit> edits;
  for (size_t t = 0; t < entries.size(); ++t) {
    if (entries[t] == nullptr) continue;
    const auto& by_site = target == EditTarget::kWrite ? entries[t]->write : entries[t]->stream;
    TORCH_CHECK(at < by_site.size(), "edit table: no site ", site);
    const LinearEdit* edit = by_site[at].get();
    if (edit == nullptr) continue;
    const size_t wanted = static_cast<size_t>(edit->k) * hidden;
    TORCH_CHECK(edit->v.size() == wanted && edit->u.size() == wanted &&
                    edit->b.size() == static_cast<size_t>(edit->k) &&
                    edit->ablated_basis.size() == static_cast<size_t>(edit->ablated) * hidden,
                "edit table: an edit is not of width ", hidden);
    edits.push_back({static_cast<int64_t>(t), edit});
  }
  if (!edits.empty() && FailpointSkips("edit.skip_row")) edits.erase(edits.begin());
  return edits;
}

}  // namespace steer
