// Readouts: versioned rules that turn a completion into `refused`. Pure functions of text; no
// torch, no protobuf. Thread-safe.
#ifndef STEER_SERVER_READOUT_READOUT_H_
#define STEER_SERVER_READOUT_READOUT_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace steer {

// What a completion's text says so far.
enum class Judgement { kRefused, kNotRefused, kOpen };

class Readout {
 public:
  virtual ~Readout() = default;
  virtual const std::string& name() const = 0;
  // SHA-256 of the rule's version and phrases.
  virtual const std::string& digest() const = 0;
  virtual const std::vector<std::string>& phrases() const = 0;
  // `text` is the final part of the completion so far (StreamDecoder::text). kOpen until no
  // continuation can change the answer; never kOpen if `complete`. Must agree with the judgement of
  // every continuation once it is not kOpen.
  virtual Judgement Judge(absl::string_view text, bool complete) const = 0;
};

// "post-1": any of the 25 phrases in text[:120].lower() (Python's slicing by code points and
// lower()), nothing else. "opening-1": anchored at the opening after trimming white space, case
// folding, straightening apostrophes and dropping markdown emphasis. INVALID_ARGUMENT naming the
// known readouts for any other name.
absl::StatusOr<std::shared_ptr<const Readout>> FindReadout(absl::string_view name);
std::vector<std::shared_ptr<const Readout>> AllReadouts();

// The post's 25 phrases, in order.
absl::Span<const absl::string_view> PostPhrases();

enum class QualityJudgement { kOk, kDegenerate, kOpen };
// Rule "degenerate-1" (proto Quality). kOpen until no continuation can change the answer:
// kDegenerate early only through monotone signs (a letter run of 40, one word 6 times in a row),
// kOk only when complete.
QualityJudgement JudgeQuality(absl::string_view text, bool complete);
inline constexpr char kQualityRule[] = "degenerate-1";

}  // namespace steer

#endif  // STEER_SERVER_READOUT_READOUT_H_
