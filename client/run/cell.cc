#include "client/run/cell.h"

#include <algorithm>

namespace steer {
namespace {

// Bytes of a request beside its prompts: fingerprints, ids, an arm's intervention and index lists
// are bounded by these.
constexpr int64_t kFixedBytes = 4096;
constexpr int64_t kArmBytes = 512;
constexpr int64_t kPromptBytes = 16;
// An index in an arm and, when a broken stream is continued, a held row.
constexpr int64_t kRowBytes = 5 + 16;

bool Needs(absl::Span<const Cell> cells, PromptClass prompt_class) {
  return std::any_of(cells.begin(), cells.end(),
                     [&](const Cell& cell) { return cell.arm.prompts == prompt_class; });
}

struct Load {
  int64_t arms = 0;
  int64_t rows = 0;
  bool harmful = false;
  bool harmless = false;
};

struct ClassSize {
  int64_t prompts = 0;
  int64_t bytes = 0;
};

ClassSize SizeOf(const CellContext& context, PromptClass prompt_class) {
  ClassSize size;
  int64_t system =
      context.lock.plan.system ? static_cast<int64_t>(context.lock.plan.system->size()) + 8 : 0;
  for (const PromptRecord& record : context.prompts.of(prompt_class).of(PartOf(context.stage))) {
    ++size.prompts;
    size.bytes += static_cast<int64_t>(record.text.size()) + kPromptBytes + system;
  }
  return size;
}

}  // namespace

SplitPart PartOf(Stage stage) {
  return stage == Stage::kSelection ? SplitPart::kValidation : SplitPart::kTest;
}

v1::Prompt ToPrompt(const Plan& plan, const PromptRecord& record) {
  v1::Prompt prompt;
  prompt.set_user(record.text);
  if (plan.system) prompt.set_system(*plan.system);
  return prompt;
}

v1::DirectionRef ToDirectionRef(const CellContext& context, const Cell& cell) {
  v1::DirectionRef ref;
  ref.set_set_id(context.set_id);
  ref.set_position(context.lock.plan.selection_position);
  ref.set_layer(cell.layer);
  if (cell.arm.control_draw) {
    // The lock names the one family that this build knows; FreezePlan saw to it that the server
    // draws it.
    ref.mutable_control()->set_family(v1::CONTROL_FAMILY_ISOTROPIC);
    ref.mutable_control()->set_seed(ControlSeed(context.lock.plan, context.prompts.seed));
    ref.mutable_control()->set_draw(static_cast<uint32_t>(*cell.arm.control_draw));
  }
  return ref;
}

v1::Intervention ToIntervention(const CellContext& context, const Cell& cell) {
  v1::Intervention intervention;
  if (cell.arm.edit == EditKind::kNone) return intervention;
  v1::Op* op = intervention.add_ops();
  op->set_tokens(v1::TOKEN_SCOPE_ALL);
  op->set_target(v1::EDIT_TARGET_STREAM);
  if (cell.arm.edit == EditKind::kAblate) {
    *op->mutable_ablate()->add_directions() = ToDirectionRef(context, cell);
    op->mutable_ablate()->set_fraction(1);
    op->mutable_sites()->set_all(true);
  } else {
    *op->mutable_add()->mutable_direction() = ToDirectionRef(context, cell);
    op->mutable_add()->set_coefficient(kAdditionCoefficient);
    op->mutable_sites()->add_layer_inputs(cell.layer);
  }
  return intervention;
}

v1::EvaluateRequest BuildEvaluate(const CellContext& context, absl::Span<const Cell> cells) {
  const Plan& plan = context.lock.plan;
  v1::EvaluateRequest request;
  request.set_expected_model_fingerprint(context.lock.model_fingerprint);
  request.set_expected_numeric_fingerprint(context.model.numeric_fingerprint());
  request.set_purpose(context.stage == Stage::kSelection ? v1::PURPOSE_SELECT : v1::PURPOSE_TEST);
  request.mutable_decoding()->set_max_new_tokens(plan.max_new_tokens);
  request.mutable_decoding()->set_repetition_penalty(plan.repetition_penalty);
  request.set_readout(plan.readout);
  request.set_judge_quality(plan.quality);
  request.set_scores(plan.scores);
  for (int id : context.lock.refusal_token_ids) request.add_refusal_token_ids(id);
  request.set_plan_digest(context.lock.digest);

  int begin[2] = {0, 0};
  int size[2] = {0, 0};
  for (PromptClass prompt_class : {PromptClass::kHarmful, PromptClass::kHarmless}) {
    int c = static_cast<int>(prompt_class);
    begin[c] = request.prompts_size();
    if (!Needs(cells, prompt_class)) continue;
    for (const PromptRecord& record : context.prompts.of(prompt_class).of(PartOf(context.stage))) {
      *request.add_prompts() = ToPrompt(plan, record);
      ++size[c];
    }
  }
  for (const Cell& cell : cells) {
    v1::Arm* arm = request.add_arms();
    arm->set_name(cell.arm.name);
    *arm->mutable_intervention() = ToIntervention(context, cell);
    int c = static_cast<int>(cell.arm.prompts);
    for (int i = 0; i < size[c]; ++i) arm->add_prompts(begin[c] + i);
  }
  return request;
}

std::vector<std::vector<size_t>> PackCells(const CellContext& context,
                                           absl::Span<const Cell> cells) {
  const v1::Limits& limits = context.model.limits();
  const ClassSize harmful = SizeOf(context, PromptClass::kHarmful);
  const ClassSize harmless = SizeOf(context, PromptClass::kHarmless);
  auto fits = [&](const Load& load) {
    int64_t prompts = (load.harmful ? harmful.prompts : 0) + (load.harmless ? harmless.prompts : 0);
    int64_t bytes = kFixedBytes + load.arms * kArmBytes + load.rows * kRowBytes +
                    (load.harmful ? harmful.bytes : 0) + (load.harmless ? harmless.bytes : 0);
    int64_t rows = load.rows + (context.lock.plan.scores ? prompts : 0);
    // A limit of 0 is one that the server does not state.
    return (limits.max_arms() == 0 || load.arms <= limits.max_arms()) &&
           (limits.max_prompts() == 0 || prompts <= limits.max_prompts()) &&
           (limits.max_rows() == 0 || rows <= limits.max_rows()) &&
           (limits.max_request_bytes() == 0 || bytes <= limits.max_request_bytes());
  };
  std::vector<std::vector<size_t>> groups;
  Load load;
  for (size_t i = 0; i < cells.size(); ++i) {
    bool is_harmful = cells[i].arm.prompts == PromptClass::kHarmful;
    auto with = [&](Load l) {
      ++l.arms;
      l.rows += is_harmful ? harmful.prompts : harmless.prompts;
      (is_harmful ? l.harmful : l.harmless) = true;
      return l;
    };
    Load next = with(load);
    if (groups.empty() || !fits(next)) {
      groups.emplace_back();
      next = with(Load());
    }
    groups.back().push_back(i);
    load = next;
  }
  return groups;
}

}  // namespace steer
