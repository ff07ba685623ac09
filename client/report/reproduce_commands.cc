#include "client/report/reproduce_commands.h"

#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/shell_quote.h"

namespace steer {
namespace {

// "# text", broken at spaces.
std::string Comment(absl::string_view text) {
  constexpr size_t kWidth = 110;
  std::string lines = "#";
  size_t width = 1;
  for (const absl::string_view word : absl::StrSplit(text, ' ', absl::SkipEmpty())) {
    if (width > 1 && width + 1 + word.size() > kWidth) {
      lines += "\n#";
      width = 1;
    }
    absl::StrAppend(&lines, " ", word);
    width += 1 + word.size();
  }
  return lines + "\n";
}

// A variable that the shell must find set.
std::string Variable(absl::string_view name, absl::string_view what) {
  return absl::StrCat("\"${", name, ":?set ", name, " to ", what, "}\"");
}

constexpr char kModel[] = "MODEL", kDataRoot[] = "DATA_ROOT";

std::string DataRootWord(const CommandInputs& inputs) {
  return inputs.data_root.empty() ? Variable(kDataRoot, "the folder of the data files")
                                  : ShellQuote(inputs.data_root);
}

std::vector<std::string> DataRootFillIn(const CommandInputs& inputs) {
  if (!inputs.data_root.empty()) return {};
  return {kDataRoot};
}

std::string ServerFlag(const CommandInputs& inputs) {
  return inputs.server.empty() ? "" : absl::StrCat(" --server ", ShellQuote(inputs.server));
}

// The flag if the fact is a whole number, as steerd writes it.
std::string NumberFlag(const ServerProvenance& server, absl::string_view flag, const char* fact) {
  const auto found = server.numeric_facts.find(fact);
  int value = 0;
  if (found == server.numeric_facts.end() || !absl::SimpleAtoi(found->second, &value) || value < 1)
    return "";
  return absl::StrCat(" ", flag, " ", value);
}

ShellCommand Steerd(const Lock& lock, const std::string& fingerprint,
                    const ServerProvenance* server) {
  ShellCommand steerd;
  steerd.fill_in = {kModel};
  steerd.what = absl::StrCat(
      "The server, in a terminal of its own. MODEL is the checkpoint's folder or ORG/NAME: model ",
      lock.plan.model_name, ", fingerprint ", lock.model_fingerprint,
      ", which steerd computes and the next command compares.");
  steerd.command =
      absl::StrCat("steerd --model ", Variable(kModel, "the folder of the checkpoint or ORG/NAME"));
  // A name with control characters is shown above and given by nobody: it changes no number.
  if (OneLine(lock.plan.model_name) == lock.plan.model_name)
    absl::StrAppend(&steerd.command, " ",
                    ShellQuote(absl::StrCat("--name=", lock.plan.model_name)));
  absl::StrAppend(&steerd.command, " --dtype ", ShellQuote(lock.plan.dtype));
  if (server == nullptr || !server->proven) {
    absl::StrAppend(&steerd.what,
                    " run.json does not prove device, threads and shapes of fingerprint ",
                    fingerprint.substr(0, 12),
                    ": they are left to you, and numbers may differ in "
                    "the last places.");
    return steerd;
  }
  if (server->device == "cpu" || server->device == "cuda")
    absl::StrAppend(&steerd.command, " --device ", server->device);
  absl::StrAppend(&steerd.command, NumberFlag(*server, "--threads", "threads"),
                  NumberFlag(*server, "--decode-rows", "decode_rows"),
                  NumberFlag(*server, "--prefill-tokens", "prefill_tokens"));
  absl::StrAppend(&steerd.what,
                  " Same bits need the build and processor above too; flags that change "
                  "no number (store, ports, queues, TLS) are yours.");
  return steerd;
}

std::string DataFacts(const Lock& lock) {
  return absl::StrCat(lock.plan.harmful.file, " (SHA-256 ", lock.harmful.sha256, ") and ",
                      lock.plan.harmless.file, " (SHA-256 ", lock.harmless.sha256, ")");
}

}  // namespace

std::vector<ShellCommand> ReproduceCommands(const Lock& lock, const RunProvenance& provenance,
                                            const std::set<std::string>& fingerprints,
                                            const CommandInputs& inputs) {
  const std::string folder = ShellQuote(inputs.folder), output = ShellQuote(inputs.output);
  std::vector<ShellCommand> commands;
  for (const std::string& fingerprint : fingerprints)
    commands.push_back(Steerd(lock, fingerprint, provenance.Find(fingerprint)));
  if (fingerprints.empty()) commands.push_back(Steerd(lock, "none", nullptr));
  if (fingerprints.size() > 1) {
    commands.back().what +=
        " The run's seeds were spread over servers like these; name all of "
        "them with --server below.";
  }
  commands.push_back(
      {absl::StrCat(
           "Before it runs: does the server fit the lock, has it the same numbers, and are "
           "these the data files: ",
           DataFacts(lock), "?"),
       absl::StrCat("steerctl reproduce ", folder, " --data-root ", DataRootWord(inputs),
                    inputs.server.empty() ? " --server 127.0.0.1:50051" : ServerFlag(inputs)),
       DataRootFillIn(inputs)});
  commands.push_back(
      {"The run. Stopped at any point, the same command goes on.",
       absl::StrCat("steerctl run ", ShellQuote(inputs.folder + "/lock.json"), " --data-root ",
                    DataRootWord(inputs), " --output ", output, ServerFlag(inputs)),
       DataRootFillIn(inputs)});
  commands.push_back({"Did it reproduce?",
                      absl::StrCat("steerctl reproduce ", folder, " --against ", output),
                      {}});
  for (size_t i = 0; i < commands.size(); ++i) commands[i].what = OneLine(commands[i].what);
  return commands;
}

std::string CommandLines(const std::vector<ShellCommand>& commands) {
  std::string text;
  for (const ShellCommand& command : commands) {
    absl::StrAppend(&text, text.empty() ? "" : "\n", Comment(command.what), command.command, "\n");
  }
  return text;
}

Json CommandsJson(const std::vector<ShellCommand>& commands) {
  Json json = Json::array();
  for (const ShellCommand& command : commands) {
    json.push_back(
        {{"what", command.what}, {"command", command.command}, {"fill_in", command.fill_in}});
  }
  return json;
}

}  // namespace steer
