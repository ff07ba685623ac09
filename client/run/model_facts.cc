#include "client/run/model_facts.h"

namespace steer {

ServerFacts ToServerFacts(const v1::GetModelResponse& model) {
  ServerFacts facts;
  facts.model_name = model.name();
  facts.family = model.family();
  facts.layers = model.layers();
  facts.hidden = model.hidden();
  facts.vocabulary = model.vocabulary();
  facts.model_fingerprint = model.model_fingerprint();
  facts.numeric_fingerprint = model.numeric_fingerprint();
  facts.dtype = model.dtype();
  facts.device = model.device();
  facts.chat_template_digest = model.chat_template_digest();
  facts.contract_version = model.contract_version();
  facts.suggested_repetition_penalty = model.suggested_repetition_penalty();
  for (const v1::Readout& readout : model.readouts())
    facts.readouts[readout.name()] = readout.digest();
  for (const v1::Token& token : model.refusal_tokens()) {
    facts.refusal_tokens.push_back({token.id(), token.piece()});
  }
  facts.control_families.assign(model.control_families().begin(), model.control_families().end());
  facts.features.assign(model.features().begin(), model.features().end());
  facts.max_context_tokens = model.limits().max_context_tokens();
  facts.max_new_tokens = model.limits().max_new_tokens();
  facts.max_prompts = model.limits().max_prompts();
  facts.max_arms = model.limits().max_arms();
  facts.max_rows = model.limits().max_rows();
  facts.max_state_bytes = model.limits().max_state_bytes();
  facts.prefill_tokens_per_second = model.prefill_tokens_per_second();
  facts.decode_steps_per_second = model.decode_steps_per_second();
  facts.decode_rows = model.decode_rows();
  facts.prefill_tokens = model.prefill_tokens();
  return facts;
}

}  // namespace steer
