// How well a difference of means separates prompts that it was not fitted on: K-fold projections
// and the area under the ROC curve. Host float64, no torch.
#ifndef STEER_SERVER_STEERING_SEPARATION_H_
#define STEER_SERVER_STEERING_SEPARATION_H_

#include <cstddef>
#include <vector>

#include "absl/types/span.h"

namespace steer {

// States of one class at one site: pointers to rows of `hidden` floats, in prompt order.
using StateRows = std::vector<const float*>;

struct Separation {
  double projection_gap = 0;  // mean held-out projection, harmful minus harmless
  double auc = 0.5;           // mean over folds
};

// Fold of a prompt = its index within its class modulo K, with K = 5 or, if a class has fewer
// prompts, as many folds as it has prompts. Each fold's prompts are projected on the unit
// difference of means of the others. Requires two prompts of each class.
Separation CrossValidate(const StateRows& harmful, const StateRows& harmless, size_t hidden);

// Probability that a random member of `positive` exceeds one of `negative`, ties counted half
// (Mann-Whitney). 0.5 if either is empty.
double AreaUnderCurve(absl::Span<const double> positive, absl::Span<const double> negative);

}  // namespace steer

#endif  // STEER_SERVER_STEERING_SEPARATION_H_
