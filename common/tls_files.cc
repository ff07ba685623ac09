#include "common/tls_files.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <memory>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/files.h"
#include "common/status_macros.h"

namespace steer {
namespace {

constexpr int64_t kMaxPemBytes = 1 << 20;

struct Free {
  void operator()(BIO* bio) const { BIO_free(bio); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
using Bio = std::unique_ptr<BIO, Free>;
using Certificate = std::unique_ptr<X509, Free>;
using Key = std::unique_ptr<EVP_PKEY, Free>;

absl::Status Bad(absl::string_view flag, absl::string_view file, absl::string_view what) {
  return MakeError(absl::StatusCode::kInvalidArgument, "BAD_TLS_FILE",
                   absl::StrCat(flag, ": '", file, "' ", what));
}

absl::StatusOr<std::string> ReadPem(absl::string_view flag, const std::string& file) {
  absl::StatusOr<std::string> pem = ReadFile(file, kMaxPemBytes);
  if (!pem.ok()) return Annotate(pem.status(), flag);
  if (!absl::StrContains(*pem, "-----BEGIN ")) return Bad(flag, file, "is not a PEM file");
  return pem;
}

Bio Memory(const std::string& text) {
  return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

// OpenSSL would ask for a pass phrase on the terminal.
int NoPassPhrase(char*, int, int, void* asked) {
  *static_cast<bool*>(asked) = true;
  return -1;
}

absl::StatusOr<Certificate> FirstCertificate(absl::string_view flag, const std::string& file,
                                             const std::string& pem) {
  const Bio bio = Memory(pem);
  Certificate certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
  ERR_clear_error();
  if (certificate == nullptr) return Bad(flag, file, "holds no certificate that can be read");
  // The rest of the chain: a file that is being written may end inside a certificate.
  while (Certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)) != nullptr) {
  }
  const bool end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  ERR_clear_error();
  if (!end) return Bad(flag, file, "holds a certificate that cannot be read");
  return certificate;
}

}  // namespace

absl::StatusOr<TlsPair> ReadTlsPair(const std::string& certificate_file,
                                    const std::string& key_file) {
  if (certificate_file.empty() || key_file.empty()) {
    return MakeError(absl::StatusCode::kInvalidArgument, "BAD_FLAG",
                     "--tls-cert and --tls-key must be given together");
  }
  TlsPair pair;
  STEER_ASSIGN_OR_RETURN(pair.certificates, ReadPem("--tls-cert", certificate_file));
  STEER_ASSIGN_OR_RETURN(pair.key, ReadPem("--tls-key", key_file));
  STEER_ASSIGN_OR_RETURN(const Certificate certificate,
                         FirstCertificate("--tls-cert", certificate_file, pair.certificates));
  bool locked = false;
  const Key key(PEM_read_bio_PrivateKey(Memory(pair.key).get(), nullptr, NoPassPhrase, &locked));
  const bool fits = key != nullptr && X509_check_private_key(certificate.get(), key.get()) == 1;
  ERR_clear_error();
  if (locked) return Bad("--tls-key", key_file, "has a pass phrase; give a key without one");
  if (key == nullptr) return Bad("--tls-key", key_file, "holds no private key that can be read");
  if (!fits) {
    return Bad("--tls-key", key_file,
               absl::StrCat("is not the key of the certificate in '", certificate_file, "'"));
  }
  return pair;
}

absl::StatusOr<std::string> ReadTlsAuthorities(absl::string_view flag, const std::string& file) {
  STEER_ASSIGN_OR_RETURN(std::string pem, ReadPem(flag, file));
  STEER_RETURN_IF_ERROR(FirstCertificate(flag, file, pem).status());
  return pem;
}

}  // namespace steer
