// steerctl evaluate
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/commands/references.h"
#include "client/commands/register.h"
#include "client/commands/signals.h"
#include "client/stats/intervals.h"

namespace steer {
namespace {

struct EvaluateFlags {
  std::string prompts;
  std::string field;
  std::string system;
  EditFlags edits;
  std::string readout = "post-1";
  int max_new_tokens = 32;
  double repetition_penalty = 1;
  int limit = 0;
  bool quality = false;
  bool scores = false;
};

// Counts alone: nothing of a row outlives the call.
class Tally : public OutcomeSink {
 public:
  absl::Status OnOutcome(const v1::Outcome& outcome) override {
    ++n;
    refused += outcome.refused() == v1::REFUSED_YES;
    degenerate += outcome.quality() == v1::QUALITY_DEGENERATE;
    log_odds += outcome.refusal_log_odds();
    kl += outcome.kl();
    return absl::OkStatus();
  }
  absl::Status OnArm(const v1::ArmResult& result) override {
    receipt = result.receipt();
    return absl::OkStatus();
  }
  void OnArmRestart(int) override { *this = Tally(); }
  int64_t n = 0, refused = 0, degenerate = 0;
  double log_odds = 0, kl = 0;
  v1::Receipt receipt;
};

int Evaluate(const Context& context, const EvaluateFlags& flags) {
  CatchStopSignals();
  absl::StatusOr<PromptFile> file = ReadPrompts(flags.prompts, flags.field, "--field");
  if (!file.ok()) return Fail(context, file.status(), Source::kInput);
  absl::StatusOr<std::unique_ptr<Client>> client = MakeClient(
      context, [](ClientOptions* options) { options->stop = [] { return StopSignals() > 0; }; });
  if (!client.ok()) return Fail(context, client.status(), Source::kInput);
  absl::StatusOr<v1::GetModelResponse> model = (*client)->GetModel();
  if (!model.ok()) return Fail(context, model.status(), Source::kServer);
  absl::StatusOr<v1::Intervention> intervention = ToIntervention(flags.edits, client->get());
  if (!intervention.ok()) return Fail(context, intervention.status(), Source::kInput);
  v1::EvaluateRequest request;
  request.set_request_id(NewRequestId());
  request.set_expected_model_fingerprint(model->model_fingerprint());
  request.set_purpose(v1::PURPOSE_EXPLORE);
  request.set_readout(flags.readout);
  request.set_judge_quality(flags.quality);
  request.set_scores(flags.scores);
  request.mutable_decoding()->set_max_new_tokens(flags.max_new_tokens);
  request.mutable_decoding()->set_repetition_penalty(flags.repetition_penalty);
  v1::Arm* arm = request.add_arms();
  arm->set_name("evaluate");
  *arm->mutable_intervention() = *std::move(intervention);
  for (const PromptRow& row : file->kept) {
    if (flags.limit > 0 && request.prompts_size() >= flags.limit) break;
    arm->add_prompts(request.prompts_size());
    v1::Prompt* prompt = request.add_prompts();
    prompt->set_user(row.text);
    if (!flags.system.empty()) prompt->set_system(flags.system);
  }
  if (request.prompts_size() == 0) {
    return Fail(
        context,
        absl::InvalidArgumentError(absl::StrCat("--prompts: ", flags.prompts, " holds no prompt")),
        Source::kInput);
  }
  Tally tally;
  // One arm: run again whole after a break, so that its receipt covers every row.
  absl::Status status = (*client)->Evaluate(request, Unfinished::kRestart, &tally).status();
  if (!status.ok()) return Fail(context, status, Source::kServer);

  Interval wilson = WilsonInterval(tally.refused, tally.n);
  double n = static_cast<double>(std::max<int64_t>(tally.n, 1));
  double rate = static_cast<double>(tally.refused) / n;
  if (context.json) {
    Json json = {{"n", tally.n},
                 {"refused", tally.refused},
                 {"rate", rate},
                 {"wilson_95", {wilson.low, wilson.high}},
                 {"readout", flags.readout},
                 {"edits", tally.receipt.edits()},
                 {"sites", tally.receipt.sites()},
                 {"mean_relative_dose", tally.receipt.mean_relative_dose()}};
    if (flags.quality) json["degenerate"] = tally.degenerate;
    if (flags.scores) json["mean_refusal_log_odds"] = tally.log_odds / n;
    if (flags.scores) json["mean_kl"] = tally.kl / n;
    return PrintJson(context, json);
  }
  std::string text =
      absl::StrFormat("refusal %.3f [%.3f, %.3f] %d/%d, dose %.4f\n", rate, wilson.low, wilson.high,
                      tally.refused, tally.n, tally.receipt.mean_relative_dose());
  if (flags.quality) absl::StrAppendFormat(&text, "degenerate %d/%d\n", tally.degenerate, tally.n);
  if (flags.scores)
    absl::StrAppendFormat(&text, "mean refusal log-odds %.4f, mean KL %.5f\n", tally.log_odds / n,
                          tally.kl / n);
  return Print(text) ? kExitOk : kExitDisk;
}

}  // namespace

void RegisterEvaluate(CLI::App* app, Context* context) {
  auto flags = std::make_shared<EvaluateFlags>();
  CLI::App* command = app->add_subcommand(
      "evaluate", "Refusal rate of a prompt file under one intervention; rates only, exploratory");
  command
      ->add_option("--prompts", flags->prompts,
                   "File of prompts: .csv, .json, .jsonl or text, one a line")
      ->required();
  command->add_option("--field", flags->field, "Column or key that holds the prompts");
  command->add_option("--system", flags->system, "The system turn");
  command->add_option("--limit", flags->limit, "Only the first N prompts")
      ->check(CLI::PositiveNumber);
  command->add_option("--readout", flags->readout, "post-1 or opening-1")->capture_default_str();
  command
      ->add_option("--max-new-tokens", flags->max_new_tokens, "Window in which outcomes are judged")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  command->add_option("--repetition-penalty", flags->repetition_penalty, "1 is none")
      ->capture_default_str()
      ->check(CLI::Range(1.0, 2.0));
  command->add_flag("--quality", flags->quality, "Also count degenerate completions");
  command->add_flag("--scores", flags->scores,
                    "Also refusal log-odds and KL at the last prompt position");
  AddEditFlags(command, &flags->edits);
  command->callback([context, flags] {
    context->action = [context, flags] { return Evaluate(*context, *flags); };
  });
}

}  // namespace steer
