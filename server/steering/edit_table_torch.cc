// The kernel's twin in libtorch ops: distinct edits become a dense table [E, K, hidden], gathered
// by token.
#include <ATen/ops/from_blob.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros_like.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "common/failpoint.h"
#include "server/steering/edit_lookup.h"
#include "server/steering/edit_table.h"

namespace steer {
namespace {

at::Tensor ToDevice(std::vector<float>* values, at::IntArrayRef shape, const at::Tensor& like) {
  return at::from_blob(values->data(), shape, at::TensorOptions().dtype(at::kFloat))
      .to(like.device(), at::kFloat, /*non_blocking=*/false, /*copy=*/true);
}

at::Tensor ToDevice(std::vector<int64_t>* values, const at::Tensor& like) {
  return at::from_blob(values->data(), {static_cast<int64_t>(values->size())},
                       at::TensorOptions().dtype(at::kLong))
      .to(like.device(), at::kLong, /*non_blocking=*/false, /*copy=*/true);
}

// Distinct edits side by side, padded with zero columns to the widest.
class DenseTable {
 public:
  DenseTable(const std::vector<TokenEdit>& edits, const at::Tensor& x) {
    std::vector<const LinearEdit*> distinct;
    std::map<const LinearEdit*, int64_t> index;
    std::vector<int64_t> tokens, which;
    for (const TokenEdit& edit : edits) {
      const auto [it, is_new] = index.emplace(edit.edit, static_cast<int64_t>(distinct.size()));
      if (is_new) distinct.push_back(edit.edit);
      tokens.push_back(edit.token);
      which.push_back(it->second);
    }
    int64_t columns = 1, rows = 0;
    for (const LinearEdit* edit : distinct) {
      columns = std::max<int64_t>(columns, edit->k);
      rows = std::max<int64_t>(rows, edit->ablated);
    }
    const int64_t count = static_cast<int64_t>(distinct.size()), hidden = x.size(1);
    std::vector<float> v(static_cast<size_t>(count * columns * hidden)), u(v.size());
    std::vector<float> b(static_cast<size_t>(count * columns));
    std::vector<float> basis(static_cast<size_t>(count * rows * hidden));
    for (int64_t e = 0; e < count; ++e) {
      const LinearEdit& edit = *distinct[static_cast<size_t>(e)];
      std::copy(edit.v.begin(), edit.v.end(), v.begin() + e * columns * hidden);
      std::copy(edit.u.begin(), edit.u.end(), u.begin() + e * columns * hidden);
      std::copy(edit.b.begin(), edit.b.end(), b.begin() + e * columns);
      std::copy(edit.ablated_basis.begin(), edit.ablated_basis.end(),
                basis.begin() + e * rows * hidden);
    }
    tokens_ = ToDevice(&tokens, x);
    const at::Tensor chosen = ToDevice(&which, x);
    v_ = ToDevice(&v, {count, columns, hidden}, x).index_select(0, chosen);
    u_ = ToDevice(&u, {count, columns, hidden}, x).index_select(0, chosen);
    b_ = ToDevice(&b, {count, columns}, x).index_select(0, chosen);
    if (rows > 0) basis_ = ToDevice(&basis, {count, rows, hidden}, x).index_select(0, chosen);
  }

  const at::Tensor& tokens() const { return tokens_; }  // [n]
  // x + V (b - U^T x) for x [n, hidden].
  at::Tensor Edit(const at::Tensor& x) const {
    const at::Tensor weights = b_.sub(u_.mul(x.unsqueeze(1)).sum(-1));
    return x.add(v_.mul(weights.unsqueeze(-1)).sum(1));
  }
  // Norm of the projections left on what each edit ablates, [n].
  at::Tensor Left(const at::Tensor& x) const {
    if (!basis_.defined()) return x.new_zeros({x.size(0)});
    return basis_.mul(x.unsqueeze(1)).sum(-1).square().sum(-1).sqrt();
  }

 private:
  at::Tensor tokens_, v_, u_, b_, basis_;
};

// a / b, 0 where b is 0.
at::Tensor Ratio(const at::Tensor& a, const at::Tensor& b) {
  return at::where(b.ne(0), a.div(b), at::zeros_like(a));
}

}  // namespace

int64_t ApplyEditsTorch(int site, EditTarget target, absl::Span<const EditEntry* const> entries,
                        at::Tensor& x, absl::Span<EditTally> tallies) {
  if (FailpointSkips("edit.skip_site")) return 0;
  const std::vector<TokenEdit> edits = FindEdits(site, target, entries, x, tallies.size());
  if (edits.empty()) return 0;
  const DenseTable table(edits, x);
  const at::Tensor stored = x.index_select(0, table.tokens());
  const at::Tensor before = stored.to(at::kFloat);
  // An equal value keeps its bits, as in the CPU kernel.
  const at::Tensor rounded = table.Edit(before).to(x.scalar_type());
  const at::Tensor written = at::where(rounded.eq(stored), stored, rounded);
  x.index_copy_(0, table.tokens(), written);
  const at::Tensor after = written.to(at::kFloat);
  const at::Tensor dose = Ratio(after.sub(before).norm(2, {-1}), before.norm(2, {-1}));
  const at::Tensor residual = Ratio(table.Left(after), after.norm(2, {-1}));
  const at::Tensor read = at::stack({dose, residual}).to(at::kCPU).contiguous();
  const float* numbers = read.const_data_ptr<float>();
  for (size_t i = 0; i < edits.size(); ++i) {
    EditTally& tally = tallies[static_cast<size_t>(edits[i].token)];
    ++tally.edits;
    tally.dose += numbers[i];
    tally.largest_residual = LargerOrNaN(tally.largest_residual, double{numbers[edits.size() + i]});
  }
  return static_cast<int64_t>(edits.size());
}

}  // namespace steer
