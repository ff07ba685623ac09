// What every subcommand shares: global flags, output rules, the client. Data goes to standard
// output, messages to standard error.
#ifndef STEER_CLIENT_COMMANDS_CONTEXT_H_
#define STEER_CLIENT_COMMANDS_CONTEXT_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/api/channel.h"
#include "client/api/client.h"
#include "client/commands/exit_code.h"
#include "common/json.h"

namespace CLI {
class App;
}  // namespace CLI

namespace steer {

// One for the program. Main thread only, but for `stop_count`.
struct Context {
  ChannelOptions channel;  // its `server` may be a list: see ServersOf
  double patience_seconds = 10;
  bool patience_given = false;
  double stall_seconds = 300;
  bool json = false;
  bool quiet = false;
  bool no_color = false;
  // Set by the subcommand that was named; runs after parsing.
  std::function<int()> action;
};

// Adds --server, --tls-*, --token-file, --patience and --stall-timeout.
void AddServerFlags(CLI::App* command, Context* context);
// Adds --json.
void AddJsonFlag(CLI::App* command, Context* context);

// The servers that --server names, one or more.
std::vector<std::string> ServersOf(const Context& context);
// The context of a single one of them.
Context ForServer(const Context& context, const std::string& server);
// INVALID_ARGUMENT (reason INVALID_ADDRESS) if a name is missing or stands there twice, or is no
// address; as OpenChannel for the other flags.
absl::Status CheckServers(const Context& context);

// A client with the flags' settings, for the one server that they name: INVALID_ADDRESS for a list. `customise` may adjust the options; null for none.
absl::StatusOr<std::unique_ptr<Client>> MakeClient(
    const Context& context, const std::function<void(ClientOptions*)>& customise = nullptr);
// One for each server, in their order. Errors as CheckServers.
absl::StatusOr<std::vector<std::unique_ptr<Client>>> MakeClients(const Context& context);

// A line on standard error, unless --quiet.
void Say(const Context& context, absl::string_view line);
// "steerctl: <what went wrong>" on standard error, one line for each violation, with what to do
// next where that is known. Returns the exit code.
int Fail(const Context& context, const absl::Status& status, Source source);
// Standard output. False (and a message) if it cannot be written.
bool Print(absl::string_view text);
int PrintJson(const Context& context, const Json& value);

// Standard error is a terminal that takes control sequences.
bool InteractiveTerminal();
// The text with its verdict line in bold, where standard output is a terminal and neither
// --no-color nor NO_COLOR is there.
std::string Emphasised(const Context& context, std::string text);

}  // namespace steer

#endif  // STEER_CLIENT_COMMANDS_CONTEXT_H_
