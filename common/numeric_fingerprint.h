// The name of how a server computes, from the facts that can change bits.
#ifndef STEER_COMMON_NUMERIC_FINGERPRINT_H_
#define STEER_COMMON_NUMERIC_FINGERPRINT_H_

#include <map>
#include <string>

namespace steer {

// SHA-256 over names and values, in the order of the names: who holds the facts can check them
// against the fingerprint. Pure.
std::string NumericFingerprint(const std::map<std::string, std::string>& facts);

}  // namespace steer

#endif  // STEER_COMMON_NUMERIC_FINGERPRINT_H_
