#include "common/numeric_fingerprint.h"

#include "common/digest.h"

namespace steer {

std::string NumericFingerprint(const std::map<std::string, std::string>& facts) {
  Sha256 digest;
  for (const auto& [name, value] : facts) digest.Field(name).Field(value);
  return digest.Hex();
}

}  // namespace steer
