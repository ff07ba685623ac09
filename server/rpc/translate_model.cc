#include "server/readout/readout.h"
#include "server/rpc/translate.h"

#ifndef STEER_VERSION
#error "STEER_VERSION comes from CMake"
#endif

namespace steer {

v1::GetModelResponse ModelToProto(const Engine& engine, const ServiceOptions& options) {
  const ModelFacts& facts = engine.facts();
  const EngineOptions& engine_options = engine.options();
  v1::GetModelResponse out;
  out.set_name(facts.name);
  out.set_family(facts.family);
  out.set_layers(static_cast<int32_t>(facts.layers));
  out.set_hidden(static_cast<int32_t>(facts.hidden));
  out.set_vocabulary(static_cast<int32_t>(facts.vocabulary));
  out.set_parameters(facts.parameters);
  out.set_model_fingerprint(facts.model_fingerprint);
  out.set_numeric_fingerprint(facts.numeric_fingerprint);
  for (const auto& [key, value] : facts.numeric_facts) (*out.mutable_numeric_facts())[key] = value;
  out.set_device(facts.device);
  out.set_dtype(facts.dtype);
  const auto add_token = [&](int32_t id, v1::Token* token) {
    token->set_id(id);
    token->set_piece(engine.tokenizer().Piece(id));
  };
  for (const int32_t id : facts.end_of_turn) add_token(id, out.add_end_of_turn());
  for (const int32_t id : facts.refusal_token_ids) add_token(id, out.add_refusal_tokens());
  for (const std::shared_ptr<const Readout>& readout : AllReadouts()) {
    v1::Readout* r = out.add_readouts();
    r->set_name(readout->name());
    r->set_digest(readout->digest());
    for (const std::string& phrase : readout->phrases()) r->add_phrases(phrase);
  }
  out.set_chat_template_digest(facts.chat_template_digest);
  out.set_suggested_repetition_penalty(facts.suggested_repetition_penalty);
  v1::Limits* limits = out.mutable_limits();
  limits->set_max_context_tokens(engine_options.max_context_tokens);
  limits->set_max_new_tokens(engine_options.max_new_tokens);
  limits->set_max_prompts(engine_options.max_prompts);
  limits->set_max_arms(engine_options.max_arms);
  limits->set_max_rows(engine_options.max_rows);
  limits->set_max_request_bytes(options.max_request_bytes);
  limits->set_max_concurrent_calls(options.max_concurrent_calls);
  limits->set_max_state_bytes(engine_options.max_state_bytes);
  limits->set_max_import_bytes(options.max_import_bytes);
  limits->set_max_directions(options.max_directions);
  if (options.allow_edited_text) out.add_features("allow-edited-text");
  out.add_features("states");
  out.add_features("import");
  out.set_version(options.version.empty() ? STEER_VERSION : options.version);
  out.set_contract_version(kContractVersion);
  out.set_prefill_tokens_per_second(facts.prefill_tokens_per_second);
  out.set_decode_steps_per_second(facts.decode_steps_per_second);
  out.set_decode_rows(engine_options.decode_rows);
  out.set_prefill_tokens(engine_options.prefill_tokens);
  out.add_control_families("isotropic");
  v1::MemoryUse* memory = out.mutable_memory();
  memory->set_weights_bytes(facts.weights_bytes);
  memory->set_kv_arena_bytes(facts.kv_arena_bytes);
  memory->set_work_bytes(facts.work_bytes);
  memory->set_limit_bytes(facts.memory_limit_bytes);
  memory->set_kv_tokens(engine_options.kv_tokens);
  return out;
}

}  // namespace steer
