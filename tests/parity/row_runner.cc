#include "tests/parity/row_runner.h"

#include <ATen/ops/argmax.h>
#include <c10/core/InferenceMode.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "server/weights/safetensors.h"

namespace steer {
namespace {

constexpr int32_t kPiece = 128;
constexpr int64_t kHeadRows = 32;

// The stream at the even sites, appended piece by piece: [sites][tokens x hidden].
class KeepBlockInputs : public SiteHook {
 public:
  explicit KeepBlockInputs(int64_t layers) : kept_(static_cast<size_t>(layers + 1)) {}
  bool WantsWrite(int) const override { return false; }
  void OnWrite(int, at::Tensor&) override {}
  void OnStream(int site, at::Tensor& x) override {
    if (site % 2 != 0) return;
    const at::Tensor wide = x.to(at::kFloat).contiguous();
    std::vector<float>& to = kept_[static_cast<size_t>(site / 2)];
    to.insert(to.end(), wide.data_ptr<float>(), wide.data_ptr<float>() + wide.numel());
  }
  std::vector<float> All() const {
    std::vector<float> all;
    for (const std::vector<float>& site : kept_) all.insert(all.end(), site.begin(), site.end());
    return all;
  }

 private:
  std::vector<std::vector<float>> kept_;
};

class Runner {
 public:
  Runner(Decoder& decoder, absl::Span<const int32_t> positions)
      : decoder_(decoder), positions_(positions), hook_(decoder.config().layers) {}

  RowValues Run(absl::Span<const int32_t> ids, int32_t greedy) {
    RowValues values;
    const int32_t n = static_cast<int32_t>(ids.size());
    for (int32_t from = 0; from < n; from += kPiece) {
      const int32_t count = std::min(kPiece, n - from);
      Judge(
          Forward(ids.subspan(static_cast<size_t>(from), static_cast<size_t>(count)), from, &hook_),
          from, &values);
    }
    values.states = hook_.All();
    int32_t next = values.top1.back();
    for (int32_t i = 0; i < greedy; ++i) {
      values.greedy.push_back(next);
      if (i + 1 == greedy) break;
      next = Best(decoder_.Logits(Forward(absl::MakeConstSpan(&next, 1), n + i, nullptr)))[0];
    }
    return values;
  }

 private:
  at::Tensor Forward(absl::Span<const int32_t> ids, int32_t context, SiteHook* hook) {
    const StepRow row{0, context, 0, static_cast<int32_t>(ids.size())};
    return decoder_.Forward({ids, absl::MakeConstSpan(&row, 1)}, hook);
  }
  static std::vector<int32_t> Best(const at::Tensor& logits) {
    const at::Tensor best = at::argmax(logits, -1).contiguous();
    const int64_t* ids = best.data_ptr<int64_t>();
    return std::vector<int32_t>(ids, ids + best.numel());
  }
  // Logits of a piece whose first token is at position `from`.
  void Judge(const at::Tensor& x, int64_t from, RowValues* values) {
    for (int64_t row = 0; row < x.size(0); row += kHeadRows) {
      const int64_t rows = std::min(kHeadRows, x.size(0) - row);
      const at::Tensor logits = decoder_.Logits(x.narrow(0, row, rows)).contiguous();
      for (int32_t id : Best(logits)) values->top1.push_back(id);
      for (int64_t i = 0; i < rows; ++i) {
        const int32_t position = static_cast<int32_t>(from + row + i);
        if (std::find(positions_.begin(), positions_.end(), position) == positions_.end()) continue;
        const float* one = logits.data_ptr<float>() + i * logits.size(1);
        values->logits.insert(values->logits.end(), one, one + logits.size(1));
      }
    }
  }

  Decoder& decoder_;
  const absl::Span<const int32_t> positions_;
  KeepBlockInputs hook_;
};

TensorView Int32View(const std::vector<int32_t>& values) {
  return {TensorType::kInt32,
          {static_cast<int64_t>(values.size())},
          {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(int32_t)}};
}

}  // namespace

absl::StatusOr<RowValues> RunRow(Decoder& decoder, absl::Span<const int32_t> ids, int32_t greedy,
                                 absl::Span<const int32_t> positions) {
  if (ids.empty()) return absl::InvalidArgumentError("a prompt without tokens");
  try {
    c10::InferenceMode inference;
    return Runner(decoder, positions).Run(ids, greedy);
  } catch (const c10::Error& e) {
    return absl::InvalidArgumentError(e.what_without_backtrace());
  }
}

absl::Status WriteRow(const RowValues& values, const ModelConfig& config, const std::string& path) {
  const int64_t n = static_cast<int64_t>(values.top1.size());
  const int64_t kept = static_cast<int64_t>(values.logits.size()) / config.vocabulary;
  STEER_ASSIGN_OR_RETURN(
      const std::string bytes,
      SerializeSafetensors(
          {{"states", Float32View(values.states, {config.layers + 1, n, config.hidden})},
           {"logits", Float32View(values.logits, {kept, config.vocabulary})},
           {"top1", Int32View(values.top1)},
           {"greedy", Int32View(values.greedy)}},
          {}));
  std::ofstream file(path, std::ios::binary);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  file.close();
  return file ? absl::OkStatus()
              : absl::UnavailableError(absl::StrCat(path, ": cannot be written"));
}

}  // namespace steer
