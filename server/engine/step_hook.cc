#include "server/engine/step_hook.h"

#include <ATen/ops/from_blob.h>
#include <ATen/ops/tensor.h>

#include <cstring>
#include <set>
#include <utility>

namespace steer {

StepHook::StepHook(int64_t sites, int64_t hidden, bool on_cpu,
                   std::vector<const EditEntry*> entries, std::vector<CaptureRequest> captures)
    : hidden_(hidden),
      on_cpu_(on_cpu),
      entries_(std::move(entries)),
      captures_(std::move(captures)),
      wants_write_(sites, 0),
      wants_stream_(sites, 0),
      tallies_(entries_.size()) {
  std::set<const EditEntry*> distinct(entries_.begin(), entries_.end());
  distinct.erase(nullptr);
  for (const EditEntry* entry : distinct) {
    for (int64_t site = 0; site < sites; ++site) {
      if (entry->write[site] != nullptr) wants_write_[site] = any_write_ = true;
      if (entry->stream[site] != nullptr) wants_stream_[site] = any_stream_ = true;
    }
  }
}

void StepHook::Apply(int site, EditTarget target, at::Tensor& x) {
  auto apply = on_cpu_ ? &ApplyEditsCpu : &ApplyEditsTorch;
  apply(site, target, entries_, x, absl::MakeSpan(tallies_));
}

void StepHook::OnWrite(int site, at::Tensor& write) { Apply(site, EditTarget::kWrite, write); }

void StepHook::OnStream(int site, at::Tensor& x) {
  if (wants_stream_[site]) Apply(site, EditTarget::kStream, x);
  for (const CaptureRequest& capture : captures_) {
    at::Tensor state = x.select(0, capture.token).to(at::kCPU, at::kFloat).contiguous();
    std::memcpy(capture.destination + site * hidden_, state.const_data_ptr<float>(),
                static_cast<size_t>(hidden_) * sizeof(float));
    ++*capture.count;
  }
}

}  // namespace steer
