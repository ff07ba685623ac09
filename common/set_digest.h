// What names a direction set's numbers, for the program that makes sets and for those that check a file of one.
#ifndef STEER_COMMON_SET_DIGEST_H_
#define STEER_COMMON_SET_DIGEST_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace steer {

// Keys in the metadata of a set's safetensors file: its facts as canonical JSON, their SHA-256, and
// that of the per-prompt states where it holds them.
inline constexpr char kSetFactsKey[] = "steer_direction_set";
inline constexpr char kSetFactsDigestKey[] = "steer_direction_set_sha256";
inline constexpr char kSetStatesDigestKey[] = "steer_states_sha256";

// Everything that directions are read from. Tensors are the bytes of float32, little-endian, row by
// row; shapes with P positions, L layers: see each.
struct SetContent {
  int64_t format = 0;
  absl::string_view method;
  int64_t layers = 0;
  int64_t hidden = 0;
  std::vector<int32_t> positions;
  absl::string_view directions;           // [P, L, hidden]
  absl::string_view harmful_means;        // [P, 2L+1, hidden]
  absl::string_view harmless_means;       // [P, 2L+1, hidden]
  absl::string_view harmful_mean_norms;   // [P, 2L+1]
  absl::string_view harmless_mean_norms;  // [P, 2L+1]
  std::vector<bool> usable;               // [P * L], positions outermost
};

// The content digest. Pure.
std::string SetContentDigest(const SetContent& content);

}  // namespace steer

#endif  // STEER_COMMON_SET_DIGEST_H_
