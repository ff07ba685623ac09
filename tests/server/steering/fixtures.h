// Direction sets and interventions that the tests of steering/ share.
#ifndef STEER_TESTS_SERVER_STEERING_FIXTURES_H_
#define STEER_TESTS_SERVER_STEERING_FIXTURES_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "common/digest.h"
#include "common/philox.h"
#include "server/steering/control.h"
#include "server/steering/fit.h"
#include "server/steering/intervention.h"

namespace steer {

// States [positions, 2L+1, hidden] of one prompt: unit noise, plus `shift` along coordinate 0 for
// harmful prompts at every site but 0, where the classes do not differ at all.
inline std::vector<float> MadeStates(size_t positions, int64_t layers, int64_t hidden, bool harmful,
                                     int index, double shift = 3) {
  const PhiloxStream noise(harmful ? 11 : 12, static_cast<uint64_t>(index));
  std::vector<float> states;
  const int64_t sites = 2 * layers + 1;
  for (size_t p = 0; p < positions; ++p) {
    for (int64_t site = 0; site < sites; ++site) {
      for (int64_t j = 0; j < hidden; ++j) {
        double value =
            site == 0 ? std::sin(1.0 + static_cast<double>(j)) : noise.Normal(states.size());
        if (site > 0 && harmful && j == 0) value += shift;
        states.push_back(static_cast<float>(value));
      }
    }
  }
  return states;
}

// A fitted set whose id is made from `name`.
inline DirectionSet MadeSet(const std::string& name, bool keep_states = true,
                            std::vector<int> positions = {-1, -3}, int64_t layers = 3,
                            int64_t hidden = 7) {
  DirectionFit fit(positions, layers, hidden, 6, 5);
  for (int i = 0; i < 6; ++i) {
    EXPECT_TRUE(fit.AddPrompt(PromptClass::kHarmful, i,
                              MadeStates(positions.size(), layers, hidden, true, i))
                    .ok());
  }
  for (int i = 0; i < 5; ++i) {
    EXPECT_TRUE(fit.AddPrompt(PromptClass::kHarmless, i,
                              MadeStates(positions.size(), layers, hidden, false, i))
                    .ok());
  }
  auto set = fit.Finish(keep_states);
  EXPECT_TRUE(set.ok()) << set.status();
  set->set_id = Sha256Hex(name);
  set->model_fingerprint = Sha256Hex("model");
  set->numeric_fingerprint = Sha256Hex("numerics");
  for (int i = 0; i < 11; ++i)
    set->fit_prompt_hashes.push_back(Sha256Hex("fitted " + std::to_string(i)));
  std::sort(set->fit_prompt_hashes.begin(), set->fit_prompt_hashes.end());
  set->create_time = absl::FromUnixSeconds(1700000000);
  return *std::move(set);
}

// A resolved direction with its digest.
inline ResolvedDirection Resolved(std::vector<float> values) {
  ResolvedDirection direction;
  direction.digest = DirectionDigest(values);
  direction.content_digest = Sha256Hex("content");
  double squares = 0;
  for (float value : values) squares += double{value} * value;
  direction.norm = std::sqrt(squares);
  direction.values = std::move(values);
  return direction;
}

// Gaussian values named by a seed.
inline std::vector<float> Gaussian(int64_t size, uint64_t seed, double scale = 1) {
  const PhiloxStream stream(seed, 99);
  std::vector<float> values;
  for (int64_t i = 0; i < size; ++i)
    values.push_back(static_cast<float>(scale * stream.Normal(static_cast<uint64_t>(i))));
  return values;
}

}  // namespace steer

#endif  // STEER_TESTS_SERVER_STEERING_FIXTURES_H_
