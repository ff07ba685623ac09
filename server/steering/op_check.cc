#include "server/steering/op_check.h"

#include <cmath>

#include "absl/strings/str_cat.h"

namespace steer {
namespace {

void CheckAmount(const OpSpec& op, const std::string& path, ViolationList* violations) {
  if (op.kind == OpKind::kAblate) {
    if (!(op.amount > 0 && op.amount <= 2)) {
      violations->Add(path + ".ablate.fraction", op.amount, " is not above 0 and at most 2");
    }
  } else if (op.kind == OpKind::kAdd) {
    if (!(std::abs(op.amount) <= kMaxCoefficient) || op.amount == 0) {
      violations->Add(path + ".add.coefficient", op.amount, " is not within -", kMaxCoefficient,
                      " and ", kMaxCoefficient, ", and not 0");
    }
  } else if (!std::isfinite(static_cast<float>(op.amount))) {
    violations->Add(path + ".set_projection.value", op.amount, " is not a finite float32");
  }
}

void CheckSites(const OpSpec& op, const ModelShape& shape, const std::string& path,
                ViolationList* violations) {
  if (op.all_sites && !op.sites.empty()) {
    violations->Add(path + ".sites", "names all sites and a list of sites; give one of them");
  }
  for (size_t i = 0; i < op.sites.size(); ++i) {
    const std::string site = absl::StrCat(path, ".sites.sites[", i, "]");
    if (op.sites[i] < 0 || op.sites[i] >= shape.sites()) {
      violations->Add(site, op.sites[i], " is not a site; this model has 0 to ", shape.sites() - 1);
    }
    if (i > 0 && op.sites[i] <= op.sites[i - 1]) {
      violations->Add(site, op.sites[i], " follows ", op.sites[i - 1],
                      "; sites must be strictly ascending");
    }
  }
}

}  // namespace

absl::string_view OpName(OpKind kind) {
  if (kind == OpKind::kAblate) return "ablate";
  return kind == OpKind::kAdd ? "add" : "set_projection";
}

std::string DirectionPath(absl::string_view op_path, OpKind kind, size_t index) {
  if (kind == OpKind::kAblate) return absl::StrCat(op_path, ".ablate.directions[", index, "]");
  return absl::StrCat(op_path, ".", OpName(kind), ".direction");
}

EditTarget TargetOf(const OpSpec& op) {
  if (op.target != EditTarget::kDefault) return op.target;
  return op.kind == OpKind::kAblate && op.amount != 1 ? EditTarget::kWrite : EditTarget::kStream;
}

std::vector<int> SitesOf(const OpSpec& op, const ModelShape& shape) {
  if (!op.sites.empty()) return op.sites;
  if (op.kind == OpKind::kAdd && !op.all_sites) {
    // The direction was read at the input of its block.
    if (op.directions.empty()) return {};
    return {2 * op.directions[0].layer};
  }
  std::vector<int> sites;
  for (int site = 0; site < shape.sites(); ++site) sites.push_back(site);
  return sites;
}

void CheckOp(const OpSpec& op, const ModelShape& shape, const std::string& path,
             ViolationList* violations) {
  const size_t most = op.kind == OpKind::kAblate ? kMaxAblatedTogether : 1;
  if (op.directions.empty() || op.directions.size() > most) {
    const std::string field =
        op.kind == OpKind::kAblate ? path + ".ablate.directions" : DirectionPath(path, op.kind, 0);
    violations->Add(field, op.directions.size(), " directions; ",
                    most == 1 ? absl::StrCat("exactly one is wanted")
                              : absl::StrCat("1 to ", most, " are wanted"));
  }
  for (size_t i = 0; i < op.directions.size(); ++i) {
    if (op.directions[i].layer < 0 || op.directions[i].layer >= shape.layers) {
      violations->Add(DirectionPath(path, op.kind, i) + ".layer", op.directions[i].layer,
                      " is not a block; this model has 0 to ", shape.layers - 1);
    }
  }
  CheckAmount(op, path, violations);
  CheckSites(op, shape, path, violations);
  if (op.kind == OpKind::kAblate && op.amount != 1 && TargetOf(op) == EditTarget::kStream &&
      SitesOf(op, shape).size() > 1) {
    violations->Add(path + ".target", "a fraction of ", op.amount,
                    " on the stream compounds over several sites; name the write, or one site");
  }
  const bool counts_last = op.scope == TokenScope::kLastPromptAndGenerated;
  if (counts_last ? op.last_prompt_tokens < 1 : op.last_prompt_tokens != 0) {
    violations->Add(path + ".last_prompt_tokens", op.last_prompt_tokens,
                    counts_last ? "; it must be 1 or more for this token scope"
                                : "; it must be 0 for this token scope");
  }
}

}  // namespace steer
