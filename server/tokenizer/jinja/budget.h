// What one rendering may spend. Every loop over something that a template can make large charges
// it, so that no template and no prompt can hold a thread or the memory.
#ifndef STEER_SERVER_TOKENIZER_JINJA_BUDGET_H_
#define STEER_SERVER_TOKENIZER_JINJA_BUDGET_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "common/errors.h"

namespace steer::jinja {

inline constexpr int64_t kMaxSteps = 1000000;  // nodes visited, items iterated, comparisons
inline constexpr int64_t kMaxBytes = int64_t{128}
                                     << 20;  // of all texts and lists built or read, living or dead
inline constexpr size_t kMaxOutput = size_t{1} << 20;  // bytes of rendered text
inline constexpr int kMaxEvalDepth = 800;              // nested evaluation, macro calls included
inline constexpr int kMaxValueDepth = 200;             // nested lists and dicts

inline absl::Status TooMuch(absl::string_view what) {
  return MakeError(absl::StatusCode::kResourceExhausted, "TEMPLATE_TOO_EXPENSIVE", what);
}

// Not thread-safe: one per rendering.
class Budget {
 public:
  absl::Status Step(int64_t count = 1) {
    steps_ += count;
    if (steps_ > kMaxSteps)
      return TooMuch(absl::StrCat("rendering takes more than ", kMaxSteps, " steps"));
    return absl::OkStatus();
  }
  absl::Status Bytes(size_t count) {
    bytes_ += static_cast<int64_t>(count);
    if (count > static_cast<size_t>(kMaxBytes) || bytes_ > kMaxBytes) {
      return TooMuch(absl::StrCat("rendering builds more than ", kMaxBytes, " bytes"));
    }
    return absl::OkStatus();
  }
  // A name looked for among so many.
  absl::Status Names(size_t count) { return Step(static_cast<int64_t>(count / 16)); }
  absl::Status Enter() {
    if (++depth_ > kMaxEvalDepth)
      return TooMuch(absl::StrCat("evaluation is nested deeper than ", kMaxEvalDepth));
    return absl::OkStatus();
  }
  void Leave() { --depth_; }

 private:
  int64_t steps_ = 0;
  int64_t bytes_ = 0;
  int depth_ = 0;
};

// Leaves what Enter entered, also where Enter failed.
class DepthGuard {
 public:
  explicit DepthGuard(Budget& budget) : budget_(budget), status_(budget.Enter()) {}
  ~DepthGuard() { budget_.Leave(); }
  DepthGuard(const DepthGuard&) = delete;
  DepthGuard& operator=(const DepthGuard&) = delete;
  const absl::Status& status() const { return status_; }

 private:
  Budget& budget_;
  absl::Status status_;
};

// What a Python exception inside a template becomes.
inline absl::Status Fail(absl::string_view what) {
  return MakeError(absl::StatusCode::kInvalidArgument, "TEMPLATE_FAILED", what);
}

}  // namespace steer::jinja

#endif  // STEER_SERVER_TOKENIZER_JINJA_BUDGET_H_
