#include "client/commands/context.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/api/tls_fault.h"
#include "client/report/summary.h"
#include "common/bearer_token.h"
#include "common/errors.h"
#include "common/status_macros.h"

namespace steer {

void AddServerFlags(CLI::App* command, Context* context) {
  const char* group = "Server";
  command
      ->add_option("--server", context->channel.server,
                   "Where steerd listens: host:port, or unix:path; run, doctor and plan take "
                   "several, as in a:50051,b:50051")
      ->capture_default_str()
      ->envname("STEER_SERVER")
      ->group(group);
  command->add_flag("--tls", context->channel.tls, "Use TLS with the system's roots")->group(group);
  command
      ->add_option("--tls-ca", context->channel.ca_file,
                   "PEM file of the roots to trust; implies --tls")
      ->group(group);
  command
      ->add_option("--tls-cert", context->channel.certificate_file,
                   "PEM file of our certificate; implies --tls")
      ->group(group);
  command->add_option("--tls-key", context->channel.key_file, "PEM file of its key")->group(group);
  command
      ->add_option("--tls-name", context->channel.server_name,
                   "Name to expect in the server's certificate")
      ->group(group);
  command
      ->add_option("--token-file", context->channel.token_file,
                   "File with the token that the server asks for")
      ->envname("STEER_TOKEN_FILE")
      ->group(group);
  command
      ->add_option_function<double>(
          "--patience",
          [context](const double& seconds) {
            context->patience_seconds = seconds;
            context->patience_given = true;
          },
          "Seconds to go on trying while the server is away or full (10; run: 600)")
      ->check(CLI::Range(0.0, 1e6))
      ->group(group);
  command
      ->add_option("--stall-timeout", context->stall_seconds,
                   "Longest silence of a stream in seconds")
      ->capture_default_str()
      ->check(CLI::Range(1.0, 1e6))
      ->group(group);
}

void AddJsonFlag(CLI::App* command, Context* context) {
  command->add_flag("--json", context->json, "Print JSON for programs");
}

std::vector<std::string> ServersOf(const Context& context) {
  return absl::StrSplit(context.channel.server, ',');
}

Context ForServer(const Context& context, const std::string& server) {
  Context one = context;
  one.channel.server = server;
  return one;
}

namespace {

// Calls `open` for each server, until it fails or a name stands there twice.
absl::Status ForEachServer(const Context& context,
                           const std::function<absl::Status(const Context&)>& open) {
  std::set<std::string> seen;
  for (const std::string& server : ServersOf(context)) {
    STEER_RETURN_IF_ERROR(open(ForServer(context, server)));
    if (seen.insert(server).second) continue;
    return MakeError(absl::StatusCode::kInvalidArgument, "INVALID_ADDRESS",
                     absl::StrCat("--server names ", server, " twice"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckServers(const Context& context) {
  return ForEachServer(context,
                       [](const Context& one) { return OpenChannel(one.channel).status(); });
}

absl::StatusOr<std::unique_ptr<Client>> MakeClient(
    const Context& context, const std::function<void(ClientOptions*)>& customise) {
  if (ServersOf(context).size() > 1) {
    return MakeError(absl::StatusCode::kInvalidArgument, "INVALID_ADDRESS",
                     "--server names several servers; this command speaks to one");
  }
  STEER_ASSIGN_OR_RETURN(std::shared_ptr<grpc::Channel> channel, OpenChannel(context.channel));
  if (ReadableByOthers(context.channel.token_file)) {
    Say(context, absl::StrCat("any user of this machine may read ", context.channel.token_file));
  }
  ClientOptions options;
  options.patience = absl::Seconds(context.patience_seconds);
  options.stall = absl::Seconds(context.stall_seconds);
  options.reopen = [channel = context.channel] { return OpenChannel(channel); };
  if (customise) customise(&options);
  return std::make_unique<Client>(std::move(channel), std::move(options));
}

absl::StatusOr<std::vector<std::unique_ptr<Client>>> MakeClients(const Context& context) {
  std::vector<std::unique_ptr<Client>> clients;
  STEER_RETURN_IF_ERROR(ForEachServer(context, [&](const Context& one) -> absl::Status {
    STEER_ASSIGN_OR_RETURN(std::unique_ptr<Client> client, MakeClient(one));
    clients.push_back(std::move(client));
    return absl::OkStatus();
  }));
  return clients;
}

void Say(const Context& context, absl::string_view line) {
  if (!context.quiet) fprintf(stderr, "%.*s\n", static_cast<int>(line.size()), line.data());
}

int Fail(const Context& context, const absl::Status& status, Source source) {
  int code = ExitCodeOf(status, source);
  std::vector<Violation> violations = ViolationsOf(status);
  std::string text;
  if (violations.size() > 1) {
    text = absl::StrCat(violations.size(), " things are wrong:");
    for (const Violation& v : violations)
      absl::StrAppend(&text, "\n  ", v.field, ": ", v.description);
  } else {
    text = std::string(status.message());
    if (text.empty()) text = absl::StatusCodeToString(status.code());
  }
  if (code == kExitUnreachable) {
    text = absl::StrCat("no answer from steerd at ", context.channel.server, ": ", text);
    if (ReasonOf(status) != kTlsFault) {
      absl::StrAppend(&text,
                      "\n  Is it running? Name it with --server, or wait longer with --patience.");
    }
  }
  const std::string hint = ClosedConnectionHint(status.message(), context.channel);
  if (!hint.empty()) absl::StrAppend(&text, "\n  ", hint);
  std::string reason = ReasonOf(status);
  if (!reason.empty() && violations.empty()) absl::StrAppend(&text, " (", reason, ")");
  fprintf(stderr, "steerctl: %s\n", text.c_str());
  return code;
}

bool Print(absl::string_view text) {
  if (fwrite(text.data(), 1, text.size(), stdout) == text.size() && fflush(stdout) == 0)
    return true;
  fprintf(stderr, "steerctl: cannot write to standard output\n");
  return false;
}

int PrintJson(const Context& context, const Json& value) {
  absl::StatusOr<std::string> text = PrettyJson(value);
  if (!text.ok()) return Fail(context, text.status(), Source::kServer);
  return Print(*text) ? kExitOk : kExitDisk;
}

bool InteractiveTerminal() {
  const char* term = getenv("TERM");
  return isatty(STDERR_FILENO) == 1 && term != nullptr && std::string(term) != "dumb";
}

std::string Emphasised(const Context& context, std::string text) {
  const char* no_colour = getenv("NO_COLOR");
  bool wanted = !context.no_color && (no_colour == nullptr || *no_colour == '\0') &&
                isatty(STDOUT_FILENO) == 1;
  size_t at = text.rfind("\nverdict: ");
  if (!wanted || at == std::string::npos) return text;
  size_t end = text.find('\n', at + 1);
  return absl::StrCat(text.substr(0, at + 1), "\033[1m", text.substr(at + 1, end - at - 1),
                      "\033[0m", text.substr(end));
}

}  // namespace steer
