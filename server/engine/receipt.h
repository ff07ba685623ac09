// Sums rows into receipts. Engine thread only.
#ifndef STEER_SERVER_ENGINE_RECEIPT_H_
#define STEER_SERVER_ENGINE_RECEIPT_H_

#include <cstdint>
#include <set>

#include "absl/status/status.h"
#include "server/engine/job.h"
#include "server/engine/row.h"

namespace steer {

// INTERNAL (EDIT_COUNT_MISMATCH) unless the edits counted in the arithmetic are those of the row's
// plan.
absl::Status CheckEdits(const Row& row);

// Adds a finished row's counts. Steps are counted by the caller, who knows which steps rows shared.
void AddRow(const Row& row, ReceiptCounts* receipt);

// Digests and sites of an intervention (null or empty: none).
void DescribeIntervention(const CompiledIntervention* intervention, ReceiptCounts* receipt);

// SHA-256 over ids as little-endian int32.
std::string TokenDigest(absl::Span<const int32_t> ids);

}  // namespace steer

#endif  // STEER_SERVER_ENGINE_RECEIPT_H_
