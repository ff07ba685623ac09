#include "server/steering/intervention.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/errors.h"
#include "common/failpoint.h"
#include "common/status_macros.h"
#include "server/steering/linear_edit.h"
#include "server/steering/op_check.h"

namespace steer {
namespace {

using Part = CompiledIntervention::Span::Part;
constexpr std::array<Part, 3> kParts = {Part::kEarlyPrompt, Part::kLastPrompt, Part::kGenerated};

bool Covers(TokenScope scope, Part part) {
  if (scope == TokenScope::kPrompt) return part != Part::kGenerated;
  if (scope == TokenScope::kGenerated) return part == Part::kGenerated;
  if (scope == TokenScope::kLastPromptAndGenerated) return part != Part::kEarlyPrompt;
  return true;  // kAll
}

// At a site and a token; on whatever target.
bool Meet(const ReadyOp& a, const ReadyOp& b) {
  const bool same_token = std::any_of(kParts.begin(), kParts.end(), [&](Part part) {
    return Covers(a.scope, part) && Covers(b.scope, part);
  });
  if (!same_token) return false;
  std::vector<int> shared;
  std::set_intersection(a.sites.begin(), a.sites.end(), b.sites.begin(), b.sites.end(),
                        std::back_inserter(shared));
  return !shared.empty();
}

// The work of one CompileIntervention call.
class Compiler {
 public:
  Compiler(const ModelShape& shape, const DirectionResolver& resolve, absl::string_view field)
      : shape_(shape), resolve_(resolve), prefix_(field.empty() ? "" : absl::StrCat(field, ".")) {}

  absl::StatusOr<CompiledIntervention> Run(const InterventionSpec& spec);

 private:
  std::string OpPath(size_t index) const { return absl::StrCat(prefix_, "ops[", index, "]"); }
  absl::Status Prepare(const OpSpec& op, size_t index);
  // The direction's values as they are compiled in; nullopt after a violation.
  absl::StatusOr<absl::optional<std::vector<float>>> Load(const DirectionRef& ref,
                                                          const std::string& path);
  void CheckTogether();
  std::shared_ptr<const EditEntry> EntryOf(const std::vector<const ReadyOp*>& ops);
  void BuildSpans();

