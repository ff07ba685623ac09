#include "client/run/receipt_check.h"

#include <cmath>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/errors.h"

namespace steer {
namespace {

// Contract 2 of the design: an ablation in float32 leaves |<x, r>| <= 1e-5 |x|. One rounding of x
// to bfloat16 (8 bits) can leave 2^-8 |x|.
constexpr double kFloat32Residual = 1e-5;
constexpr double kBfloat16Residual = 1.0 / 256;

class Findings {
 public:
  template <typename T, typename U>
  void Equal(absl::string_view field, const T& is, const U& must) {
    if (!(is == static_cast<T>(must))) Add(field, absl::StrCat(is), absl::StrCat(must));
  }
  void Holds(absl::string_view field, bool holds, absl::string_view is, absl::string_view must) {
    if (!holds) Add(field, is, must);
  }
  absl::Status status() const {
    if (wrong_.empty()) return absl::OkStatus();
    return MakeError(
        absl::StatusCode::kInternal, kWrongReceipt,
        absl::StrCat("the receipt is not what the plan says: ", absl::StrJoin(wrong_, "; ")));
  }

 private:
  void Add(absl::string_view field, absl::string_view is, absl::string_view must) {
    // Fingerprints and counts only; cut so that a hostile server cannot fill a log.
    wrong_.push_back(absl::StrCat(field, " is ", is.substr(0, 80), ", must be ", must));
  }
  std::vector<std::string> wrong_;
};

// The one digest of a repeated field, "" for none, a description for several.
std::string Only(const google::protobuf::RepeatedPtrField<std::string>& list) {
  if (list.empty()) return "";
  return list.size() == 1 ? list.Get(0) : absl::StrCat(list.size(), " digests");
}

}  // namespace

int ExpectedSites(EditKind edit, int layers) {
  if (edit == EditKind::kNone) return 0;
  return edit == EditKind::kAblate ? 2 * layers + 1 : 1;
}

absl::Status CheckReceipt(const v1::Receipt& receipt, const ExpectedReceipt& expected) {
  Findings findings;
  const bool edited = expected.edit != EditKind::kNone;
  const int sites = ExpectedSites(expected.edit, expected.layers);
  findings.Equal("model_fingerprint", receipt.model_fingerprint(), expected.model_fingerprint);
  findings.Equal("numeric_fingerprint", receipt.numeric_fingerprint(),
                 expected.numeric_fingerprint);
  findings.Equal("decode_rows", receipt.decode_rows(), expected.decode_rows);
  findings.Equal("prefill_tokens", receipt.prefill_tokens(), expected.prefill_tokens);
  findings.Equal("rows", receipt.rows(), expected.rows);
  findings.Holds("steps", receipt.steps() > 0, absl::StrCat(receipt.steps()), "more than 0");
  // Each row has a prompt, so at least one token of each passed.
  findings.Holds("tokens", receipt.tokens() >= expected.rows, absl::StrCat(receipt.tokens()),
                 absl::StrCat("at least ", expected.rows));
  findings.Holds("generated_tokens", receipt.generated_tokens() >= expected.generated_tokens,
                 absl::StrCat(receipt.generated_tokens()),
                 absl::StrCat("at least ", expected.generated_tokens));
  findings.Equal("sites", receipt.sites(), sites);
  findings.Equal("edits", receipt.edits(), receipt.expected_edits());
  // Every token of every row, at each of the sites: nothing skipped that the server's own plan
  // forgot too.
  findings.Equal("expected_edits", receipt.expected_edits(), receipt.tokens() * sites);
  findings.Equal("direction_digests", Only(receipt.direction_digests()),
                 edited ? expected.direction_digest : "");
  findings.Equal("content_digests", Only(receipt.content_digests()),
                 edited ? expected.content_digest : "");
  double dose = receipt.mean_relative_dose();
  bool dose_good = std::isfinite(dose) && (edited ? dose > 0 : dose == 0);
  findings.Holds("mean_relative_dose", dose_good, absl::StrCat(dose), edited ? "more than 0" : "0");
  double limit = expected.edit != EditKind::kAblate ? 0
                 : expected.float32                 ? kFloat32Residual
                                                    : kBfloat16Residual;
  double left = receipt.largest_residual_projection();
  findings.Holds("largest_residual_projection", left >= 0 && left <= limit, absl::StrCat(left),
                 absl::StrCat("at most ", limit));
  return findings.status();
}

}  // namespace steer
