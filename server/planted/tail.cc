#include "server/planted/tail.h"

#include <algorithm>
#include <cmath>

namespace steer::planted {

SplitTails::SplitTails(int largest) : log_factorial_(largest + 1, 0.0) {
  for (int i = 1; i <= largest; ++i) log_factorial_[i] = log_factorial_[i - 1] + std::log(i);
}

double SplitTails::LogChoose(int n, int k) const {
  return log_factorial_[n] - log_factorial_[k] - log_factorial_[n - k];
}

double SplitTails::AtLeast(int population, int up, int down, int drawn, int least) const {
  const int zeros = population - up - down;
  const double all = LogChoose(population, drawn);
  double probability = 0;
  for (int minus = 0; minus <= std::min(down, drawn); ++minus) {
    const int first = std::max({0, least + minus, drawn - minus - zeros});
    for (int plus = first; plus <= std::min(up, drawn - minus); ++plus) {
      probability += std::exp(LogChoose(up, plus) + LogChoose(down, minus) +
                              LogChoose(zeros, drawn - plus - minus) - all);
    }
  }
  return std::min(probability, 1.0);
}

}  // namespace steer::planted
