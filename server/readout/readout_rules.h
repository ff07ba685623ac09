// The readouts behind FindReadout. Used by readout.cc alone.
#ifndef STEER_SERVER_READOUT_READOUT_RULES_H_
#define STEER_SERVER_READOUT_READOUT_RULES_H_

#include <memory>
#include <string>
#include <vector>

#include "server/readout/readout.h"

namespace steer {

// Name, phrases and digest, which every rule holds alike.
class PhraseReadout : public Readout {
 public:
  PhraseReadout(std::string name, absl::Span<const absl::string_view> phrases);
  const std::string& name() const override { return name_; }
  const std::string& digest() const override { return digest_; }
  const std::vector<std::string>& phrases() const override { return phrases_; }

 private:
  std::string name_;
  std::vector<std::string> phrases_;
  std::string digest_;
};

// See opening_readout.cc.
std::shared_ptr<const Readout> MakeOpeningReadout();

}  // namespace steer

#endif  // STEER_SERVER_READOUT_READOUT_RULES_H_
