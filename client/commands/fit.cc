// steerctl fit: discover the direction and say where the classes separate; nothing is generated.
#include <CLI/CLI.hpp>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/commands/progress.h"
#include "client/commands/references.h"
#include "client/commands/register.h"
#include "client/commands/signals.h"
#include "client/plan/lock.h"
#include "client/plan/plan_data.h"
#include "client/report/figures.h"
#include "client/report/gnuplot.h"
#include "client/report/table.h"
#include "client/run/cell.h"
#include "client/run/fit_check.h"
#include "common/files.h"
#include "common/status_macros.h"

namespace steer {
namespace {

struct FitFlags {
  std::string lock;
  std::string data_root;
  uint64_t seed = 0;
  std::string harmful, harmless, harmful_field, harmless_field;
  int limit = 0;
  std::vector<int> positions = {-1};
  bool drop_states = false;
  std::string figure = "separation.svg";
};

absl::Status FromFiles(const FitFlags& flags, v1::FitDirectionRequest* request) {
  auto add = [&](const std::string& path, const std::string& field, absl::string_view field_flag,
                 auto* prompts) -> absl::Status {
    STEER_ASSIGN_OR_RETURN(PromptFile file, ReadPrompts(path, field, field_flag));
    for (const PromptRow& row : file.kept) {
      if (flags.limit > 0 && prompts->size() >= flags.limit) break;
      prompts->Add()->set_user(row.text);
    }
    return absl::OkStatus();
  };
  STEER_RETURN_IF_ERROR(
      add(flags.harmful, flags.harmful_field, "--harmful-field", request->mutable_harmful()));
  STEER_RETURN_IF_ERROR(
      add(flags.harmless, flags.harmless_field, "--harmless-field", request->mutable_harmless()));
  for (int position : flags.positions) request->add_positions(position);
  request->set_drop_states(flags.drop_states);
  return absl::OkStatus();
}

absl::Status FromLock(const FitFlags& flags, v1::FitDirectionRequest* request) {
  STEER_ASSIGN_OR_RETURN(Lock lock, LoadLock(flags.lock));
  if (lock.FindSeed(flags.seed) == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat("--seed ", flags.seed, " is not a seed of ", flags.lock));
  }
  STEER_ASSIGN_OR_RETURN(std::vector<SeedSplits> prompts,
                         LoadLockedPrompts(lock, DataRoot(flags.data_root, flags.lock)));
  for (const SeedSplits& seed : prompts) {
    if (seed.seed != flags.seed) continue;
    for (const PromptRecord& p : seed.harmful.train)
      *request->add_harmful() = ToPrompt(lock.plan, p);
    for (const PromptRecord& p : seed.harmless.train)
      *request->add_harmless() = ToPrompt(lock.plan, p);
  }
  for (int position : lock.plan.positions) request->add_positions(position);
  request->set_drop_states(!lock.plan.keep_states);
  request->set_expected_model_fingerprint(lock.model_fingerprint);
  return absl::OkStatus();
}

std::string SeparationTable(const FitRecord& fit) {
  std::vector<std::vector<std::string>> rows = {{"position", "layer", "usable", "norm", "gap",
                                                 "AUC", "largest coordinate", "mean state norm",
                                                 "cosine of means"}};
  const LayerReport* widest = nullptr;
  for (const LayerReport& r : fit.reports) {
    rows.push_back(
        {absl::StrCat(r.position), absl::StrCat(r.layer), r.usable ? "yes" : "no",
         absl::StrFormat("%.4g", r.norm), absl::StrFormat("%.4g", r.projection_gap),
         absl::StrFormat("%.3f", r.auc), absl::StrFormat("%.3f", r.largest_coordinate_share),
         absl::StrFormat("%.4g", r.mean_state_norm), absl::StrFormat("%.4f", r.mean_cosine)});
    if (r.usable && (widest == nullptr || r.projection_gap > widest->projection_gap)) widest = &r;
  }
  std::string text = AlignColumns(rows, {0, 1, 3, 4, 5, 6, 7, 8});
  if (widest != nullptr) {
    absl::StrAppendFormat(
        &text, "\nlargest projection gap: layer %d, position %d (gap %.4g, norm %.4g, AUC %.3f)\n",
        widest->layer, widest->position, widest->projection_gap, widest->norm, widest->auc);
  } else {
    absl::StrAppend(&text, "\nno layer has a usable direction\n");
  }
  return absl::StrCat(text, "set ", fit.set_id, "\n");
}

// The figure at the first position.
int Draw(const Context& context, const FitFlags& flags, const FitRecord& fit) {
  if (flags.figure.empty() || fit.reports.empty()) return kExitOk;
  ImageFormat format = absl::EndsWith(flags.figure, ".png") ? ImageFormat::kPng : ImageFormat::kSvg;
  absl::StatusOr<std::string> drawn = RunGnuplot(SeparationFigure(
      {{absl::StrCat("set ", fit.set_id.substr(0, 12)), &fit}}, fit.reports[0].position, format));
  if (!drawn.ok()) return Fail(context, drawn.status(), Source::kInput);
  absl::Status written = WriteFileAtomically(flags.figure, *drawn);
  if (!written.ok())
    return Fail(context, DiskError(written, "cannot write the figure"), Source::kInput);
  Say(context, absl::StrCat("figure: ", flags.figure));
  return kExitOk;
}

int Fit(const Context& context, const FitFlags& flags) {
  if (flags.lock.empty() == (flags.harmful.empty() || flags.harmless.empty())) {
    Fail(context,
         absl::InvalidArgumentError(
             "give either a LOCK with --seed, or both --harmful and --harmless"),
         Source::kInput);
    return kExitUsage;
  }
  CatchStopSignals();
  v1::FitDirectionRequest request;
  absl::Status read = flags.lock.empty() ? FromFiles(flags, &request) : FromLock(flags, &request);
  if (!read.ok()) return Fail(context, read, Source::kInput);
  Progress progress(context);
  absl::StatusOr<std::unique_ptr<Client>> client = MakeClient(context, [&](ClientOptions* options) {
    options->stop = [] { return StopSignals() > 0; };
    options->on_waiting = [&](const absl::Status& why, absl::Duration waited) {
      progress.OnWaiting(context.channel.server, why, waited);
    };
  });
  if (!client.ok()) return Fail(context, client.status(), Source::kInput);
  if (request.expected_model_fingerprint().empty()) {
    absl::StatusOr<v1::GetModelResponse> model = (*client)->GetModel();
    if (!model.ok()) return Fail(context, model.status(), Source::kServer);
    request.set_expected_model_fingerprint(model->model_fingerprint());
  }
  request.set_request_id(NewRequestId());
  absl::StatusOr<v1::FitDirectionResult> result = (*client)->FitDirection(request, nullptr);
  progress.Finish();
  if (!result.ok()) return Fail(context, result.status(), Source::kServer);
  FitRecord fit = ToFitRecord(result->set(), "", flags.seed);
  int code = kExitOk;
  if (context.json) {
    Json json = ToRecord(fit, Json::object()).payload;
    for (const char* key : {"kind", "plan_digest", "seed"}) json.erase(key);
    json["cached"] = result->cached();
    code = PrintJson(context, json);
  } else if (!Print(SeparationTable(fit))) {
    code = kExitDisk;
  }
  return code != kExitOk ? code : Draw(context, flags, fit);
}

}  // namespace

