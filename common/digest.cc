#include "common/digest.h"

#include <openssl/evp.h>

#include "absl/strings/escaping.h"

namespace steer {

Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
  EVP_DigestInit_ex(context_, EVP_sha256(), nullptr);
}
Sha256::~Sha256() { EVP_MD_CTX_free(context_); }

Sha256& Sha256::Update(const void* data, size_t size) {
  EVP_DigestUpdate(context_, data, size);
  return *this;
}
Sha256& Sha256::Update(absl::string_view bytes) { return Update(bytes.data(), bytes.size()); }
Sha256& Sha256::Field(absl::string_view bytes) {
  return Field(uint64_t{bytes.size()}).Update(bytes);
}
Sha256& Sha256::Field(uint64_t value) {
  unsigned char bytes[8];
  for (int i = 0; i < 8; ++i) bytes[i] = static_cast<unsigned char>(value >> (8 * i));
  return Update(bytes, sizeof(bytes));
}

std::string Sha256::Hex() {
  unsigned char digest[32];
  unsigned int size = 0;
  EVP_DigestFinal_ex(context_, digest, &size);
  return absl::BytesToHexString(absl::string_view(reinterpret_cast<const char*>(digest), size));
}

std::string Sha256Hex(absl::string_view bytes) { return Sha256().Update(bytes).Hex(); }

bool IsSha256Hex(absl::string_view text) {
  if (text.size() != 64) return false;
  for (char c : text) {
    if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) return false;
  }
  return true;
}

}  // namespace steer
