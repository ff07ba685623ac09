#include "client/commands/app.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include <CLI/CLI.hpp>
#include <exception>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "client/commands/register.h"
#include "common/usage_message.h"

namespace steer {
namespace {

constexpr char kFooter[] =
    "Exit codes: 0 done, whatever the verdict; 1 failure; 2 usage; 3 plan, lock, data, log or "
    "results wrong; 4 server\n"
    "unreachable; 5 server refused or is another one; 6 verdict INCOMPLETE; 7 disk; "
    "8 run folder in use or another lock's;\n"
    "9 figures not drawn, or not the same; 10 metrics address cannot be had; "
    "11 Pushgateway down or refusing; 130 interrupted.\n"
    "Prompts and completions are never written, but for what `generate` and `tokenize` print and "
    "`plan splits --output` is\n"
    "asked to write.";

// Of the command that was named and of those above it.
std::vector<std::string> KnownWords(const CLI::App* app) {
  std::vector<std::string> known;
  for (const CLI::Option* option : app->get_options()) known.push_back(option->get_name());
  const std::vector<CLI::App*> chosen = app->get_subcommands();
  for (const CLI::App* command : app->get_subcommands(std::function<bool(const CLI::App*)>())) {
    if (chosen.empty()) known.push_back(command->get_name());
  }
  for (const CLI::App* command : chosen) {
    for (std::string& word : KnownWords(command)) known.push_back(std::move(word));
  }
  return known;
}

std::string Mistake(const CLI::App* app, const CLI::Error& error) {
  return UsageMessage("steerctl", error.what(), app->remaining(true), KnownWords(app));
}

int Parse(int argc, char** argv) {
  Context context;
  CLI::App app("steerctl: pre-registered steering experiments against steerd", "steerctl");
  app.footer(kFooter);
  app.require_subcommand(1);
  app.failure_message(Mistake);
  app.set_version_flag("--version", STEER_VERSION);
  app.add_flag("-q,--quiet", context.quiet, "No progress or notes; errors only");
  app.add_flag("--no-color", context.no_color, "No colours, as with NO_COLOR");
  AddJsonFlag(&app, &context);
  AddServerFlags(&app, &context);
  // Global flags may stand before the subcommand or after it. Inherited by those registered below.
  app.fallthrough();
  RegisterPlan(&app, &context);
  RegisterRun(&app, &context);
  RegisterReport(&app, &context);
  RegisterReproduce(&app, &context);
  RegisterPush(&app, &context);
  RegisterFit(&app, &context);
  RegisterEvaluate(&app, &context);
  RegisterGenerate(&app, &context);
  RegisterTokenize(&app, &context);
  RegisterDirections(&app, &context);
  RegisterModel(&app, &context);
  RegisterDoctor(&app, &context);
  RegisterToken(&app, &context);
  RegisterAudit(&app, &context);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // Help and version are "errors" of code 0.
    return app.exit(error) == 0 ? kExitOk : kExitUsage;
  }
  return context.action();  // each subcommand sets it, and one is required
}

}  // namespace

int SteerctlMain(int argc, char** argv) {
  // A closed pipe or a full quota is reported where it is written, not by a signal.
  signal(SIGPIPE, SIG_IGN);
  signal(SIGXFSZ, SIG_IGN);
  // gRPC's own log lines say what our errors say, in the middle of a progress line. Who wants them
  // sets the variable.
  setenv("GRPC_VERBOSITY", "NONE", 0);
  // Between calls gRPC 1.51 looks at its sockets once in this time, 5 s by default, and a channel
  // whose last connection failed refuses calls until the next one stands: without it a connection
  // that is reset once would be away for 5 to 10 s. Set here, where no other thread reads the
  // environment yet.
  setenv("GRPC_CLIENT_CHANNEL_BACKUP_POLL_INTERVAL_MS", "100", 0);
  try {
    return Parse(argc, argv);
  } catch (const std::exception& error) {
    fprintf(stderr, "steerctl: internal error: %s\n", error.what());
    return kExitFailure;
  }
}

}  // namespace steer
