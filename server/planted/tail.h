// Exact tails of what a test split without replacement shows.
#ifndef STEER_SERVER_PLANTED_TAIL_H_
#define STEER_SERVER_PLANTED_TAIL_H_

#include <vector>

namespace steer::planted {

// Immutable after construction, thread-safe.
class SplitTails {
 public:
  // For populations of at most `largest`.
  explicit SplitTails(int largest);

  // A population holds `up` members that count +1, `down` that count -1 and zeros to a total of
  // `population`; `drawn` of them are drawn without replacement. Probability that the sum is at
  // least `least`.
  double AtLeast(int population, int up, int down, int drawn, int least) const;

 private:
  double LogChoose(int n, int k) const;
  std::vector<double> log_factorial_;
};

}  // namespace steer::planted

#endif  // STEER_SERVER_PLANTED_TAIL_H_
