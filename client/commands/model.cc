// steerctl model
#include <CLI/CLI.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "client/commands/register.h"
#include "client/report/table.h"

namespace steer {
namespace {

Json TokensJson(const google::protobuf::RepeatedPtrField<v1::Token>& tokens) {
  Json json = Json::array();
  for (const v1::Token& token : tokens)
    json.push_back({{"id", token.id()}, {"piece", token.piece()}});
  return json;
}

std::string TokensText(const google::protobuf::RepeatedPtrField<v1::Token>& tokens) {
  return absl::StrJoin(tokens, " ", [](std::string* out, const v1::Token& token) {
    absl::StrAppend(out, token.id(), " '", token.piece(), "'");
  });
}

Json ModelJson(const v1::GetModelResponse& m) {
  Json readouts = Json::array();
  for (const v1::Readout& r : m.readouts())
    readouts.push_back({{"name", r.name()}, {"digest", r.digest()}});
  Json facts = Json::object();
  for (const auto& [name, value] : m.numeric_facts()) facts[name] = value;
  const v1::Limits& l = m.limits();
  return {{"name", m.name()},
          {"family", m.family()},
          {"layers", m.layers()},
          {"hidden", m.hidden()},
          {"vocabulary", m.vocabulary()},
          {"parameters", m.parameters()},
          {"model_fingerprint", m.model_fingerprint()},
          {"numeric_fingerprint", m.numeric_fingerprint()},
          {"numeric_facts", facts},
          {"device", m.device()},
          {"dtype", m.dtype()},
          {"end_of_turn", TokensJson(m.end_of_turn())},
          {"refusal_tokens", TokensJson(m.refusal_tokens())},
          {"readouts", readouts},
          {"chat_template_digest", m.chat_template_digest()},
          {"suggested_repetition_penalty", m.suggested_repetition_penalty()},
          {"limits",
           {{"max_context_tokens", l.max_context_tokens()},
            {"max_new_tokens", l.max_new_tokens()},
            {"max_prompts", l.max_prompts()},
            {"max_arms", l.max_arms()},
            {"max_rows", l.max_rows()},
            {"max_request_bytes", l.max_request_bytes()},
            {"max_concurrent_calls", l.max_concurrent_calls()},
            {"max_state_bytes", l.max_state_bytes()},
            {"max_import_bytes", l.max_import_bytes()},
            {"max_directions", l.max_directions()}}},
          {"features", std::vector<std::string>(m.features().begin(), m.features().end())},
          {"control_families",
           std::vector<std::string>(m.control_families().begin(), m.control_families().end())},
          {"version", m.version()},
          {"contract_version", m.contract_version()},
          {"prefill_tokens_per_second", m.prefill_tokens_per_second()},
          {"decode_steps_per_second", m.decode_steps_per_second()},
          {"decode_rows", m.decode_rows()},
          {"prefill_tokens", m.prefill_tokens()}};
}

std::string ModelText(const v1::GetModelResponse& m) {
  std::vector<std::vector<std::string>> rows = {
      {"model", absl::StrCat(m.name(), " (", m.family(), ", ", m.parameters(), " parameters)")},
      {"shape",
       absl::StrCat(m.layers(), " layers, hidden ", m.hidden(), ", vocabulary ", m.vocabulary())},
      {"model fingerprint", m.model_fingerprint()},
      {"numeric fingerprint", m.numeric_fingerprint()},
      {"device, type", absl::StrCat(m.device(), ", ", m.dtype())},
      {"end of turn", TokensText(m.end_of_turn())},
      {"refusal tokens", TokensText(m.refusal_tokens())},
      {"readouts", absl::StrJoin(m.readouts(), ", ",
                                 [](std::string* out, const v1::Readout& r) {
                                   absl::StrAppend(out, r.name());
                                 })},
      {"controls", absl::StrJoin(m.control_families(), ", ")},
      {"features", absl::StrJoin(m.features(), ", ")},
      {"fixed shapes",
       absl::StrCat("decode ", m.decode_rows(), " rows, prefill ", m.prefill_tokens(), " tokens")},
      {"rates", absl::StrFormat("prefill %.0f tokens/s, decode %.1f steps/s",
                                m.prefill_tokens_per_second(), m.decode_steps_per_second())},
      {"limits", absl::StrCat("context ", m.limits().max_context_tokens(), ", new tokens ",
                              m.limits().max_new_tokens(), ", prompts ", m.limits().max_prompts(),
                              ", arms ", m.limits().max_arms(), ", rows ", m.limits().max_rows())},
      {"version", absl::StrCat(m.version(), ", contract ", m.contract_version())}};
  if (m.suggested_repetition_penalty() != 0) {
    rows.push_back(
        {"note",
         absl::StrFormat(
             "generation_config.json names a repetition penalty of %g; it applies only where a "
             "plan says so",
             m.suggested_repetition_penalty())});
  }
  return AlignColumns(rows, {});
}

int Model(const Context& context) {
  absl::StatusOr<std::unique_ptr<Client>> client = MakeClient(context);
  if (!client.ok()) return Fail(context, client.status(), Source::kInput);
  absl::StatusOr<v1::GetModelResponse> model = (*client)->GetModel();
  if (!model.ok()) return Fail(context, model.status(), Source::kServer);
  if (context.json) return PrintJson(context, ModelJson(*model));
  return Print(ModelText(*model)) ? kExitOk : kExitDisk;
}

}  // namespace

void RegisterModel(CLI::App* app, Context* context) {
  CLI::App* command =
      app->add_subcommand("model", "Show the loaded model, its limits and fingerprints");
  command->callback([context] { context->action = [context] { return Model(*context); }; });
}

}  // namespace steer
