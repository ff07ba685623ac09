// steerctl reproduce DIR
#include <CLI/CLI.hpp>
#include <filesystem>
#include <iterator>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/commands/register.h"
#include "client/report/compare_runs.h"
#include "client/report/reproduce_commands.h"
#include "client/report/run_check.h"
#include "client/run/model_facts.h"
#include "common/errors.h"
#include "common/shell_quote.h"
#include "common/status_macros.h"

namespace steer {
namespace {

namespace fs = std::filesystem;

struct ReproduceFlags {
  std::string folder;
  std::string against;
  std::string data_root;
  std::string output;
  bool server_given = false;
};

// As commands name it: from any folder, and never with a dash in front.
std::string Absolute(const std::string& path) {
  std::error_code error;
  fs::path absolute = fs::absolute(path, error);
  if (error) return path;
  absolute = absolute.lexically_normal();
  return (absolute.has_filename() ? absolute : absolute.parent_path()).string();
}

struct Ending {
  ExitCode code;
  const char* conclusion;
};

// By the worst weight of a check that failed, in the order of CheckWeight.
constexpr Ending kEndings[] = {
    {kExitOk, "whole: nothing that was checked differs or is missing"},
    {kExitFigure, "whole but for figures: all numbers hold"},
    {kExitIncomplete, "unfinished: what is measured holds"},
    {kExitUnreachable, "the folder holds; a server could not be asked"},
    {kExitServer, "the folder holds; a server is not one for its lock"},
    {kExitInput, "damaged, changed or not reproduced: see the lines above"}};
static_assert(std::size(kEndings) == static_cast<size_t>(CheckWeight::kResults) + 1);

const Ending& EndingOf(CheckWeight worst) { return kEndings[static_cast<size_t>(worst)]; }

void CheckData(const Lock& lock, const std::string& data_root, std::vector<CheckResult>* checks) {
  for (PromptClass prompt_class : {PromptClass::kHarmful, PromptClass::kHarmless}) {
    const absl::Status status = CheckLockedFile(lock, prompt_class, data_root);
    checks->push_back({absl::StrCat("data ", lock.plan.source(prompt_class).file),
                       status.ok() ? CheckState::kOk : CheckState::kDiffers,
                       status.ok() ? absl::StrCat("the locked ", PromptClassName(prompt_class),
                                                  " prompts of every seed")
                                   : std::string(status.message())});
  }
}

// Which numeric facts are not those of the run's server, as far as run.json tells.
std::string OtherFacts(const v1::GetModelResponse& model, const RunProvenance& provenance,
                       const std::set<std::string>& fingerprints) {
  for (const std::string& fingerprint : fingerprints) {
    const ServerProvenance* server = provenance.Find(fingerprint);
    if (server == nullptr || !server->proven) continue;
    std::vector<std::string> differing;
    for (const auto& [name, value] : server->numeric_facts) {
      const auto here = model.numeric_facts().find(name);
      const std::string found = here == model.numeric_facts().end() ? "unknown" : here->second;
      if (found != value) differing.push_back(absl::StrCat(name, " ", value, ", here ", found));
    }
    return differing.empty() ? "" : absl::StrCat(" (", absl::StrJoin(differing, "; "), ")");
  }
  return "";
}

void CheckServer(const std::string& server, Client* client, const CheckedRun& run,
                 const std::set<std::string>& fingerprints, std::vector<CheckResult>* checks) {
  const std::string what = absl::StrCat("server ", server);
  const absl::StatusOr<v1::GetModelResponse> model = client->GetModel();
  if (!model.ok()) {
    const bool away = ExitCodeOf(model.status(), Source::kServer) == kExitUnreachable;
    checks->push_back({what, CheckState::kMissing,
                       absl::StrCat("no answer: ", model.status().message()),
                       away ? CheckWeight::kUnreachable : CheckWeight::kServer});
    return;
  }
  const absl::Status fits = CheckLockAgainstServer(*run.lock, ToServerFacts(*model));
  checks->push_back({what, fits.ok() ? CheckState::kOk : CheckState::kDiffers,
                     fits.ok() ? absl::StrCat("it fits the lock: ", model->name(), ", model ",
                                              model->model_fingerprint(), ", ", model->dtype())
                               : std::string(fits.message()),
                     CheckWeight::kServer});
  if (fingerprints.empty()) return;
  const bool same = fingerprints.count(model->numeric_fingerprint()) > 0;
  checks->push_back(
      {absl::StrCat("numbers ", server), same ? CheckState::kOk : CheckState::kDiffers,
       same ? absl::StrCat("the cells' numeric fingerprint",
                           fingerprints.size() > 1 ? ", one of several" : "",
                           ": the same bits are expected")
            : absl::StrCat("another numeric fingerprint than the cells': numbers may differ in the "
                           "last places",
                           OtherFacts(*model, run.provenance, fingerprints)),
       CheckWeight::kNote});
}

// Adds what is wrong with the other folder and whether it reproduces the first.
absl::StatusOr<RunComparison> Compare(const CheckedRun& run, const std::string& against,
                                      std::vector<CheckResult>* checks) {
  STEER_ASSIGN_OR_RETURN(const CheckedRun other, CheckRunFolder(against));
  bool whole = true;
  for (CheckResult check : other.checks) {
    if (!check.failed() || check.weight == CheckWeight::kNote) continue;
    whole = false;
    check.what = absl::StrCat("other: ", check.what);
    checks->push_back(std::move(check));
  }
  if (whole) {
    checks->push_back({"other", CheckState::kOk, "nothing that was checked differs or is missing"});
  }
  STEER_ASSIGN_OR_RETURN(RunComparison comparison, CompareRuns(run, other));
  const bool open = !comparison.complete;
  checks->push_back({"reproduced",
                     comparison.reproduced() ? CheckState::kOk
                     : open                  ? CheckState::kMissing
                                             : CheckState::kDiffers,
                     comparison.reproduced() ? "byte for byte"
                     : open                  ? "a run has not come to its end"
                                             : "see below",
                     open ? CheckWeight::kUnfinished : CheckWeight::kResults});
  return comparison;
}

std::set<std::string> FingerprintsOf(const CheckedRun& run) {
  std::set<std::string> fingerprints;
  if (!run.summary) return fingerprints;
  for (const SeedSummary& seed : run.summary->seeds) {
    if (seed.fit) fingerprints.insert(seed.fit->numeric_fingerprint);
  }
  return fingerprints;
}

int Reproduce(const Context& context, const ReproduceFlags& flags) {
  std::error_code ignored;
  if (!flags.against.empty() && fs::equivalent(flags.folder, flags.against, ignored)) {
    return Fail(context,
                MakeError(absl::StatusCode::kInvalidArgument, "SAME_FOLDER",
                          "--against names the same folder: a run does not reproduce itself"),
                Source::kInput);
  }
  std::vector<std::unique_ptr<Client>> clients;
  if (flags.server_given) {
    absl::StatusOr<std::vector<std::unique_ptr<Client>>> made = MakeClients(context);
    if (!made.ok()) return Fail(context, made.status(), Source::kInput);
    clients = *std::move(made);
  }
  absl::StatusOr<CheckedRun> run = CheckRunFolder(flags.folder);
  if (!run.ok()) return Fail(context, run.status(), Source::kInput);
  std::vector<CheckResult> checks = std::move(run->checks);
  std::vector<ShellCommand> commands;
  absl::optional<RunComparison> comparison;
  const std::set<std::string> fingerprints = FingerprintsOf(*run);
  if (run->lock) {
    if (!flags.data_root.empty()) CheckData(*run->lock, flags.data_root, &checks);
    const std::vector<std::string> servers = ServersOf(context);
    for (size_t i = 0; i < clients.size(); ++i) {
      CheckServer(servers[i], clients[i].get(), *run, fingerprints, &checks);
    }
    CommandInputs inputs;
    inputs.folder = Absolute(flags.folder);
    inputs.output = !flags.output.empty()    ? Absolute(flags.output)
                    : !flags.against.empty() ? Absolute(flags.against)
                                             : inputs.folder + "-again";
    if (!flags.data_root.empty()) inputs.data_root = Absolute(flags.data_root);
    if (flags.server_given) inputs.server = context.channel.server;
    commands = ReproduceCommands(*run->lock, run->provenance, fingerprints, inputs);
  }
  if (!flags.against.empty()) {
    absl::StatusOr<RunComparison> compared = Compare(*run, flags.against, &checks);
    if (!compared.ok()) {
      Print(CheckLines(checks));
      return Fail(context, compared.status(), Source::kInput);
    }
    comparison = *std::move(compared);
  }

  const Ending& ending = EndingOf(WorstOf(checks));
  const std::string digest = run->lock ? run->lock->digest : "";
  if (context.json) {
    const int printed =
        PrintJson(context, {{"folder", OneLine(flags.folder)},
                            {"lock_digest", run->lock ? Json(digest) : Json()},
                            {"conclusion", ending.conclusion},
                            {"checks", ChecksJson(checks)},
                            {"made_by", ProvenanceJson(run->provenance)},
                            {"commands", CommandsJson(commands)},
                            {"against", comparison ? ComparisonJson(*comparison) : Json()}});
    return printed != kExitOk ? printed : ending.code;
  }
  std::string text;
  if (run->lock) absl::StrAppend(&text, "plan ", run->lock->plan.name, ", lock ", digest, "\n\n");
  absl::StrAppend(&text, CheckLines(checks), "\n", ending.conclusion, "\n");
  if (comparison) absl::StrAppend(&text, "\n", ComparisonLines(*comparison));
  absl::StrAppend(&text, "\nMade by\n", ProvenanceLines(run->provenance));
  if (!commands.empty()) absl::StrAppend(&text, "\nTo run it again\n\n", CommandLines(commands));
  return Print(text) ? ending.code : kExitDisk;
}

}  // namespace

void RegisterReproduce(CLI::App* app, Context* context) {
  auto flags = std::make_shared<ReproduceFlags>();
  CLI::App* command = app->add_subcommand(
      "reproduce",
      "Check that a run folder is whole, and say how to make its run again; nothing is written");
  command->add_option("DIR", flags->folder, "Run folder")->required();
  command->add_option("--against", flags->against,
                      "Another run folder of the same lock: is it a reproduction of DIR?");
  command->add_option("--data-root", flags->data_root,
                      "Also check that the data files there give the locked prompts");
  command->add_option("-o,--output", flags->output,
                      "Run folder that the printed commands name (DIR-again)");
  command->footer("With --server (or STEER_SERVER), also whether each server named fits the lock.");
  command->callback([app, context, flags] {
    flags->server_given = app->get_option("--server")->count() > 0;
    context->action = [context, flags] { return Reproduce(*context, *flags); };
  });
}

}  // namespace steer
