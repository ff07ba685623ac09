#include "server/engine/receipt.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "common/digest.h"
#include "common/errors.h"

namespace steer {

absl::Status CheckEdits(const Row& row) {
  int64_t expected = row.ExpectedEdits();
  if (row.tally.edits == expected) return absl::OkStatus();
  return MakeError(
      absl::StatusCode::kInternal, "EDIT_COUNT_MISMATCH",
      absl::StrCat("a row of ", row.context, " tokens was to receive ", expected,
                   " edits and received ", row.tally.edits, "; nothing of the call is valid"));
}

void AddRow(const Row& row, ReceiptCounts* receipt) {
  ++receipt->rows;
  receipt->tokens += row.context;
  receipt->generated_tokens += static_cast<int64_t>(row.generated.size());
  receipt->edits += row.tally.edits;
  receipt->expected_edits += row.ExpectedEdits();
  receipt->dose_sum += row.tally.dose;
  receipt->largest_residual = LargerOrNaN(receipt->largest_residual, row.tally.largest_residual);
}

void DescribeIntervention(const CompiledIntervention* intervention, ReceiptCounts* receipt) {
  if (intervention == nullptr) return;
  receipt->sites = intervention->distinct_sites;
  receipt->direction_digests = intervention->direction_digests;
  receipt->content_digests = intervention->content_digests;
}

std::string TokenDigest(absl::Span<const int32_t> ids) {
  Sha256 digest;
  for (int32_t id : ids) {
    auto u = static_cast<uint32_t>(id);
    unsigned char bytes[4] = {static_cast<unsigned char>(u), static_cast<unsigned char>(u >> 8),
                              static_cast<unsigned char>(u >> 16),
                              static_cast<unsigned char>(u >> 24)};
    digest.Update(bytes, 4);
  }
  return digest.Hex();
}

}  // namespace steer
