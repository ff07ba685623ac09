// steerctl generate
#include <CLI/CLI.hpp>

#include "absl/strings/str_cat.h"
#include "client/commands/references.h"
#include "client/commands/register.h"
#include "client/commands/signals.h"

namespace steer {
namespace {

struct GenerateFlags {
  std::string prompt;
  bool given = false;
  std::string system;
  EditFlags edits;
  int max_new_tokens = 128;
  double temperature = 0;
  double top_p = 1;
  double repetition_penalty = 1;
  uint64_t seed = 0;
};

absl::string_view FinishName(v1::FinishReason reason) {
  switch (reason) {
    case v1::FINISH_REASON_END_OF_TURN:
      return "end of turn";
    case v1::FINISH_REASON_LENGTH:
      return "length";
    default:
      return "unknown";
  }
}

int Generate(const Context& context, const GenerateFlags& flags) {
  CatchStopSignals();
  absl::StatusOr<std::string> text = PromptText(flags.prompt, flags.given);
  if (!text.ok()) return Fail(context, text.status(), Source::kInput);
  absl::StatusOr<std::unique_ptr<Client>> client = MakeClient(
      context, [](ClientOptions* options) { options->stop = [] { return StopSignals() > 0; }; });
  if (!client.ok()) return Fail(context, client.status(), Source::kInput);
  absl::StatusOr<v1::GetModelResponse> model = (*client)->GetModel();
  if (!model.ok()) return Fail(context, model.status(), Source::kServer);
  absl::StatusOr<v1::Intervention> intervention = ToIntervention(flags.edits, client->get());
  if (!intervention.ok()) return Fail(context, intervention.status(), Source::kInput);
  v1::GenerateRequest request;
  request.set_request_id(NewRequestId());
  request.set_expected_model_fingerprint(model->model_fingerprint());
  request.mutable_prompt()->set_user(*text);
  if (!flags.system.empty()) request.mutable_prompt()->set_system(flags.system);
  *request.mutable_intervention() = *std::move(intervention);
  request.mutable_decoding()->set_max_new_tokens(flags.max_new_tokens);
  request.mutable_decoding()->set_repetition_penalty(flags.repetition_penalty);
  request.mutable_decoding()->set_temperature(flags.temperature);
  if (flags.temperature > 0) {
    request.mutable_decoding()->set_top_p(flags.top_p);
    request.mutable_decoding()->set_seed(flags.seed);
  }
  std::string whole;
  bool written = true;
  absl::StatusOr<v1::GenerateResult> result =
      (*client)->Generate(request, [&](absl::string_view piece) {
        if (context.json) {
          whole.append(piece.data(), piece.size());
        } else {
          written = written && Print(piece);
        }
      });
  if (!result.ok()) return Fail(context, result.status(), Source::kServer);
  if (context.json) {
    return PrintJson(context, {{"text", result->text_withheld() ? Json() : Json(whole)},
                               {"text_withheld", result->text_withheld()},
                               {"finish_reason", std::string(FinishName(result->finish_reason()))},
                               {"prompt_tokens", result->prompt_tokens()},
                               {"generated_tokens", result->generated_tokens()},
                               {"token_digest", result->token_digest()},
                               {"edits", result->receipt().edits()},
                               {"sites", result->receipt().sites()},
                               {"mean_relative_dose", result->receipt().mean_relative_dose()}});
  }
  if (result->text_withheld()) {
    Say(context,
        "the text of edited rows is withheld: steerd was started without --allow-edited-text");
  } else {
    written = written && Print("\n");
  }
  Say(context,
      absl::StrCat(result->generated_tokens(), " tokens, ", FinishName(result->finish_reason()),
                   ", ", result->receipt().edits(), " edits"));
  return written ? kExitOk : kExitDisk;
}

}  // namespace

void RegisterGenerate(CLI::App* app, Context* context) {
  auto flags = std::make_shared<GenerateFlags>();
  CLI::App* command = app->add_subcommand(
      "generate", "Stream one completion; text of edited rows only where the server allows it");
  CLI::Option* prompt =
      command->add_option("--prompt", flags->prompt, "The prompt (standard input)");
  command->add_option("--system", flags->system, "The system turn");
  command->add_option("--max-new-tokens", flags->max_new_tokens, "Longest completion")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  command->add_option("--temperature", flags->temperature, "0 is greedy")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 10.0));
  command->add_option("--top-p", flags->top_p, "Nucleus, with a temperature")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 1.0));
  command->add_option("--repetition-penalty", flags->repetition_penalty, "1 is none")
      ->capture_default_str()
      ->check(CLI::Range(1.0, 2.0));
  command->add_option("--seed", flags->seed, "Of the draws, with a temperature")
      ->capture_default_str();
  AddEditFlags(command, &flags->edits);
  command->callback([context, flags, prompt] {
    flags->given = prompt->count() > 0;
    context->action = [context, flags] { return Generate(*context, *flags); };
  });
}

}  // namespace steer
