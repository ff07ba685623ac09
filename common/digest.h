// SHA-256, by OpenSSL.
#ifndef STEER_COMMON_DIGEST_H_
#define STEER_COMMON_DIGEST_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"

struct evp_md_ctx_st;

namespace steer {

// Incremental. Not thread-safe.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;
  Sha256& Update(absl::string_view bytes);
  Sha256& Update(const void* data, size_t size);
  // Length-prefixed, so that ("ab","c") and ("a","bc") differ.
  Sha256& Field(absl::string_view bytes);
  Sha256& Field(uint64_t value);  // as 8 little-endian bytes
  // 64 lower-case hex digits; ends the object's use.
  std::string Hex();

 private:
  evp_md_ctx_st* context_;
};

std::string Sha256Hex(absl::string_view bytes);

// True for 64 lower-case hex digits.
bool IsSha256Hex(absl::string_view text);

}  // namespace steer

#endif  // STEER_COMMON_DIGEST_H_
