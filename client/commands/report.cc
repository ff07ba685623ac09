// steerctl report DIR
#include <CLI/CLI.hpp>

#include "absl/strings/str_cat.h"
#include "client/commands/register.h"
#include "client/plan/lock.h"
#include "client/report/outputs.h"
#include "client/report/table.h"
#include "client/run/run_folder.h"

namespace steer {
namespace {

int Report(const Context& context, const std::string& directory) {
  absl::StatusOr<std::unique_ptr<RunFolder>> folder = RunFolder::OpenExisting(directory);
  if (!folder.ok()) return Fail(context, folder.status(), Source::kInput);
  const RunPaths& paths = (*folder)->paths();
  absl::StatusOr<Lock> lock = LoadLock(paths.lock);
  if (!lock.ok()) return Fail(context, lock.status(), Source::kInput);
  absl::StatusOr<std::unique_ptr<ResultLog>> log = ResultLog::Open(paths.log);
  if (!log.ok()) return Fail(context, log.status(), Source::kInput);
  if ((*log)->torn_bytes() > 0) {
    Say(context,
        absl::StrCat("dropped ", (*log)->torn_bytes(), " bytes of a record that was cut off"));
  }
  absl::StatusOr<Outputs> outputs = WriteOutputs(*lock, **log, paths);
  if (!outputs.ok()) return Fail(context, outputs.status(), Source::kInput);
  int printed = context.json ? PrintJson(context, SummaryJson(*lock, outputs->summary))
                : Print(Emphasised(context, RenderTable(*lock, outputs->summary))) ? kExitOk
                                                                                   : kExitDisk;
  if (printed != kExitOk) return printed;
  Say(context, absl::StrCat("report: ", paths.report));
  return outputs->figures.ok() ? kExitOk : Fail(context, outputs->figures, Source::kInput);
}

}  // namespace

void RegisterReport(CLI::App* app, Context* context) {
  auto directory = std::make_shared<std::string>();
  CLI::App* command = app->add_subcommand(
      "report", "Rebuild a run folder's summary, verdict, figures and report from its log");
  command->add_option("DIR", *directory, "Run folder")->required();
  command->callback([context, directory] {
    context->action = [context, directory] { return Report(*context, *directory); };
  });
}

}  // namespace steer
