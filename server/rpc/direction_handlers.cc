#include <utility>

#include "common/digest.h"
#include "common/status_macros.h"
#include "server/rpc/handlers.h"
#include "server/rpc/prepare.h"
#include "server/rpc/translate.h"
#include "server/rpc/validate.h"

namespace steer {
namespace {

constexpr int kDefaultPageSize = 50;
// A page ends early rather than outgrow the 4 MiB that clients take by default.
constexpr size_t kMaxPageBytes = size_t{2} << 20;

// "<set id>.<check>": the check ties a token to its filter and tells ours from anything else.
std::string PageToken(const std::string& set_id, const std::string& filter) {
  const std::string check = Sha256().Field("page").Field(set_id).Field(filter).Hex();
  return absl::StrCat(set_id, ".", check.substr(0, 16));
}

// The set id that a valid token carries; empty otherwise.
std::string ParsePageToken(const std::string& token, const std::string& filter) {
  const std::string set_id = token.substr(0, token.find('.'));
  return IsSha256Hex(set_id) && token == PageToken(set_id, filter) ? set_id : "";
}

}  // namespace

absl::Status HandleGetDirection(Call& call, const v1::GetDirectionRequest& request,
                                v1::GetDirectionResponse* response) {
  ViolationList violations;
  Validate(request, BoundsOf(call.engine()), &violations);
  STEER_RETURN_IF_ERROR(violations.ToStatus());
  call.audit().set_id = request.set_id();
  STEER_ASSIGN_OR_RETURN(const StoredSet stored, call.engine().store().Get(request.set_id()));
  if (request.has_direction()) {
    DirectionRef ref = FromProto(request.direction());
    ref.set_id = request.set_id();
    absl::StatusOr<ResolvedDirection> direction = ResolveDirection(*stored.set, ref);
    if (!direction.ok()) return InField(direction.status(), "direction");
    response->set_direction_digest(direction->digest);
    response->set_direction_norm(direction->norm);
    response->set_cosine_with_fitted(direction->cosine_with_fitted);
  }
  *response->mutable_set() = ToProto(stored);
  return absl::OkStatus();
}

absl::Status HandleListDirections(Call& call, const v1::ListDirectionsRequest& request,
                                  v1::ListDirectionsResponse* response) {
  ViolationList violations;
  Validate(request, &violations);
  const std::string& filter = request.model_fingerprint();
  std::string after;
  if (!request.page_token().empty()) {
    after = ParsePageToken(request.page_token(), filter);
    if (after.empty()) {
      violations.Add("page_token",
                     "is not one that this server gave for this filter; start again without it");
    }
  }
  STEER_RETURN_IF_ERROR(violations.ToStatus());
  const size_t size = request.page_size() == 0 ? kDefaultPageSize : request.page_size();
  absl::StatusOr<std::vector<StoredSet>> page = call.engine().store().List(filter, after, size + 1);
  if (!page.ok()) return InField(page.status(), "page_token");
  size_t bytes = 0;
  for (const StoredSet& stored : *page) {
    v1::DirectionSet set = ToProto(stored);
    bytes += set.ByteSizeLong();
    const size_t sent = static_cast<size_t>(response->sets_size());
    if (sent == size || (sent > 0 && bytes > kMaxPageBytes)) {
      response->set_next_page_token(
          PageToken(response->sets(response->sets_size() - 1).set_id(), filter));
      break;
    }
    *response->add_sets() = std::move(set);
  }
  call.audit().counts["sets"] = response->sets_size();
  return absl::OkStatus();
}

absl::Status HandleDeleteDirection(Call& call, const v1::DeleteDirectionRequest& request,
                                   v1::DeleteDirectionResponse*) {
  ViolationList violations;
  Validate(request, &violations);
  STEER_RETURN_IF_ERROR(violations.ToStatus());
  call.audit().set_id = request.set_id();
  return call.engine().store().Delete(request.set_id());
}

}  // namespace steer
