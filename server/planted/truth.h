// truth.json: what a run of the experiment on a planted model must find, within its stated spread.
//
// The direction of a layer is the pool's difference of class means there, which is what a fit on a
// random split returns in expectation. A fit on n of N prompts of each class errs off that
// direction D by noise of total variance
//
//   e = (v_harmful + v_harmless) (N - n) / (n (N - 1)),    v: a class's variance over the pool,
//   summed over dimensions off D,
//
// so its cosine with D is 1 / sqrt(1 + e / |D|^2) to first order; the file states v, |D| and the
// value at n = kTrain.
#ifndef STEER_SERVER_PLANTED_TRUTH_H_
#define STEER_SERVER_PLANTED_TRUTH_H_

#include <cstdint>

#include "common/json.h"
#include "server/planted/lexicon.h"
#include "server/planted/prompts.h"
#include "server/planted/simulation.h"
#include "server/planted/spec.h"
#include "server/planted/stream_basis.h"

namespace steer::planted {

struct LayerTruth {
  Features direction{};  // the pool's; zero at layer 0
  double norm = 0;
  double off_direction_variance_harmful = 0;
  double off_direction_variance_harmless = 0;
};

LayerTruth LayerTruthOf(const PromptPools& pools, int layer);

// The formula above, for `n` fit prompts a class out of kPool.
double ExpectedCosine(const LayerTruth& layer, int n);

OrderedJson TruthJson(const PlantedSpec& spec, uint64_t seed, const PromptPools& pools,
                      const StreamBasis& basis, const Expectation& expectation);

}  // namespace steer::planted

#endif  // STEER_SERVER_PLANTED_TRUTH_H_
