// steerctl plan check|freeze|show|splits
#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "client/commands/register.h"
#include "client/commands/trial.h"
#include "client/plan/check.h"
#include "client/plan/lock.h"
#include "client/plan/plan.h"
#include "client/plan/plan_data.h"
#include "client/plan/show.h"
#include "client/run/cell.h"
#include "client/run/model_facts.h"
#include "client/run/result_log.h"
#include "common/errors.h"
#include "common/files.h"
#include "common/status_macros.h"

namespace steer {
namespace {

namespace fs = std::filesystem;

struct PlanFlags {
  std::string path;
  std::string data_root;
  std::string output;
  bool offline = false;
  bool replace = false;
  bool trial = false;
  uint64_t seed = 0;
};

// Templated lengths of every prompt in use, by hash.
absl::StatusOr<TokenCounts> CountTokens(const Plan& plan, const PlanData& data, int max_prompts,
                                        Client* client) {
  TokenCounts counts;
  std::vector<PromptRecord> prompts = PromptsInUse(data.splits);
  size_t step = static_cast<size_t>(std::clamp(max_prompts, 1, 256));
  for (size_t at = 0; at < prompts.size(); at += step) {
    v1::TokenizeRequest request;
    size_t end = std::min(at + step, prompts.size());
    for (size_t i = at; i < end; ++i) *request.add_prompts() = ToPrompt(plan, prompts[i]);
    STEER_ASSIGN_OR_RETURN(v1::TokenizeResponse response, client->Tokenize(request));
    for (size_t i = at; i < end; ++i) {
      counts[prompts[i].hash] = response.prompts(static_cast<int>(i - at)).ids_size();
    }
  }
  return counts;
}

// The facts of every server that --server names.
absl::StatusOr<std::vector<ServerFacts>> AskServers(
    const Context& context, const std::vector<std::unique_ptr<Client>>& clients) {
  const std::vector<std::string> servers = ServersOf(context);
  std::vector<ServerFacts> facts;
  for (size_t i = 0; i < servers.size(); ++i) {
    const absl::StatusOr<v1::GetModelResponse> model = clients[i]->GetModel();
    if (!model.ok()) {
      return servers.size() > 1 ? Annotate(model.status(), servers[i]) : model.status();
    }
    facts.push_back(ToServerFacts(*model));
  }
  return facts;
}

// What a run on several servers adds to a check that was made with the first one's facts.
void CheckSpread(const Context& context, const Plan& plan, const std::vector<ServerFacts>& facts,
                 PlanCheck* check) {
  if (facts.size() < 2) return;
  const std::vector<std::string> servers = ServersOf(context);
  std::vector<WorkEstimate> work;
  bool other_numbers = false;
  for (size_t i = 0; i < facts.size(); ++i) {
    work.push_back(EstimateWork(plan, facts[i], check->mean_tokens));
    other_numbers |= facts[i].numeric_fingerprint != facts[0].numeric_fingerprint;
    if (facts[i].model_fingerprint == facts[0].model_fingerprint) continue;
    check->violations.push_back(
        {"--server", absl::StrCat(servers[i], " has another model than ", servers[0])});
  }
  if (other_numbers) {
    check->warnings.push_back(
        "the servers differ in numeric fingerprint: which server a seed is on shows in its "
        "numbers, "
        "and a seed that loses its server may have to begin anew");
  }
  check->servers = static_cast<int>(facts.size());
  check->spread_seconds = SpreadSeconds(work, static_cast<int64_t>(plan.seeds.size()));
}

struct Examined {
  Plan plan;
  PlanData data;
  absl::optional<ServerFacts> facts;
  PlanCheck check;
};

// Exit code other than 0: said already.
int Examine(const Context& context, const PlanFlags& flags, Examined* out) {
  absl::StatusOr<Plan> plan = LoadPlan(flags.path);
  if (!plan.ok()) return Fail(context, plan.status(), Source::kInput);
  out->plan = *std::move(plan);
  absl::StatusOr<PlanData> data = LoadPlanData(out->plan, DataRoot(flags.data_root, flags.path));
  if (!data.ok()) return Fail(context, data.status(), Source::kInput);
  out->data = *std::move(data);
  TokenCounts tokens;
  std::vector<ServerFacts> servers;
  std::vector<std::unique_ptr<Client>> clients;
  if (flags.trial && ServersOf(context).size() > 1) {
    Fail(context, absl::InvalidArgumentError("--trial times one server; name one with --server"),
         Source::kInput);
    return kExitUsage;
  }
  if (!flags.offline) {
    absl::StatusOr<std::vector<std::unique_ptr<Client>>> made = MakeClients(context);
    if (!made.ok()) return Fail(context, made.status(), Source::kInput);
    clients = *std::move(made);
    absl::StatusOr<std::vector<ServerFacts>> asked = AskServers(context, clients);
    if (!asked.ok()) return Fail(context, asked.status(), Source::kServer);
    servers = *std::move(asked);
    out->facts = servers[0];
    absl::StatusOr<TokenCounts> counted = CountTokens(
        out->plan, out->data, static_cast<int>(servers[0].max_prompts), clients[0].get());
    if (!counted.ok()) return Fail(context, counted.status(), Source::kServer);
    tokens = *std::move(counted);
  }
  absl::StatusOr<PlanCheck> check =
      CheckPlan(out->plan, out->data, out->facts ? &*out->facts : nullptr, tokens);
  if (!check.ok()) return Fail(context, check.status(), Source::kInput);
  out->check = *std::move(check);
  CheckSpread(context, out->plan, servers, &out->check);
  if (flags.trial && out->check.violations.empty()) {
    absl::StatusOr<Trial> trial = TryPlan(out->plan, out->data, servers[0], clients[0].get());
    if (!trial.ok()) return Fail(context, trial.status(), Source::kServer);
    out->check.trial = *trial;
    out->check.expected_seconds = ExpectedSeconds(*out->check.work, servers[0], *trial);
  }
  return kExitOk;
}

int Check(const Context& context, const PlanFlags& flags) {
  Examined examined;
  int code = Examine(context, flags, &examined);
  if (code != kExitOk) return code;
  if (context.json) {
    code = PrintJson(context, PlanCheckJson(examined.check));
  } else if (!Print(RenderPlanCheck(examined.plan, examined.check))) {
    code = kExitDisk;
  }
  if (code != kExitOk) return code;
  return examined.check.violations.empty() ? kExitOk : kExitInput;
}

int Freeze(const Context& context, const PlanFlags& flags) {
  Examined examined;
  int code = Examine(context, flags, &examined);
  if (code != kExitOk) return code;
  if (!examined.check.violations.empty()) {
    return Fail(context, ViolationsError(examined.check.violations), Source::kInput);
  }
  for (const std::string& warning : examined.check.warnings)
    Say(context, absl::StrCat("note: ", warning));
  absl::StatusOr<Lock> lock = FreezePlan(examined.plan, examined.data, *examined.facts);
  if (!lock.ok()) return Fail(context, lock.status(), Source::kInput);
  std::string output = flags.output.empty()
                           ? fs::path(flags.path).replace_extension(".lock.json").string()
                           : flags.output;
  absl::Status written = WriteLock(*lock, output, flags.replace);
  if (!written.ok() && !absl::IsAlreadyExists(written)) {
    written = DiskError(written, "cannot write the lock (--output names another place)");
  }
  if (!written.ok()) return Fail(context, written, Source::kInput);
  if (context.json) return PrintJson(context, {{"lock", output}, {"digest", lock->digest}});
  return Print(absl::StrCat(lock->digest, "  ", output, "\n")) ? kExitOk : kExitDisk;
}

int Show(const Context& context, const PlanFlags& flags) {
  absl::StatusOr<Lock> lock = LoadLock(flags.path);
  if (!lock.ok()) return Fail(context, lock.status(), Source::kInput);
  return Print(context.json ? lock->canonical : RenderLock(*lock)) ? kExitOk : kExitDisk;
}

// True if `path` would lie in or below a run folder, where no prompt belongs.
bool InRunFolder(const std::string& path) {
  std::error_code error;
  fs::path folder = fs::weakly_canonical(fs::absolute(path, error), error).parent_path();
  for (; !error; folder = folder.parent_path()) {
    if (fs::exists(folder / "cells.jsonl", error) || fs::exists(folder / "lock.json", error))
      return true;
    if (folder == folder.root_path()) break;
  }
  return false;
}

int Splits(const Context& context, const PlanFlags& flags) {
  absl::StatusOr<Lock> lock = LoadLock(flags.path);
  if (!lock.ok()) return Fail(context, lock.status(), Source::kInput);
  // Rows and hashes need no file but the lock.
  if (flags.output.empty()) return PrintJson(context, SplitsJson(lock->splits));
  if (lock->FindSeed(flags.seed) == nullptr) {
    Fail(context,
         absl::InvalidArgumentError(
             absl::StrCat("--seed ", flags.seed, " is not a seed of ", flags.path)),
         Source::kInput);
    return kExitUsage;
  }
  if (InRunFolder(flags.output)) {
    Fail(context,
         absl::InvalidArgumentError(
             absl::StrCat("--output ", flags.output,
                          " lies in a run folder; prompts are never written beside results")),
         Source::kInput);
    return kExitUsage;
  }
  absl::StatusOr<std::vector<SeedSplits>> prompts =
      LoadLockedPrompts(*lock, DataRoot(flags.data_root, flags.path));
  if (!prompts.ok()) return Fail(context, prompts.status(), Source::kInput);
  for (const SeedSplits& seed : *prompts) {
    if (seed.seed != flags.seed) continue;
    absl::Status written = WriteFileAtomically(flags.output, SplitsTextJson(seed).dump(1) + "\n");
    if (!written.ok())
      return Fail(context, DiskError(written, "cannot write the splits"), Source::kInput);
    Say(context, absl::StrCat(flags.output, " holds the prompts of seed ", flags.seed, " as text"));
  }
  return kExitOk;
}

}  // namespace

void RegisterPlan(CLI::App* app, Context* context) {
  CLI::App* plan = app->add_subcommand("plan", "Check and freeze plans");
  plan->require_subcommand(1);
  auto flags = std::make_shared<PlanFlags>();
  auto act = [context, flags](CLI::App* command,
                              int (*function)(const Context&, const PlanFlags&)) {
    command->callback([=] { context->action = [=] { return function(*context, *flags); }; });
  };
  auto data_root = [flags](CLI::App* command) {
    command->add_option("--data-root", flags->data_root,
                        "Folder that the plan's files are relative to (the plan's folder)");
  };
  CLI::App* check = plan->add_subcommand(
      "check", "Report data, near twins, class differences, limits and time; no prompt text");
  check->add_option("PLAN", flags->path, "YAML plan")->required();
  CLI::Option* offline =
      check->add_flag("--offline", flags->offline, "Ask no server: no limits, tokens or time");
  check
      ->add_flag(
          "--trial", flags->trial,
          "Evaluate some training prompts, so that the time is one to expect and not a bound")
      ->excludes(offline);
  data_root(check);
  act(check, Check);

  CLI::App* freeze = plan->add_subcommand("freeze", "Write the lock that `run` takes");
  freeze->add_option("PLAN", flags->path, "YAML plan")->required();
  freeze->add_option("-o,--output", flags->output, "Lock to write (PLAN with .lock.json)");
  freeze->add_flag("--replace", flags->replace, "Replace a lock that differs");
  data_root(freeze);
  act(freeze, Freeze);

  CLI::App* show = plan->add_subcommand("show", "Show a lock");
  show->add_option("LOCK", flags->path, "Lock")->required();
  act(show, Show);

  CLI::App* splits =
      plan->add_subcommand("splits",
                           "Print a lock's splits as rows and hashes; with --output, write one "
                           "seed's PROMPTS AS TEXT to a file outside "
                           "any run folder, for reference programs");
  splits->add_option("LOCK", flags->path, "Lock")->required();
  splits->add_option("-o,--output", flags->output,
                     "File for the prompts of --seed; it contains their text");
  splits->add_option("--seed", flags->seed, "Seed of the lock")->capture_default_str();
  data_root(splits);
  act(splits, Splits);
}

}  // namespace steer