  const ModelShape& shape_;
  const DirectionResolver& resolve_;
  const std::string prefix_;
  ViolationList violations_;
  absl::Status first_error_;  // of a direction; returned unless there are violations
  std::vector<ReadyOp> ops_;
  std::map<std::vector<const ReadyOp*>, std::shared_ptr<const LinearEdit>> edits_;
  std::map<std::vector<const ReadyOp*>, std::shared_ptr<const EditEntry>> entries_;
  CompiledIntervention result_;
};

absl::StatusOr<absl::optional<std::vector<float>>> Compiler::Load(const DirectionRef& ref,
                                                                  const std::string& path) {
  auto resolved = resolve_(ref);
  if (absl::IsInvalidArgument(resolved.status())) {
    violations_.Add(path, std::string(resolved.status().message()));
    return absl::optional<std::vector<float>>();
  }
  if (!resolved.ok()) {
    if (first_error_.ok()) first_error_ = Annotate(resolved.status(), path);
    return absl::optional<std::vector<float>>();
  }
  std::vector<float> values = std::move(resolved->values);
  if (static_cast<int64_t>(values.size()) != shape_.hidden) {
    violations_.Add(path, "it has ", values.size(), " coordinates and the model's stream ",
                    shape_.hidden, "; it is another model's");
    return absl::optional<std::vector<float>>();
  }
  const double norm = Norm(values);
  if (!std::isfinite(norm) || norm == 0) {
    violations_.Add(path, "its norm is ", norm, "; nothing can be done along it");
    return absl::optional<std::vector<float>>();
  }
  if (FailpointSkips("edit.swap_direction")) {
    std::rotate(values.begin(), values.begin() + 1, values.end());
  }
  // From the vector that goes into the edit, so that a receipt names what was done.
  std::string digest = DirectionDigest(values);
  if (digest != resolved->digest) {
    return MakeError(absl::StatusCode::kInternal, "DIRECTION_DIGEST_MISMATCH",
                     absl::StrCat(path, ": the vector compiled in has digest ", digest,
                                  " and the direction named ", resolved->digest));
  }
  result_.direction_digests.push_back(std::move(digest));
  result_.content_digests.push_back(std::move(resolved->content_digest));
  return absl::optional<std::vector<float>>(std::move(values));
}

absl::Status Compiler::Prepare(const OpSpec& op, size_t index) {
  const std::string path = OpPath(index);
  CheckOp(op, shape_, path, &violations_);
  ReadyOp ready;
  ready.index = index;
  ready.kind = op.kind;
  ready.amount = op.amount;
  ready.target = TargetOf(op);
  ready.sites = SitesOf(op, shape_);
  ready.scope = op.scope;
  ready.last_prompt_tokens = op.last_prompt_tokens;
  // The amount's exact value; what is added comes last.
  ready.key = absl::StrFormat("%d %a", op.kind == OpKind::kAdd ? 1 : 0, op.amount);
  for (size_t i = 0; i < op.directions.size(); ++i) {
    const std::string direction_path = DirectionPath(path, op.kind, i);
    STEER_ASSIGN_OR_RETURN(const auto values, Load(op.directions[i], direction_path));
    if (!values.has_value()) continue;
    absl::StrAppend(&ready.key, " ", result_.direction_digests.back());
    if (op.kind != OpKind::kAdd) {
      if (!ExtendBasis(*values, &ready.basis)) {
        violations_.Add(direction_path, "it is linearly dependent on the directions before it");
      }
      continue;
    }
    for (float value : *values) ready.added.push_back(static_cast<float>(op.amount * value));
    // A coefficient that is not finite, or 0, is a violation already.
    if (!std::isfinite(op.amount) || op.amount == 0) continue;
    if (!std::all_of(ready.added.begin(), ready.added.end(),
                     [](float v) { return std::isfinite(v); })) {
      violations_.Add(path + ".add.coefficient", op.amount, " times the direction exceeds float32");
    }
    if (std::all_of(ready.added.begin(), ready.added.end(), [](float v) { return v == 0; })) {
      violations_.Add(path + ".add.coefficient", op.amount,
                      " times the direction vanishes in float32; nothing would be added");
    }
  }
  ops_.push_back(std::move(ready));
  return absl::OkStatus();
}

void Compiler::CheckTogether() {
  for (size_t i = 0; i < ops_.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      const ReadyOp &a = ops_[j], &b = ops_[i];
      if (a.last_prompt_tokens > 0 && b.last_prompt_tokens > 0 &&
          a.last_prompt_tokens != b.last_prompt_tokens) {
        violations_.Add(OpPath(b.index) + ".last_prompt_tokens", b.last_prompt_tokens, " but ops[",
                        a.index, "] has ", a.last_prompt_tokens,
                        "; the ops of an intervention share one boundary");
      }
      if (!Meet(a, b)) continue;
      const std::string why = WhyNotMergeable(a, b);
      if (!why.empty()) violations_.Add(OpPath(b.index), why);
    }
  }
}

std::shared_ptr<const EditEntry> Compiler::EntryOf(const std::vector<const ReadyOp*>& ops) {
  std::shared_ptr<const EditEntry>& known = entries_[ops];
  if (known != nullptr) return known;
  auto entry = std::make_shared<EditEntry>();
  const size_t sites = static_cast<size_t>(shape_.sites());
  entry->write.resize(sites);
  entry->stream.resize(sites);
  for (size_t site = 0; site < sites; ++site) {
    for (EditTarget target : {EditTarget::kWrite, EditTarget::kStream}) {
      std::vector<const ReadyOp*> here;
      for (const ReadyOp* op : ops) {
        if (op->target == target &&
            std::binary_search(op->sites.begin(), op->sites.end(), static_cast<int>(site))) {
          here.push_back(op);
        }
      }
      if (here.empty()) continue;
      std::shared_ptr<const LinearEdit>& edit = edits_[here];
      if (edit == nullptr) edit = MergeOps(here, static_cast<size_t>(shape_.hidden));
      (target == EditTarget::kWrite ? entry->write : entry->stream)[site] = edit;
      ++entry->edits;
    }
  }
  known = std::move(entry);
  return known;
}

void Compiler::BuildSpans() {
  for (const ReadyOp& op : ops_) {
    result_.last_prompt_tokens = std::max(result_.last_prompt_tokens, op.last_prompt_tokens);
  }
  std::set<int> sites;
  for (Part part : kParts) {
    if (part == Part::kLastPrompt && result_.last_prompt_tokens == 0) continue;
    std::vector<const ReadyOp*> active;
    for (const ReadyOp& op : ops_) {
      if (!Covers(op.scope, part)) continue;
      active.push_back(&op);
      sites.insert(op.sites.begin(), op.sites.end());
    }
    if (!active.empty()) result_.spans.push_back({part, EntryOf(active)});
  }
  result_.distinct_sites = static_cast<int>(sites.size());
}

absl::StatusOr<CompiledIntervention> Compiler::Run(const InterventionSpec& spec) {
  if (spec.ops.size() > kMaxOps) {
    violations_.Add(prefix_ + "ops", spec.ops.size(), " ops; at most ", kMaxOps, " are allowed");
    return violations_.ToStatus();
  }
  for (size_t i = 0; i < spec.ops.size(); ++i) STEER_RETURN_IF_ERROR(Prepare(spec.ops[i], i));
  // Bases and sites of ops that break a rule mean nothing to the others.
  if (violations_.empty() && first_error_.ok()) CheckTogether();
  STEER_RETURN_IF_ERROR(violations_.ToStatus());
  STEER_RETURN_IF_ERROR(first_error_);
  BuildSpans();
  return std::move(result_);
}

}  // namespace

const EditEntry* CompiledIntervention::EntryFor(int64_t index, int64_t prompt_tokens) const {
  Part part = Part::kEarlyPrompt;
  if (index >= prompt_tokens) {
    part = Part::kGenerated;
  } else if (index >= prompt_tokens - last_prompt_tokens) {
    part = Part::kLastPrompt;
  }
  for (const Span& span : spans) {
    if (span.part == part) return span.entry.get();
  }
  return nullptr;
}

absl::StatusOr<CompiledIntervention> CompileIntervention(const InterventionSpec& spec,
                                                         const ModelShape& shape,
                                                         const DirectionResolver& resolve,
                                                         absl::string_view field) {
  absl::StatusOr<CompiledIntervention> compiled = Compiler(shape, resolve, field).Run(spec);
  if (!compiled.ok()) return compiled;
  compiled->type = ClassOf(spec);
  for (const CompiledIntervention::Span& span : compiled->spans) {
    for (const auto* edits : {&span.entry->write, &span.entry->stream}) {
      for (const auto& edit : *edits) {
        if (edit != nullptr && edit->ablated > 0) compiled->ablates = true;
      }
    }
  }
  return compiled;
}

}  // namespace steer
