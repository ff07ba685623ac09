// Where the residual stream may be read and edited: 2L+1 sites. Site 0 follows the embedding (input of block 0), site 2l+1 the attention
// write of block l, site 2l+2 its MLP write (input of block l+1). A write is what is added, after any post-norm and any scaling, so an edit
// means the same in every family.
#ifndef STEER_SERVER_MODEL_SITE_HOOK_H_
#define STEER_SERVER_MODEL_SITE_HOOK_H_

#include <ATen/core/Tensor.h>

namespace steer {

// Called on the engine thread during Decoder::Forward, in site order. At site 0 the write is the embedding and the stream before it is zero.
class SiteHook {
 public:
  virtual ~SiteHook() = default;
  // True if OnWrite has work at the site; the decoder may fuse the add otherwise.
  virtual bool WantsWrite(int site) const = 0;
  // `write` [T, hidden], the model's type, contiguous: may be changed in place before it is added.
  virtual void OnWrite(int site, at::Tensor& write) = 0;
  // `x` [T, hidden], the stream after the write: may be read and changed in place.
  virtual void OnStream(int site, at::Tensor& x) = 0;
};

}  // namespace steer

#endif  // STEER_SERVER_MODEL_SITE_HOOK_H_
