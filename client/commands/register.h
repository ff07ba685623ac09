// One function for each subcommand's file: declares its flags and sets Context::action when it is
// named.
#ifndef STEER_CLIENT_COMMANDS_REGISTER_H_
#define STEER_CLIENT_COMMANDS_REGISTER_H_

#include "client/commands/context.h"

namespace steer {

void RegisterPlan(CLI::App* app, Context* context);
void RegisterRun(CLI::App* app, Context* context);
void RegisterReport(CLI::App* app, Context* context);
void RegisterReproduce(CLI::App* app, Context* context);
// push and forget.
void RegisterPush(CLI::App* app, Context* context);
void RegisterFit(CLI::App* app, Context* context);
void RegisterEvaluate(CLI::App* app, Context* context);
void RegisterGenerate(CLI::App* app, Context* context);
void RegisterTokenize(CLI::App* app, Context* context);
void RegisterDirections(CLI::App* app, Context* context);
void RegisterModel(CLI::App* app, Context* context);
void RegisterDoctor(CLI::App* app, Context* context);
void RegisterToken(CLI::App* app, Context* context);
void RegisterAudit(CLI::App* app, Context* context);

}  // namespace steer

#endif  // STEER_CLIENT_COMMANDS_REGISTER_H_