void RegisterFit(CLI::App* app, Context* context) {
  auto flags = std::make_shared<FitFlags>();
  CLI::App* command = app->add_subcommand("fit",
                                          "Fit a direction and report where harmful and harmless "
                                          "prompts separate, by layer; generates nothing");
  command->add_option("LOCK", flags->lock, "Lock whose training prompts are fitted");
  command->add_option("--seed", flags->seed, "Seed of the lock")->capture_default_str();
  command->add_option("--data-root", flags->data_root,
                      "Folder that the lock's files are relative to");
  command->add_option("--harmful", flags->harmful, "File of prompts, instead of a lock");
  command->add_option("--harmless", flags->harmless, "File of prompts, instead of a lock");
  command->add_option("--harmful-field", flags->harmful_field, "Column or key of --harmful");
  command->add_option("--harmless-field", flags->harmless_field, "Column or key of --harmless");
  command->add_option("--limit", flags->limit, "Only the first N prompts of each file")
      ->check(CLI::PositiveNumber);
  command
      ->add_option("--positions", flags->positions,
                   "Positions counted from the end of the prompt, as -1,-2")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->capture_default_str();
  command->add_flag("--drop-states", flags->drop_states,
                    "Do not keep per-prompt states on the server");
  command->add_option("--figure", flags->figure, "Figure to write, .svg or .png; empty for none")
      ->capture_default_str();
  command->callback(
      [context, flags] { context->action = [context, flags] { return Fit(*context, *flags); }; });
}

}  // namespace steer
