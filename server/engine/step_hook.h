// Edits and captures of one step, as the decoder's hook. Engine thread only.
#ifndef STEER_SERVER_ENGINE_STEP_HOOK_H_
#define STEER_SERVER_ENGINE_STEP_HOOK_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "server/model/site_hook.h"
#include "server/steering/edit_table.h"

namespace steer {

// Copy the states of token `token` at every site to destination[site * hidden ...], float32, and
// count each copy.
struct CaptureRequest {
  int64_t token;
  float* destination;
  int64_t* count;
};

class StepHook : public SiteHook {
 public:
  // `entries` [T]: each token's entry or null. Borrowed vectors outlive the hook.
  StepHook(int64_t sites, int64_t hidden, bool on_cpu, std::vector<const EditEntry*> entries,
           std::vector<CaptureRequest> captures);

  // False if there is nothing to do at any site: the decoder then runs without a hook.
  bool active() const { return any_write_ || any_stream_ || !captures_.empty(); }
  bool WantsWrite(int site) const override { return wants_write_[site]; }
  void OnWrite(int site, at::Tensor& write) override;
  void OnStream(int site, at::Tensor& x) override;

  const std::vector<EditTally>& tallies() const { return tallies_; }

 private:
  void Apply(int site, EditTarget target, at::Tensor& x);
  int64_t hidden_;
  bool on_cpu_;
  std::vector<const EditEntry*> entries_;
  std::vector<CaptureRequest> captures_;
  std::vector<char> wants_write_, wants_stream_;  // by site
  bool any_write_ = false, any_stream_ = false;
  std::vector<EditTally> tallies_;  // by token
};

}  // namespace steer

#endif  // STEER_SERVER_ENGINE_STEP_HOOK_H_
