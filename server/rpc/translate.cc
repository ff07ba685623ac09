#include "server/rpc/translate.h"

#include <utility>

namespace steer {
namespace {

OpSpec FromProto(const v1::Op& op) {
  OpSpec spec;
  switch (op.action_case()) {
    case v1::Op::kAblate:
      spec.kind = OpKind::kAblate;
      for (const v1::DirectionRef& ref : op.ablate().directions()) {
        spec.directions.push_back(steer::FromProto(ref));
      }
      spec.amount = op.ablate().fraction() == 0 ? 1 : op.ablate().fraction();
      break;
    case v1::Op::kAdd:
      spec.kind = OpKind::kAdd;
      spec.directions.push_back(steer::FromProto(op.add().direction()));
      spec.amount = op.add().coefficient();
      break;
    default:
      spec.kind = OpKind::kSetProjection;
      spec.directions.push_back(steer::FromProto(op.set_projection().direction()));
      spec.amount = op.set_projection().value();
      break;
  }
  spec.all_sites = op.sites().all();
  spec.sites.assign(op.sites().sites().begin(), op.sites().sites().end());
  for (const int layer : op.sites().layer_inputs()) spec.sites.push_back(2 * layer);
  spec.target = op.target() == v1::EDIT_TARGET_STREAM  ? EditTarget::kStream
                : op.target() == v1::EDIT_TARGET_WRITE ? EditTarget::kWrite
                                                       : EditTarget::kDefault;
  switch (op.tokens()) {
    case v1::TOKEN_SCOPE_PROMPT:
      spec.scope = TokenScope::kPrompt;
      break;
    case v1::TOKEN_SCOPE_GENERATED:
      spec.scope = TokenScope::kGenerated;
      break;
    case v1::TOKEN_SCOPE_LAST_PROMPT_AND_GENERATED:
      spec.scope = TokenScope::kLastPromptAndGenerated;
      break;
    default:
      spec.scope = TokenScope::kAll;
      break;
  }
  spec.last_prompt_tokens = op.last_prompt_tokens();
  return spec;
}

}  // namespace

DirectionRef FromProto(const v1::DirectionRef& ref) {
  DirectionRef out;
  out.set_id = ref.set_id();
  out.position = ref.position();
  out.layer = ref.layer();
  out.component = ref.component();
  if (ref.has_control()) {
    Control control;
    control.family = ControlFamily::kIsotropic;
    control.seed = ref.control().seed();
    control.draw = ref.control().draw();
    out.control = control;
  }
  return out;
}

InterventionSpec FromProto(const v1::Intervention& intervention) {
  InterventionSpec spec;
  for (const v1::Op& op : intervention.ops()) spec.ops.push_back(FromProto(op));
  return spec;
}

DecodeSpec FromProto(const v1::Decoding& decoding) {
  DecodeSpec spec;
  spec.max_new_tokens = decoding.max_new_tokens();
  spec.repetition_penalty = decoding.repetition_penalty();
  spec.temperature = decoding.temperature();
  spec.top_p = decoding.top_p() == 0 ? 1 : decoding.top_p();
  spec.seed = decoding.seed();
  return spec;
}

v1::DirectionSet ToProto(const StoredSet& stored) {
  const DirectionSet& set = *stored.set;
  v1::DirectionSet out;
  out.set_set_id(set.set_id);
  out.set_content_digest(set.content_digest);
  out.set_method(set.method);
  out.set_model_fingerprint(set.model_fingerprint);
  out.set_numeric_fingerprint(set.numeric_fingerprint);
  for (const int position : set.positions) out.add_positions(position);
  out.set_layers(static_cast<int32_t>(set.layers));
  out.set_hidden(static_cast<int32_t>(set.hidden));
  out.set_harmful_prompts(static_cast<int32_t>(set.harmful_prompts));
  out.set_harmless_prompts(static_cast<int32_t>(set.harmless_prompts));
  for (const LayerReport& report : set.reports) {
    v1::LayerReport* r = out.add_reports();
    r->set_position(report.position);
    r->set_layer(report.layer);
    r->set_usable(report.usable);
    r->set_norm(report.norm);
    r->set_projection_gap(report.projection_gap);
    r->set_auc(report.auc);
    r->set_largest_coordinate_share(report.largest_coordinate_share);
    r->set_mean_state_norm(report.mean_state_norm);
    r->set_mean_cosine(report.mean_cosine);
    r->set_direction_digest(report.direction_digest);
  }
  out.set_has_states(stored.has_states);
  out.set_stored_bytes(stored.stored_bytes);
  const int64_t nanoseconds = absl::ToUnixNanos(set.create_time);
  out.mutable_create_time()->set_seconds(absl::ToUnixSeconds(set.create_time));
  out.mutable_create_time()->set_nanos(
      static_cast<int32_t>(nanoseconds - absl::ToUnixSeconds(set.create_time) * 1000000000));
  out.set_format_version(kDirectionSetFormat);
  out.set_selected_prompts(static_cast<int32_t>(stored.selected_prompts));
  out.set_imported(set.imported);
  return out;
}

v1::Cost ToProto(const JobCost& cost) {
  v1::Cost out;
  out.set_rows(cost.rows);
  out.set_prompt_tokens(cost.prompt_tokens);
  out.set_max_generated_tokens(cost.max_generated_tokens);
  out.set_kv_bytes(cost.kv_bytes);
  out.set_host_bytes(cost.host_bytes);
  out.set_estimated_seconds(cost.estimated_seconds);
  return out;
}

v1::FinishReason ToProto(FinishReason reason) {
  return reason == FinishReason::kEndOfTurn ? v1::FINISH_REASON_END_OF_TURN
         : reason == FinishReason::kLength  ? v1::FINISH_REASON_LENGTH
                                            : v1::FINISH_REASON_CERTAIN;
}

v1::Receipt ToProto(const ReceiptCounts& counts, const Engine& engine) {
  v1::Receipt out;
  out.set_rows(counts.rows);
  out.set_tokens(counts.tokens);
  out.set_generated_tokens(counts.generated_tokens);
  out.set_steps(counts.steps);
  out.set_edits(counts.edits);
  out.set_expected_edits(counts.expected_edits);
  out.set_sites(counts.sites);
  if (counts.edits > 0) {
    out.set_mean_relative_dose(counts.dose_sum / static_cast<double>(counts.edits));
  }
  out.set_largest_residual_projection(counts.largest_residual);
  for (const std::string& digest : counts.direction_digests) out.add_direction_digests(digest);
  for (const std::string& digest : counts.content_digests) out.add_content_digests(digest);
  out.set_model_fingerprint(engine.facts().model_fingerprint);
  out.set_numeric_fingerprint(engine.facts().numeric_fingerprint);
  out.set_decode_rows(engine.options().decode_rows);
  out.set_prefill_tokens(engine.options().prefill_tokens);
  return out;
}

v1::Outcome ToProto(const RowOutcome& outcome) {
  v1::Outcome out;
  out.set_arm(outcome.arm);
  out.set_prompt(outcome.prompt);
  out.set_refused(outcome.refused ? v1::REFUSED_YES : v1::REFUSED_NO);
  out.set_quality(!outcome.quality_judged ? v1::QUALITY_NOT_JUDGED
                  : outcome.degenerate    ? v1::QUALITY_DEGENERATE
                                          : v1::QUALITY_OK);
  out.set_refusal_log_odds(outcome.refusal_log_odds);
  out.set_kl(outcome.kl);
  out.set_generated_tokens(static_cast<int32_t>(outcome.generated_tokens));
  out.set_finish_reason(ToProto(outcome.finish));
  out.set_token_digest(outcome.token_digest);
  return out;
}

void AddNamedSets(const InterventionSpec& spec, std::set<std::string>* ids) {
  for (const OpSpec& op : spec.ops) {
    for (const DirectionRef& ref : op.directions) ids->insert(ref.set_id);
  }
}

void CountOps(const v1::Intervention& intervention, AuditRecord* audit) {
  const auto count = [audit](const char* kind, const v1::DirectionRef& ref) {
    audit->interventions[kind] += 1;
    if (ref.has_control()) audit->interventions["control"] += 1;
  };
  for (const v1::Op& op : intervention.ops()) {
    if (op.has_add()) count("add", op.add().direction());
    if (op.has_set_projection()) count("set_projection", op.set_projection().direction());
    if (op.has_ablate()) {
      audit->interventions["ablate"] += 1;
      for (const v1::DirectionRef& ref : op.ablate().directions()) {
        if (ref.has_control()) audit->interventions["control"] += 1;
      }
    }
  }
}

}  // namespace steer
