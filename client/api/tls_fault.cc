#include "client/api/tls_fault.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/errors.h"

namespace steer {
namespace {

struct Known {
  absl::string_view words;  // gRPC's or OpenSSL's
  absl::string_view meaning;
};

constexpr Known kKnown[] = {
    {"certificate verify failed",
     "the server's certificate is not of an authority that we trust (--tls-ca), or it is out of "
     "date"},
    {"is not in peer certificate",
     "the server's certificate is not for the name that we connect to; --tls-name says which name "
     "to expect"},
    {"wrong version number",
     "the server does not speak TLS; leave out the --tls flags, or start steerd with --tls-cert "
     "and --tls-key"},
};

}  // namespace

absl::optional<absl::Status> TlsFaultOf(absl::string_view message) {
  for (const Known& known : kKnown) {
    if (!absl::StrContains(message, known.words)) continue;
    return MakeError(absl::StatusCode::kUnauthenticated, kTlsFault,
                     absl::StrCat("no TLS connection: ", known.meaning));
  }
  return absl::nullopt;
}

std::string ClosedConnectionHint(absl::string_view message, const ChannelOptions& options) {
  if (!absl::StrContains(message, "Socket closed")) return "";
  if (!UsesTls(options)) return "If it listens with TLS, say so with --tls-ca.";
  if (options.certificate_file.empty()) {
    return "If it asks for client certificates, give --tls-cert and --tls-key.";
  }
  return "It may not trust the certificate in --tls-cert; its log says.";
}

}  // namespace steer
