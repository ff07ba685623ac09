// steerctl push DIR, steerctl forget EXPERIMENT
#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "client/commands/register.h"
#include "client/commands/run_metrics.h"
#include "client/commands/run_session.h"
#include "client/plan/lock.h"
#include "client/run/run_folder.h"
#include "common/errors.h"
#include "common/status_macros.h"

namespace steer {
namespace {

struct PushFlags {
  std::string target;  // folder, or the name of an experiment
  std::string gateway;
  bool unfinished = false;
};

// What a gateway's failure is to the user.
absl::Status GatewayError(const std::string& url, const absl::Status& status) {
  if (status.ok()) return status;
  const char* what = ReasonOf(status) == "NO_ANSWER" ? "no Pushgateway answers at "
                                                     : "what answers as Pushgateway refused, at ";
  return MakeError(absl::StatusCode::kUnavailable, "GATEWAY_FAILED",
                   absl::StrCat(what, ShownUrl(url), ": ", status.message()));
}

// The facts of a run that came to its end, or was stopped and `unfinished` allows it.
absl::StatusOr<RunFacts> FactsOf(const std::string& folder, const RunPaths& paths,
                                 bool unfinished) {
  absl::StatusOr<RunFacts> facts = LastSession(paths.run);
  if (absl::IsNotFound(facts.status())) {
    return MakeError(absl::StatusCode::kFailedPrecondition, "RUN_UNFINISHED",
                     absl::StrCat(folder, " holds no run.json: nothing was run there yet"));
  }
  if (!facts.ok() || facts->state == "done" || facts->state == "incomplete") return facts;
  if (!unfinished) {
    return MakeError(absl::StatusCode::kFailedPrecondition, "RUN_UNFINISHED",
                     absl::StrCat("the run in ", folder,
                                  " did not come to its end: go on with `steerctl run`, or push "
                                  "what is measured with --unfinished"));
  }
  facts->state = "stopped";  // also if it was killed: nobody else holds the folder
  return facts;
}

struct Pushed {
  std::string experiment;
  std::string state;
  int64_t series = 0;
};

absl::StatusOr<Pushed> PushFolder(const PushFlags& flags) {
  STEER_RETURN_IF_ERROR(CheckGroup(ExperimentGroup(flags.gateway, "")));
  STEER_ASSIGN_OR_RETURN(std::unique_ptr<RunFolder> folder, RunFolder::OpenExisting(flags.target));
  STEER_ASSIGN_OR_RETURN(const Lock lock, LoadLock(folder->paths().lock));
  STEER_ASSIGN_OR_RETURN(RunFacts facts, FactsOf(flags.target, folder->paths(), flags.unfinished));
  STEER_ASSIGN_OR_RETURN(std::unique_ptr<ResultLog> log, ResultLog::Open(folder->paths().log));
  STEER_ASSIGN_OR_RETURN(const RunState state, ReadRunState(lock, *log));
  const MetricsText text = RunMetrics(lock, state, facts);
  STEER_RETURN_IF_ERROR(GatewayError(
      flags.gateway, PutGroup(ExperimentGroup(flags.gateway, lock.plan.name), text.Render())));
  return Pushed{lock.plan.name, facts.state, text.series()};
}

int Push(const Context& context, const PushFlags& flags) {
  const absl::StatusOr<Pushed> pushed = PushFolder(flags);
  if (!pushed.ok()) return Fail(context, pushed.status(), Source::kInput);
  if (context.json) {
    return PrintJson(
        context,
        {{"experiment", pushed->experiment}, {"state", pushed->state}, {"series", pushed->series}});
  }
  return Print(absl::StrCat("pushed ", pushed->series, " series of experiment ", pushed->experiment,
                            " (", pushed->state, ") to ", ShownUrl(flags.gateway), "\n"))
             ? kExitOk
             : kExitDisk;
}

absl::StatusOr<std::string> ExperimentOf(const std::string& target) {
  const std::string lock_path = RunPaths(target).lock;
  std::error_code error;
  if (!std::filesystem::exists(lock_path, error)) return target;
  STEER_ASSIGN_OR_RETURN(const Lock lock, LoadLock(lock_path));
  return lock.plan.name;
}

int Forget(const Context& context, const PushFlags& flags) {
  const absl::StatusOr<std::string> experiment = ExperimentOf(flags.target);
  if (!experiment.ok()) return Fail(context, experiment.status(), Source::kInput);
  const GatewayGroup group = ExperimentGroup(flags.gateway, *experiment);
  const absl::Status url = CheckGroup(group);
  if (!url.ok()) return Fail(context, url, Source::kInput);
  const absl::StatusOr<int64_t> series = DeleteGroup(group);
  if (absl::IsNotFound(series.status())) {
    return Fail(context,
                Annotate(series.status(),
                         absl::StrCat("nothing of experiment ", *experiment, " to forget")),
                Source::kInput);
  }
  if (!series.ok())
    return Fail(context, GatewayError(flags.gateway, series.status()), Source::kInput);
  if (context.json)
    return PrintJson(context, {{"experiment", *experiment}, {"deleted_series", *series}});
  return Print(absl::StrCat("deleted ", *series, " series of experiment ", *experiment, " at ",
                            ShownUrl(flags.gateway), "\n"))
             ? kExitOk
             : kExitDisk;
}

void AddGateway(CLI::App* command, PushFlags* flags) {
  command->add_option("--push-gateway,--pushgateway", flags->gateway, "URL of the Pushgateway")
      ->envname("STEER_PUSHGATEWAY")
      ->required();
}

}  // namespace

void RegisterPush(CLI::App* app, Context* context) {
  auto flags = std::make_shared<PushFlags>();
  CLI::App* push = app->add_subcommand(
      "push", "Push a run folder's metrics again, as the run itself did at its end");
  push->add_option("DIR", flags->target, "Run folder")->required();
  push->add_flag("--unfinished", flags->unfinished, "Also of a run that was stopped or killed");
  AddGateway(push, flags.get());
  push->callback(
      [context, flags] { context->action = [context, flags] { return Push(*context, *flags); }; });
  CLI::App* forget =
      app->add_subcommand("forget", "Delete an experiment's metrics from the Pushgateway");
  forget->add_option("EXPERIMENT", flags->target, "Name of its plan, or its run folder")
      ->required();
  AddGateway(forget, flags.get());
  forget->callback([context, flags] {
    context->action = [context, flags] { return Forget(*context, *flags); };
  });
}

}  // namespace steer
