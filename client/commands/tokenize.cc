// steerctl tokenize
#include <CLI/CLI.hpp>

#include "absl/strings/str_cat.h"
#include "client/commands/references.h"
#include "client/commands/register.h"

namespace steer {
namespace {

struct TokenizeFlags {
  std::string prompt;
  bool given = false;
  std::string system;
};

int Tokenize(const Context& context, const TokenizeFlags& flags) {
  absl::StatusOr<std::string> text = PromptText(flags.prompt, flags.given);
  if (!text.ok()) return Fail(context, text.status(), Source::kInput);
  absl::StatusOr<std::unique_ptr<Client>> client = MakeClient(context);
  if (!client.ok()) return Fail(context, client.status(), Source::kInput);
  v1::TokenizeRequest request;
  request.set_pieces(true);
  request.add_prompts()->set_user(*text);
  if (!flags.system.empty()) request.mutable_prompts(0)->set_system(flags.system);
  absl::StatusOr<v1::TokenizeResponse> response = (*client)->Tokenize(request);
  if (!response.ok()) return Fail(context, response.status(), Source::kServer);
  const v1::TokenizedPrompt& prompt = response->prompts(0);
  if (context.json) {
    Json pieces = Json::array();
    for (const v1::Token& token : prompt.tokens()) pieces.push_back(token.piece());
    return PrintJson(context, {{"ids", std::vector<int>(prompt.ids().begin(), prompt.ids().end())},
                               {"pieces", pieces},
                               {"prompt_hash", prompt.prompt_hash()}});
  }
  std::string lines;
  for (const v1::Token& token : prompt.tokens()) {
    // A piece may be a newline; the JSON form of a string shows it on one line.
    absl::StrAppend(&lines, token.id(), "\t",
                    Json(token.piece()).dump(-1, ' ', false, Json::error_handler_t::replace), "\n");
  }
  return Print(lines) ? kExitOk : kExitDisk;
}

}  // namespace

void RegisterTokenize(CLI::App* app, Context* context) {
  auto flags = std::make_shared<TokenizeFlags>();
  CLI::App* command =
      app->add_subcommand("tokenize", "Show the ids and pieces of a templated prompt");
  CLI::Option* prompt =
      command->add_option("--prompt", flags->prompt, "The prompt (standard input)");
  command->add_option("--system", flags->system, "The system turn");
  command->callback([context, flags, prompt] {
    flags->given = prompt->count() > 0;
    context->action = [context, flags] { return Tokenize(*context, *flags); };
  });
}

}  // namespace steer
