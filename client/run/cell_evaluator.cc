#include "client/run/cell_evaluator.h"

#include <deque>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/api/retry.h"
#include "client/run/cell_sink.h"
#include "client/run/receipt_check.h"
#include "common/errors.h"
#include "common/status_macros.h"

namespace steer {
namespace {

bool HasReason(const absl::Status& status, std::initializer_list<absl::string_view> reasons) {
  std::string reason = ReasonOf(status);
  for (absl::string_view r : reasons) {
    if (reason == r) return true;
  }
  return false;
}

// The server itself found that it had not done what was asked. Trying again until it does would
// turn a broken server into a quiet one.
bool ServerWasInexact(const absl::Status& status) {
  return HasReason(status,
                   {"EDIT_COUNT_MISMATCH", "CAPTURE_COUNT_MISMATCH", "DIRECTION_DIGEST_MISMATCH"});
}

}  // namespace

bool StopsTheRun(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return false;
    case absl::StatusCode::kCancelled:
    case absl::StatusCode::kUnauthenticated:
    case absl::StatusCode::kPermissionDenied:
      return true;
    default:
      break;
  }
  return IsRetryable(status) ||
         HasReason(status, {kDiskReason, "CELL_CONFLICT", "LOG_DAMAGED", "MODEL_MISMATCH",
                            "NUMERICS_MISMATCH", kNumericsChanged, "LOCK_SERVER_MISMATCH"});
}

bool MayPass(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kUnknown:
    case absl::StatusCode::kAborted:
    case absl::StatusCode::kDataLoss:
    case absl::StatusCode::kDeadlineExceeded:
      return !HasReason(status, {kWrongReceipt}) && !ServerWasInexact(status);
    default:
      return IsRetryable(status);
  }
}

absl::Status LogFailure(const std::string& of, const std::string& plan_digest,
                        const absl::Status& why, ResultLog* log, RunObserver* observer) {
  FailureRecord failure;
  failure.plan_digest = plan_digest;
  failure.of = of;
  while (log->Find(FailureKey(of, failure.number)) != nullptr) ++failure.number;
  failure.code = absl::StatusCodeToString(why.code());
  failure.reason = ReasonOf(why);
  // Only our own words are kept: the server's may quote a prompt.
  if (failure.reason == kWrongReceipt) failure.note = std::string(why.message());
  STEER_RETURN_IF_ERROR(log->Append(ToRecord(failure, Json::object())));
  observer->OnFailure(failure, why);
  return absl::OkStatus();
}

absl::Status EvaluateCells(const CellContext& context, const std::vector<Cell>& cells,
                           const RunOptions& options, Client* client, ResultLog* log,
                           RunObserver* observer) {
  auto key = [&](const Cell& cell) {
    return CellKey(context.prompts.seed, context.stage, cell.arm.name);
  };
  // Numbers of failures before this run, so that those of this run are told apart.
  std::map<std::string, int> failures_before;
  std::vector<Cell> missing;
  for (const Cell& cell : cells) {
    if (log->Find(key(cell)) != nullptr) continue;
    int& before = failures_before[key(cell)];
    while (log->Find(FailureKey(key(cell), before + 1)) != nullptr) ++before;
    missing.push_back(cell);
  }
  auto settled = [&](const Cell& cell) {
    return log->Find(key(cell)) != nullptr ||
           log->Find(FailureKey(key(cell), failures_before[key(cell)] + 1)) != nullptr;
  };

  std::deque<std::vector<Cell>> calls;
  for (const std::vector<size_t>& group : PackCells(context, missing)) {
    calls.emplace_back();
    for (size_t i : group) calls.back().push_back(missing[i]);
  }
  std::map<std::string, int> attempts;
  while (!calls.empty()) {
    if (options.stop_soon && options.stop_soon())
      return absl::CancelledError("stopped by the user");
    std::vector<Cell> call = std::move(calls.front());
    calls.pop_front();
    v1::EvaluateRequest request = BuildEvaluate(context, call);
    request.set_request_id(NewRequestId());
    CellSink sink(context, call, options, log, observer);
    absl::Status status = client->Evaluate(request, Unfinished::kRestart, &sink).status();
    if (ReasonOf(status) == "NUMERICS_MISMATCH") {
      return MakeError(
          absl::StatusCode::kFailedPrecondition, kNumericsChanged,
          absl::StrCat("the server was replaced in the middle of seed ", context.prompts.seed,
                       ": its numeric fingerprint is another one. Start the server as it was and "
                       "run again, or start anew in another folder"));
    }
    if (StopsTheRun(status)) return status;
    std::vector<Cell> left;
    for (Cell& cell : call) {
      if (!settled(cell)) left.push_back(std::move(cell));
    }
    // None is left of a call that ended well: the client takes no end before every arm is complete.
    if (left.empty()) continue;
    if (ServerWasInexact(status)) {
      for (const Cell& cell : left) {
        STEER_RETURN_IF_ERROR(LogFailure(key(cell), context.lock.digest, status, log, observer));
      }
      continue;
    }
    if (left.size() > 1) {
      auto middle = left.begin() + static_cast<std::ptrdiff_t>(left.size() / 2);
      calls.emplace_front(middle, left.end());
      calls.emplace_front(left.begin(), middle);
      continue;
    }
    if (MayPass(status) && ++attempts[key(left[0])] < options.attempts) {
      absl::SleepFor(options.attempt_wait);
      calls.push_front(std::move(left));
      continue;
    }
    STEER_RETURN_IF_ERROR(LogFailure(key(left[0]), context.lock.digest, status, log, observer));
  }
  return absl::OkStatus();
}

}  // namespace steer
