// Counts of edits. No torch.
#ifndef STEER_SERVER_STEERING_EDIT_TALLY_H_
#define STEER_SERVER_STEERING_EDIT_TALLY_H_

#include <cmath>
#include <cstdint>

namespace steer {

// std::max would lose a NaN: an edit of a state that is not finite must show in the receipt.
inline double LargerOrNaN(double a, double b) { return std::isnan(a) || a > b ? a : b; }

// What was done to one token, counted where the arithmetic happens.
struct EditTally {
  int64_t edits = 0;  // (site, target) pairs applied
  // NaN after an edit of a state that is not finite.
  double dose = 0;              // sum over edits of |dx| / |x| (0 where x is 0)
  double largest_residual = 0;  // largest |<x, r>| / |x| after an edit that ablates r

  void Add(const EditTally& other) {
    edits += other.edits;
    dose += other.dose;
    largest_residual = LargerOrNaN(largest_residual, other.largest_residual);
  }
};

}  // namespace steer

#endif  // STEER_SERVER_STEERING_EDIT_TALLY_H_
