// steerctl token new
#include <CLI/CLI.hpp>

#include "absl/strings/str_cat.h"
#include "client/commands/register.h"
#include "common/bearer_token.h"
#include "common/digest.h"

namespace steer {
namespace {

struct TokenFlags {
  std::string role;
  std::string name;
  std::string output;
};

int NewToken(const Context& context, const TokenFlags& flags) {
  if (!IsTokenName(flags.name)) {
    Fail(context, absl::InvalidArgumentError("--name: 1 to 64 of A-Z a-z 0-9 . _ - are allowed"),
         Source::kInput);
    return kExitUsage;
  }
  const absl::StatusOr<std::string> token = NewBearerToken();
  if (!token.ok()) return Fail(context, token.status(), Source::kInput);
  const std::string file = flags.output.empty() ? absl::StrCat(flags.name, ".token") : flags.output;
  const absl::Status written = WriteTokenFile(file, *token);
  if (!written.ok()) return Fail(context, written, Source::kInput);
  Say(context, absl::StrCat("the token is in ", file,
                            " (--token-file); add this line to the server's --tokens-file:"));
  const bool printed =
      Print(absl::StrCat(flags.role, " ", Sha256Hex(*token), " ", flags.name, "\n"));
  return printed ? kExitOk : kExitDisk;
}

}  // namespace

void RegisterToken(CLI::App* app, Context* context) {
  CLI::App* group = app->add_subcommand("token", "Tokens that a server asks its callers for");
  group->require_subcommand(1);
  auto flags = std::make_shared<TokenFlags>();
  CLI::App* command = group->add_subcommand(
      "new", "Make a token: write it to a file of ours, print the line for the server's");
  command->add_option("--role", flags->role, "What its holder may do")
      ->required()
      ->check(CLI::IsMember({"read", "run", "admin"}));
  command->add_option("--name", flags->name, "What the server's audit log calls its holder")
      ->required();
  command->add_option("-o,--output", flags->output,
                      "File of the token (NAME.token); never replaced");
  command->callback([context, flags] {
    context->action = [context, flags] { return NewToken(*context, *flags); };
  });
}

}  // namespace steer
