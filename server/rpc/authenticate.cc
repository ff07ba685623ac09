#include "server/rpc/authenticate.h"

#include <grpc/grpc_security_constants.h>

#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/bearer_token.h"
#include "common/errors.h"

namespace steer {
namespace {

constexpr absl::string_view kScheme = "Bearer ";

absl::Status Unauthenticated(absl::string_view reason, absl::string_view message) {
  return MakeError(absl::StatusCode::kUnauthenticated, reason, message);
}

}  // namespace

absl::Span<const MethodRole> MethodRoles() {
  // read: facts about model and sets. run: what costs compute or hands out vectors and states.
  // admin: what changes the store other than by a fit.
  static constexpr MethodRole kRoles[] = {
      {"GetModel", Role::kRead},         {"Tokenize", Role::kRead},
      {"GetDirection", Role::kRead},     {"ListDirections", Role::kRead},
      {"FitDirection", Role::kRun},      {"Evaluate", Role::kRun},
      {"Generate", Role::kRun},          {"ExportDirection", Role::kRun},
      {"ImportDirection", Role::kAdmin}, {"DeleteDirection", Role::kAdmin},
  };
  return kRoles;
}

absl::optional<Role> RoleOf(absl::string_view method) {
  for (const MethodRole& entry : MethodRoles()) {
    if (entry.method == method) return entry.role;
  }
  return absl::nullopt;
}

absl::Status Authorise(const TokensFile* tokens, absl::string_view method,
                       const CallMetadata& metadata, Caller* caller) {
  if (tokens == nullptr) return absl::OkStatus();
  const auto range = metadata.equal_range("authorization");
  if (range.first == range.second) {
    return Unauthenticated("TOKEN_MISSING",
                           "this server asks for a token; give one with --token-file "
                           "(authorization: Bearer TOKEN)");
  }
  const auto unknown = [] {
    return Unauthenticated("TOKEN_UNKNOWN",
                           "the token is not one of this server's; ask who runs it for one");
  };
  absl::string_view value(range.first->second.data(), range.first->second.size());
  if (std::next(range.first) != range.second || !absl::ConsumePrefix(&value, kScheme) ||
      value.size() < kMinTokenBytes || value.size() > kMaxTokenBytes) {
    return unknown();
  }
  const absl::optional<TokenEntry> entry = tokens->Find(value);
  if (!entry) return unknown();
  caller->token = entry->name;
  const absl::optional<Role> needed = RoleOf(method);
  if (!needed || entry->role < *needed) {
    return MakeError(absl::StatusCode::kPermissionDenied, "ROLE_TOO_WEAK",
                     absl::StrCat("the token has the role ", RoleName(entry->role), "; ", method,
                                  " needs ", needed ? RoleName(*needed) : "one that nobody has"));
  }
  return absl::OkStatus();
}

std::string CertificateSubject(const grpc::AuthContext* context) {
  if (context == nullptr || !context->IsPeerAuthenticated()) return "";
  const std::vector<grpc::string_ref> subject =
      context->FindPropertyValues(GRPC_X509_SUBJECT_PROPERTY_NAME);
  // Bounded: it is copied into every audit line of the peer.
  return subject.empty() ? "" : std::string(subject[0].data(), subject[0].size()).substr(0, 256);
}

}  // namespace steer
