// The rules of proto Op that need no direction. No torch.
#ifndef STEER_SERVER_STEERING_OP_CHECK_H_
#define STEER_SERVER_STEERING_OP_CHECK_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "common/errors.h"
#include "server/steering/intervention.h"

namespace steer {

inline constexpr size_t kMaxOps = 16;
inline constexpr size_t kMaxAblatedTogether = 8;
inline constexpr double kMaxCoefficient = 1000;

// "ablate", "add", "set_projection": the field of proto Op.
absl::string_view OpName(OpKind kind);

// Path of the op's index-th direction below the op's own path.
std::string DirectionPath(absl::string_view op_path, OpKind kind, size_t index);

// Target and sites with the defaults of proto Op filled in.
EditTarget TargetOf(const OpSpec& op);
std::vector<int> SitesOf(const OpSpec& op, const ModelShape& shape);

// Adds every rule that `op` breaks.
void CheckOp(const OpSpec& op, const ModelShape& shape, const std::string& path,
             ViolationList* violations);

}  // namespace steer

#endif  // STEER_SERVER_STEERING_OP_CHECK_H_
