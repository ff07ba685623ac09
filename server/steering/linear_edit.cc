#include "server/steering/linear_edit.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "server/steering/op_check.h"

namespace steer {
namespace {

constexpr double kOrthogonal = 1e-6;

bool Projects(const ReadyOp& op) { return op.kind != OpKind::kAdd; }

// Sends the projections on its basis to zero.
bool Zeroes(const ReadyOp& op) {
  return (op.kind == OpKind::kAblate && op.amount == 1) ||
         (op.kind == OpKind::kSetProjection && op.amount == 0);
}

// Both leave the same x, whichever of them comes first and however often.
bool SameAndIdempotent(const ReadyOp& a, const ReadyOp& b) {
  if (!SameSpan(a.basis, b.basis, kOrthogonal)) return false;
  if (Zeroes(a) && Zeroes(b)) return true;
  // A value is set along a unit vector, so its sign counts too.
  return a.kind == OpKind::kSetProjection && b.kind == OpKind::kSetProjection &&
         a.amount == b.amount && Dot(a.basis[0], b.basis[0]) > 0;
}

void AddColumn(const std::vector<double>& v, double v_scale, const std::vector<double>& u, double b,
               LinearEdit* edit) {
  for (double value : v) edit->v.push_back(static_cast<float>(v_scale * value));
  for (double value : u) edit->u.push_back(static_cast<float>(value));
  edit->b.push_back(static_cast<float>(b));
  ++edit->k;
}

}  // namespace

std::string WhyNotMergeable(const ReadyOp& a, const ReadyOp& b) {
  if (a.target != b.target) {
    const ReadyOp& on_write = a.target == EditTarget::kWrite ? a : b;
    const ReadyOp& on_stream = a.target == EditTarget::kWrite ? b : a;
    if (Projects(on_write) || !Projects(on_stream) ||
        ShareInside(on_write.added, on_stream.basis) <= kOrthogonal) {
      return "";
    }
    return absl::StrCat("ops[", on_write.index, "] (add) acts on the write and ops[",
                        on_stream.index, "] (", OpName(on_stream.kind),
                        ") on the stream after it, where it would undo a part of what is added; "
                        "name one target for both");
  }
  if (!Projects(a) || !Projects(b) || SameAndIdempotent(a, b)) return "";
  const double cosine = LargestCosine(a.basis, b.basis);
  if (cosine <= kOrthogonal) return "";
  return absl::StrCat("ops[", a.index, "] (", OpName(a.kind), ") and ops[", b.index, "] (",
                      OpName(b.kind),
                      ") meet at a site with directions that are not orthogonal (cosine ", cosine,
                      "), so their order would count; ablate the directions in one op");
}

std::shared_ptr<const LinearEdit> MergeOps(std::vector<const ReadyOp*> ops, size_t hidden) {
  std::sort(ops.begin(), ops.end(),
            [](const ReadyOp* a, const ReadyOp* b) { return a->key < b->key; });
  auto edit = std::make_shared<LinearEdit>();
  std::vector<const ReadyOp*> projected;
  for (const ReadyOp* op : ops) {
    if (!Projects(*op)) continue;
    const auto does_the_same = [op](const ReadyOp* other) {
      return SameAndIdempotent(*op, *other);
    };
    if (std::any_of(projected.begin(), projected.end(), does_the_same)) continue;
    projected.push_back(op);
    const bool ablates = op->kind == OpKind::kAblate;
    for (const std::vector<double>& row : op->basis) {
      AddColumn(row, ablates ? op->amount : 1, row, ablates ? 0 : op->amount, edit.get());
    }
  }
  for (const ReadyOp* op : ops) {
    if (Projects(*op)) continue;
    edit->v.insert(edit->v.end(), op->added.begin(), op->added.end());
    edit->u.insert(edit->u.end(), hidden, 0.0f);
    edit->b.push_back(1.0f);
    ++edit->k;
  }
  for (const ReadyOp* op : projected) {
    if (!Zeroes(*op)) continue;
    // What an addition puts back along the subspace is no residue of the ablation.
    const bool put_back = std::any_of(ops.begin(), ops.end(), [op](const ReadyOp* other) {
      return !Projects(*other) && ShareInside(other->added, op->basis) > kOrthogonal;
    });
    if (put_back) continue;
    for (const std::vector<double>& row : op->basis) {
      for (double value : row) edit->ablated_basis.push_back(static_cast<float>(value));
      ++edit->ablated;
    }
  }
  return edit;
}

}  // namespace steer
