#include "server/readout/scores.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/status_macros.h"

namespace steer {
namespace {

absl::Status CheckFinite(absl::Span<const float> logits, absl::string_view which) {
  for (size_t i = 0; i < logits.size(); ++i) {
    if (!std::isfinite(logits[i])) {
      return MakeError(absl::StatusCode::kInternal, "NON_FINITE_LOGITS",
                       absl::StrCat(which, " logit of token ", i, " is ", logits[i]));
    }
  }
  return absl::OkStatus();
}

// log of a sum of exponentials as `largest` + log_rest. The parts stay apart: at 3e38 their float64
// sum would lose log_rest, and with it how many tokens share the largest logit.
struct LogSum {
  double largest = -std::numeric_limits<double>::infinity();
  double sum = 0;
  double log_rest() const { return std::log(sum); }
};

LogSum LogSumOf(absl::Span<const float> logits) {
  LogSum result;
  result.largest = *std::max_element(logits.begin(), logits.end());
  for (float logit : logits) result.sum += std::exp(logit - result.largest);
  return result;
}

absl::Status CheckIds(absl::Span<const int32_t> ids, size_t vocabulary) {
  if (ids.empty() || ids.size() >= vocabulary) {
    return absl::InvalidArgumentError(
        absl::StrCat("refusal ids: ", ids.size(), " given; wanted are 1 to ",
                     vocabulary == 0 ? 0 : vocabulary - 1, " of ", vocabulary, " tokens"));
  }
  for (size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] < 0 || static_cast<size_t>(ids[i]) >= vocabulary) {
      return absl::InvalidArgumentError(
          absl::StrCat("refusal id ", ids[i], " is outside the vocabulary of ", vocabulary));
    }
    if (i > 0 && ids[i] <= ids[i - 1]) {
      return absl::InvalidArgumentError(
          absl::StrCat("refusal ids are not strictly ascending at ", ids[i]));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<double> RefusalLogOdds(absl::Span<const float> logits,
                                      absl::Span<const int32_t> ids) {
  STEER_RETURN_IF_ERROR(CheckIds(ids, logits.size()));
  STEER_RETURN_IF_ERROR(CheckFinite(logits, "the"));
  // Calls in_ids(token) for every token in order, with one walk through the sorted ids.
  const auto for_each = [&](const auto& visit) {
    size_t next = 0;
    for (size_t token = 0; token < logits.size(); ++token) {
      const bool listed = next < ids.size() && static_cast<size_t>(ids[next]) == token;
      next += listed;
      visit(listed, double{logits[token]});
    }
  };
  LogSum listed_sum, rest_sum;
  for_each([&](bool listed, double logit) {
    double& largest = (listed ? listed_sum : rest_sum).largest;
    largest = std::max(largest, logit);
  });
  for_each([&](bool listed, double logit) {
    LogSum& sum = listed ? listed_sum : rest_sum;
    sum.sum += std::exp(logit - sum.largest);
  });
  return (listed_sum.largest - rest_sum.largest) + (listed_sum.log_rest() - rest_sum.log_rest());
}

absl::StatusOr<double> KlDivergence(absl::Span<const float> p_logits,
                                    absl::Span<const float> q_logits) {
  if (p_logits.empty() || p_logits.size() != q_logits.size()) {
    return absl::InvalidArgumentError(absl::StrCat("KL of distributions over ", p_logits.size(),
                                                   " and ", q_logits.size(), " tokens"));
  }
  STEER_RETURN_IF_ERROR(CheckFinite(p_logits, "the unedited"));
  STEER_RETURN_IF_ERROR(CheckFinite(q_logits, "the edited"));
  const LogSum p = LogSumOf(p_logits), q = LogSumOf(q_logits);
  const double p_log_rest = p.log_rest(), q_log_rest = q.log_rest();
  double kl = 0;
  for (size_t i = 0; i < p_logits.size(); ++i) {
    const double log_p = (p_logits[i] - p.largest) - p_log_rest;
    const double log_q = (q_logits[i] - q.largest) - q_log_rest;
    kl += std::exp(log_p) * (log_p - log_q);
  }
  return std::max(kl, 0.0);
}

}  // namespace steer
