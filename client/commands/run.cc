// steerctl run LOCK
#include <CLI/CLI.hpp>
#include <algorithm>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "client/commands/register.h"
#include "client/commands/run_series.h"
#include "client/commands/run_session.h"
#include "client/commands/run_telemetry.h"
#include "client/commands/run_view.h"
#include "client/commands/signals.h"
#include "client/plan/lock.h"
#include "client/plan/plan_data.h"
#include "client/report/outputs.h"
#include "client/report/table.h"
#include "client/run/fleet.h"
#include "client/run/run_folder.h"
#include "common/errors.h"
#include "common/status_macros.h"

namespace steer {
namespace {

struct RunFlags {
  std::string lock;
  std::string output;
  std::string data_root;
  RunTelemetryOptions telemetry;
  int attempts = 3;
  double move_after = 30;  // seconds
};

// Where the page is, and what of the plan has no room in it.
void SayTelemetry(const Context& context, const RunTelemetryOptions& options, const Lock& lock,
                  const RunTelemetry& telemetry) {
  if (telemetry.port() > 0) {
    const std::string& address = options.metrics_listen;
    Say(context, absl::StrCat("metrics: http://", address.substr(0, address.rfind(':')), ":",
                              telemetry.port(), "/metrics"));
  }
  const std::string dropped = LevelsOf(lock).dropped();
  if (dropped.empty() || (telemetry.port() == 0 && options.push_gateway.empty())) return;
  Say(context, absl::StrCat("metrics: the plan would take ", MostSeriesOf(lock, SeriesLevels()),
                            " series of ", kMostSeries, "; left out: ", dropped));
}

// Says what became of the pushes, if any failed.
void CloseTelemetry(const Context& context, RunTelemetry* telemetry) {
  const PushCounts counts = telemetry->Close();
  if (counts.failed == 0) return;
  Say(context, absl::StrCat("pushgateway: ", counts.failed, " of ", counts.failed + counts.pushed,
                            " pushes failed, the last with: ", counts.last_error));
}

std::string DefaultOutput(const Lock& lock) {
  return absl::StrCat("runs/", lock.plan.name, "-", lock.digest.substr(0, 12));
}

using Connect = decltype(FleetOptions::connect);

absl::Status RunOn(const Context& context, const RunFlags& flags, const Lock& lock,
                   const Connect& connect, RunOptions options, ResultLog* log,
                   SerialObserver* observer, RunStats* stats) {
  const std::string data_root = DataRoot(flags.data_root, flags.lock);
  // A run may wait out a restart of the server.
  const absl::Duration patience =
      context.patience_given ? absl::Seconds(context.patience_seconds) : absl::Minutes(10);
  FleetOptions fleet;
  fleet.servers = ServersOf(context);
  if (fleet.servers.size() == 1) {
    STEER_ASSIGN_OR_RETURN(std::unique_ptr<Client> client,
                           connect(fleet.servers[0], patience, nullptr));
    return RunExperiment(lock, data_root, options, client.get(), log, observer, stats);
  }
  // Another server may need them.
  options.keep_sets = true;
  fleet.patience = patience;
  fleet.move_after = std::min(absl::Seconds(flags.move_after), patience);
  fleet.connect = connect;
  return RunOnServers(lock, data_root, options, fleet, log, observer, stats);
}

// The run proper, once the folder is ours. Returns the exit code.
int Execute(const Context& context, const RunFlags& flags, const Lock& lock,
            const std::string& output, const RunFolder& folder, ResultLog* log,
            RunTelemetry* telemetry) {
  RunSession session(folder.paths().run);
  absl::Status noted =
      session.WriteStart(static_cast<int64_t>(log->records().size()), log->torn_bytes());
  if (!noted.ok()) return Fail(context, noted, Source::kInput);
  if (log->torn_bytes() > 0) {
    Say(context, absl::StrCat("dropped ", log->torn_bytes(),
                              " bytes of a record that was cut off; its cell is measured again"));
  }

  const std::vector<std::string> servers = ServersOf(context);
  telemetry->Begin(log, session.started(), servers.size() == 1 ? servers[0] : "");
  absl::Cleanup leave_log = [telemetry] { telemetry->End("stopped"); };  // however we return
  RunView view(context, telemetry);
  SerialObserver observer(&view);
  auto connect = [&](const std::string& server, absl::Duration patience,
                     std::function<bool()> stop) {
    return MakeClient(ForServer(context, server), [&, server](ClientOptions* options) {
      options->patience = patience;
      options->stop = [stop] { return StopNow() || (stop && stop()); };
      options->on_waiting = [&, server](const absl::Status& why, absl::Duration waited) {
        observer.Do([&] { view.OnWaitingFor(server, why, waited); });
      };
      options->on_retry = [&](absl::string_view method, const absl::Status& why) {
        observer.Do([&] { view.OnRetry(method, why); });
      };
    });
  };

  RunOptions options;
  options.attempts = flags.attempts;
  options.stop_soon = [] { return StopSignals() > 0; };
  options.sets = folder.paths().sets;
  RunStats stats;
  absl::Status ran = RunOn(context, flags, lock, connect, options, log, &observer, &stats);
  view.Finish();
  if (!ran.ok()) {
    absl::Status ended = session.WriteEnd(stats, telemetry->End("stopped"));
    telemetry->Finish();
    int code = Fail(context, ran, Source::kServer);
    if (!ended.ok() && code != kExitDisk) Fail(context, ended, Source::kInput);
    // Of a mistake in what was given, the error has said what to change.
    if (code != kExitInput) {
      Say(context, absl::StrCat("what is measured is safe in ", output,
                                "; the same command goes on from there"));
    }
    return code;
  }
  absl::StatusOr<Outputs> outputs = WriteOutputs(lock, *log, folder.paths());
  const RunFacts facts = telemetry->End(!outputs.ok()    ? "stopped"
                                        : stats.complete ? "done"
                                                         : "incomplete");
  telemetry->Finish();
  if (!outputs.ok()) return Fail(context, outputs.status(), Source::kInput);
  absl::Status ended = session.WriteEnd(stats, facts);
  if (!ended.ok()) return Fail(context, ended, Source::kInput);

  int printed = context.json ? PrintJson(context, SummaryJson(lock, outputs->summary))
                : Print(Emphasised(context, RenderTable(lock, outputs->summary))) ? kExitOk
                                                                                  : kExitDisk;
  Say(context,
      absl::StrCat("figure: ", folder.paths().figure_svg, "\nreport: ", folder.paths().report));
  if (printed != kExitOk) return printed;
  if (!stats.complete) {
    Say(context, "some cells are missing; the same command tries them again");
    return kExitIncomplete;
  }
  if (outputs->summary.overall == Verdict::kIncomplete) return kExitIncomplete;  // no usable layer
  if (!outputs->figures.ok()) return Fail(context, outputs->figures, Source::kInput);
  return kExitOk;
}

int Run(const Context& context, const RunFlags& flags) {
  CatchStopSignals();
  absl::StatusOr<Lock> lock = LoadLock(flags.lock);
  if (!lock.ok()) return Fail(context, lock.status(), Source::kInput);
  absl::StatusOr<std::unique_ptr<RunTelemetry>> telemetry =
      RunTelemetry::Start(flags.telemetry, *lock);
  if (!telemetry.ok()) return Fail(context, telemetry.status(), Source::kInput);
  // A bad address or certificate is said before a folder is made.
  absl::Status channel = CheckServers(context);
  if (!channel.ok()) return Fail(context, channel, Source::kInput);
  std::string output = flags.output.empty() ? DefaultOutput(*lock) : flags.output;
  absl::StatusOr<std::unique_ptr<RunFolder>> folder = RunFolder::Open(output, *lock);
  if (!folder.ok()) return Fail(context, folder.status(), Source::kInput);
  absl::StatusOr<std::unique_ptr<ResultLog>> log = ResultLog::Open((*folder)->paths().log);
  if (!log.ok()) return Fail(context, log.status(), Source::kInput);
  SayTelemetry(context, flags.telemetry, *lock, **telemetry);
  int code = Execute(context, flags, *lock, output, **folder, log->get(), telemetry->get());
  CloseTelemetry(context, telemetry->get());
  return code;
}

}  // namespace

void RegisterRun(CLI::App* app, Context* context) {
  auto flags = std::make_shared<RunFlags>();
  CLI::App* command = app->add_subcommand(
      "run", "Run a lock, or go on with it: the same command finishes what was stopped");
  command->add_option("LOCK", flags->lock, "Lock that `plan freeze` wrote")->required();
  command->add_option("-o,--output", flags->output, "Run folder (runs/NAME-DIGEST)");
  command->add_option("--data-root", flags->data_root,
                      "Folder that the plan's files are relative to (the lock's folder)");
  command
      ->add_option("--push-gateway,--pushgateway", flags->telemetry.push_gateway,
                   "URL of a Prometheus Pushgateway; its faults never fail a run")
      ->envname("STEER_PUSHGATEWAY");
  command->add_option("--metrics-listen", flags->telemetry.metrics_listen,
                      "Serve metrics on HOST:PORT while the run goes on");
  command->add_flag("--metrics-insecure", flags->telemetry.metrics_insecure,
                    "Let --metrics-listen reach beyond loopback, without TLS or tokens");
  command
      ->add_option("--attempts", flags->attempts,
                   "Tries of a cell that fails for a reason that may pass")
      ->capture_default_str()
      ->check(CLI::Range(1, 100));
  command
      ->add_option("--move-after", flags->move_after,
                   "With several servers: seconds that one may stay away before its seed moves")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 1e6));
  command->callback(
      [context, flags] { context->action = [context, flags] { return Run(*context, *flags); }; });
}

}  // namespace steer
