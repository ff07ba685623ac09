// Who calls and whether they may: the one table of roles, and the check that every call passes
// before admission, and before anything looks at its message (gRPC has by then parsed the bytes of
// a single request, within its size limit).
#ifndef STEER_SERVER_RPC_AUTHENTICATE_H_
#define STEER_SERVER_RPC_AUTHENTICATE_H_

#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "absl/types/span.h"
#include "grpcpp/security/auth_context.h"
#include "grpcpp/support/string_ref.h"
#include "server/rpc/tokens_file.h"

namespace steer {

struct MethodRole {
  absl::string_view method;
  Role role;  // the least that may call it
};

// Every method of the service. One that is missing here can be called by nobody. Health is not a
// method of this service and is open to all.
absl::Span<const MethodRole> MethodRoles();
absl::optional<Role> RoleOf(absl::string_view method);

// What the audit log says of the caller.
struct Caller {
  std::string token;        // name in the tokens file; empty without one
  std::string certificate;  // subject of the verified client certificate; empty without one
};

using CallMetadata = std::multimap<grpc::string_ref, grpc::string_ref>;

// OK, UNAUTHENTICATED (TOKEN_MISSING, TOKEN_UNKNOWN) or PERMISSION_DENIED (ROLE_TOO_WEAK). `tokens`
// is null where the server was started without: then all may call. `caller->token` is filled
// wherever the token is known, refused or not.
absl::Status Authorise(const TokensFile* tokens, absl::string_view method,
                       const CallMetadata& metadata, Caller* caller);

// Of the client's certificate, which the handshake has verified; "" without one.
std::string CertificateSubject(const grpc::AuthContext* context);

}  // namespace steer

#endif  // STEER_SERVER_RPC_AUTHENTICATE_H_
