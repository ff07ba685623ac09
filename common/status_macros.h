// Early return on a status that is not OK.
#ifndef STEER_COMMON_STATUS_MACROS_H_
#define STEER_COMMON_STATUS_MACROS_H_

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#define STEER_RETURN_IF_ERROR(expr)                \
  do {                                             \
    absl::Status steer_status_ = (expr);           \
    if (!steer_status_.ok()) return steer_status_; \
  } while (false)

#define STEER_CONCAT_INNER_(a, b) a##b
#define STEER_CONCAT_(a, b) STEER_CONCAT_INNER_(a, b)

// STEER_ASSIGN_OR_RETURN(auto x, F()); for a type with a comma, declare it first and assign.
#define STEER_ASSIGN_OR_RETURN(lhs, expr) \
  STEER_ASSIGN_OR_RETURN_IMPL_(STEER_CONCAT_(steer_statusor_, __LINE__), lhs, expr)
#define STEER_ASSIGN_OR_RETURN_IMPL_(tmp, lhs, expr) \
  auto tmp = (expr);                                 \
  if (!tmp.ok()) return std::move(tmp).status();     \
  lhs = *std::move(tmp)

#endif  // STEER_COMMON_STATUS_MACROS_H_
