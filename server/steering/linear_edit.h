// Merging ops that meet at one site into the one formula x <- x + V (b - U^T x). No torch.
#ifndef STEER_SERVER_STEERING_LINEAR_EDIT_H_
#define STEER_SERVER_STEERING_LINEAR_EDIT_H_

#include <memory>
#include <string>
#include <vector>

#include "server/steering/intervention.h"
#include "server/steering/subspace.h"

namespace steer {

// An op with its vectors, defaults filled in.
struct ReadyOp {
  size_t index = 0;  // in the spec
  OpKind kind = OpKind::kAblate;
  double amount = 1;
  EditTarget target = EditTarget::kStream;
  std::vector<int> sites;
  TokenScope scope = TokenScope::kAll;
  int last_prompt_tokens = 0;
  Basis basis;               // kAblate, kSetProjection: orthonormal rows
  std::vector<float> added;  // kAdd: coefficient * r, rounded once
  // Orders ops by what they do and not by where they stand in the spec, so that the order of a spec
  // does not change a bit of the result.
  std::string key;
};

// Empty if ops that meet at one site and token act there as the rule says, projections before
// additions whatever the order of the spec; otherwise why not. On one target additions can always be
// merged, and two ablations or projections can if their subspaces are orthogonal (|cosine| at most
// 1e-6), or if both do the same and doing it twice is doing it once. The write comes before the
// stream: what is added to the write must not lie in what is projected out of the stream.
std::string WhyNotMergeable(const ReadyOp& a, const ReadyOp& b);

// The edit that ablates and projects first and adds then. Requires at least one op, all mergeable.
std::shared_ptr<const LinearEdit> MergeOps(std::vector<const ReadyOp*> ops, size_t hidden);

}  // namespace steer

#endif  // STEER_SERVER_STEERING_LINEAR_EDIT_H_
