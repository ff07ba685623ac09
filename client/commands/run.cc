// steerctl run LOCK
#include <CLI/CLI.hpp>
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/commands/progress.h"
#include "client/commands/register.h"
#include "client/commands/run_metrics.h"
#include "client/commands/run_session.h"
#include "client/commands/signals.h"
#include "client/plan/lock.h"
#include "client/plan/plan_data.h"
#include "client/report/outputs.h"
#include "client/report/table.h"
#include "client/run/fleet.h"
#include "client/run/run_folder.h"
#include "client/telemetry/gateway.h"
#include "common/errors.h"
#include "common/status_macros.h"

namespace steer {
namespace {

struct RunFlags {
  std::string lock;
  std::string output;
  std::string data_root;
  std::string pushgateway;
  int attempts = 3;
  double move_after = 30;  // seconds
};

// Progress on the terminal, and a snapshot for the gateway whenever something durable happened.
class RunView : public Progress {
 public:
  RunView(const Context& context, const Lock& lock, const ResultLog& log, GatewayPusher* gateway)
      : Progress(context),
        lock_(lock),
        log_(log),
        gateway_(gateway),
        started_(absl::ToUnixSeconds(absl::Now())) {}

  void OnStart(int64_t cells, int64_t rows, int64_t done_cells, int64_t done_rows) override {
    Progress::OnStart(cells, rows, done_cells, done_rows);
    Push("running");
  }
  void OnCell(const CellRecord& cell) override {
    Progress::OnCell(cell);
    Push("running");
  }
  void OnFailure(const FailureRecord& failure, const absl::Status& why) override {
    Progress::OnFailure(failure, why);
    Push("running");
  }
  void CountRetry() { ++retries_; }
  int64_t retries() const { return retries_; }

  void Push(const std::string& state) {
    if (gateway_ == nullptr) return;
    // Building a snapshot reads the whole log: while a run goes on, once a second is enough.
    absl::Time now = absl::Now();
    if (state == "running" && now < next_push_) return;
    next_push_ = now + absl::Seconds(1);
    absl::StatusOr<Summary> summary = BuildSummary(lock_, log_);
    if (!summary.ok()) return;
    RunProgressFacts facts;
    facts.cells = cells();
    facts.done_cells = done_cells();
    facts.failed_cells = failed_cells();
    facts.rows = rows();
    facts.done_rows = done_rows();
    facts.seconds_left = SecondsLeft();
    facts.started = static_cast<double>(started_);
    facts.now = static_cast<double>(absl::ToUnixSeconds(now));
    facts.retries = retries_;
    facts.state = state;
    gateway_->Publish(RenderRunMetrics(lock_, *summary, facts));
  }

 private:
  const Lock& lock_;
  const ResultLog& log_;
  GatewayPusher* const gateway_;
  const int64_t started_;
  absl::Time next_push_;
  int64_t retries_ = 0;
};

absl::StatusOr<std::unique_ptr<GatewayPusher>> StartGateway(const RunFlags& flags,
                                                            const Lock& lock) {
  if (flags.pushgateway.empty()) return std::unique_ptr<GatewayPusher>();
  GatewayOptions options;
  options.url = flags.pushgateway;
  options.group = {{"experiment", lock.plan.name}};
  return GatewayPusher::Start(std::move(options));
}

void CloseGateway(const Context& context, GatewayPusher* gateway) {
  if (gateway == nullptr) return;
  gateway->Close();
  GatewayPusher::Counts counts = gateway->counts();
  if (counts.failed > 0) {
    Say(context, absl::StrCat("pushgateway: ", counts.failed, " of ", counts.failed + counts.pushed,
                              " pushes failed, the last with: ", counts.last_error));
  }
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
            GatewayPusher* gateway) {
  RunSession session(folder.paths().run);
  absl::Status noted =
      session.WriteStart(static_cast<int64_t>(log->records().size()), log->torn_bytes());
  if (!noted.ok()) return Fail(context, noted, Source::kInput);
  if (log->torn_bytes() > 0) {
    Say(context, absl::StrCat("dropped ", log->torn_bytes(),
                              " bytes of a record that was cut off; its cell is measured again"));
  }

  RunView view(context, lock, *log, gateway);
  SerialObserver observer(&view);
  auto connect = [&](const std::string& server, absl::Duration patience,
                     std::function<bool()> stop) {
    return MakeClient(ForServer(context, server), [&, server](ClientOptions* options) {
      options->patience = patience;
      options->stop = [stop] { return StopNow() || (stop && stop()); };
      options->on_waiting = [&, server](const absl::Status& why, absl::Duration waited) {
        observer.Do([&] { view.OnWaiting(server, why, waited); });
      };
      options->on_retry = [&](absl::string_view, const absl::Status&) {
        observer.Do([&] { view.CountRetry(); });
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
    view.Push("stopped");
    absl::Status ended = session.WriteEnd(stats, view.retries(), "stopped");
    int code = Fail(context, ran, Source::kServer);
    if (!ended.ok() && code != kExitDisk) Fail(context, ended, Source::kInput);
    Say(context, absl::StrCat("what is measured is safe in ", output,
                              "; the same command goes on from there"));
    return code;
  }
  absl::StatusOr<Outputs> outputs = WriteOutputs(lock, *log, folder.paths());
  if (!outputs.ok()) return Fail(context, outputs.status(), Source::kInput);
  absl::Status ended =
      session.WriteEnd(stats, view.retries(), stats.complete ? "done" : "incomplete");
  if (!ended.ok()) return Fail(context, ended, Source::kInput);
  view.Push(stats.complete ? "done" : "incomplete");

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
  absl::StatusOr<std::unique_ptr<GatewayPusher>> gateway = StartGateway(flags, *lock);
  if (!gateway.ok()) {
    Fail(context, gateway.status(), Source::kInput);
    return kExitUsage;
  }
  // A bad address or certificate is said before a folder is made.
  absl::Status channel = CheckServers(context);
  if (!channel.ok()) return Fail(context, channel, Source::kInput);
  std::string output = flags.output.empty() ? DefaultOutput(*lock) : flags.output;
  absl::StatusOr<std::unique_ptr<RunFolder>> folder = RunFolder::Open(output, *lock);
  if (!folder.ok()) return Fail(context, folder.status(), Source::kInput);
  absl::StatusOr<std::unique_ptr<ResultLog>> log = ResultLog::Open((*folder)->paths().log);
  if (!log.ok()) return Fail(context, log.status(), Source::kInput);
  int code = Execute(context, flags, *lock, output, **folder, log->get(), gateway->get());
  CloseGateway(context, gateway->get());
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
      ->add_option("--pushgateway", flags->pushgateway,
                   "URL of a Prometheus Pushgateway; its faults never fail a run")
      ->envname("STEER_PUSHGATEWAY");
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
