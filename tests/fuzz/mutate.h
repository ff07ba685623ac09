// A plain mutator, for the default tier: no coverage, fixed seeds, the same sequence on every machine.
#ifndef STEER_TESTS_FUZZ_MUTATE_H_
#define STEER_TESTS_FUZZ_MUTATE_H_

#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace steer::fuzz {

class ByteMutator {
 public:
  // Both outlive the mutator.
  ByteMutator(const std::vector<std::string>& corpus, const std::vector<std::string>& words,
              uint32_t seed)
      : corpus_(corpus), words_(words), random_(seed) {}

  // Flips, overwrites, inserts, deletes, doubles or splices a few bytes, or puts in a word of the dictionary.
  void Mutate(std::string* bytes);
  size_t Below(size_t limit) { return random_() % limit; }

 private:
  const std::vector<std::string>& corpus_;
  const std::vector<std::string>& words_;
  std::mt19937 random_;
};

}  // namespace steer::fuzz

#endif  // STEER_TESTS_FUZZ_MUTATE_H_
