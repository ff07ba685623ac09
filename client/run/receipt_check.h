// Whether a server did what the plan says: its receipt for one arm against what the arm's edit must
// come to. Pure; any thread.
#ifndef STEER_CLIENT_RUN_RECEIPT_CHECK_H_
#define STEER_CLIENT_RUN_RECEIPT_CHECK_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "client/plan/arms.h"
#include "steer/v1/intervention.pb.h"

namespace steer {

inline constexpr char kWrongReceipt[] = "WRONG_RECEIPT";

struct ExpectedReceipt {
  EditKind edit = EditKind::kNone;
  int layers = 0;                // L of the model
  int64_t rows = 0;              // outcomes that came
  int64_t generated_tokens = 0;  // their sum; a receipt counts at least these
  std::string model_fingerprint;
  std::string numeric_fingerprint;
  int decode_rows = 0;     // of GetModel
  int prefill_tokens = 0;  // of GetModel
  // Of the direction that the arm edits with; unused for kNone.
  std::string direction_digest;
  std::string content_digest;
  bool float32 = true;  // the model's numeric type; bfloat16 leaves more after an ablation
};

// Distinct sites that an edit touches: 0, 2L+1 for ablation everywhere, 1 for addition at a block's
// input.
int ExpectedSites(EditKind edit, int layers);

// OK, or INTERNAL (reason WRONG_RECEIPT) naming every field that is not as it must be, with both
// values.
absl::Status CheckReceipt(const v1::Receipt& receipt, const ExpectedReceipt& expected);

}  // namespace steer

#endif  // STEER_CLIENT_RUN_RECEIPT_CHECK_H_
