// PEM files of TLS, looked at before gRPC sees them: it keeps silent about what is wrong with one.
// Flags are named as steerd and steerctl both have them.
#ifndef STEER_COMMON_TLS_FILES_H_
#define STEER_COMMON_TLS_FILES_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace steer {

struct TlsPair {
  std::string certificates;  // PEM: ours first, then the chain up to an authority
  std::string key;           // PEM
};

// --tls-cert and --tls-key. INVALID_ARGUMENT naming flag and file: only one of the two, no
// certificate or no key in the file, a key with a pass phrase, a key that is not the certificate's.
// Errors of files name them. Dates are not looked at: the other side's clock judges them.
absl::StatusOr<TlsPair> ReadTlsPair(const std::string& certificate_file,
                                    const std::string& key_file);

// PEM of one or more authorities; `flag` is named in errors.
absl::StatusOr<std::string> ReadTlsAuthorities(absl::string_view flag, const std::string& file);

}  // namespace steer

#endif  // STEER_COMMON_TLS_FILES_H_
