#include "client/run/records.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace steer {

absl::string_view StageName(Stage stage) {
  return stage == Stage::kSelection ? "selection" : "test";
}

const LayerReport* FitRecord::Find(int position, int layer) const {
  for (const LayerReport& report : reports) {
    if (report.position == position && report.layer == layer) return &report;
  }
  return nullptr;
}

RefusalCount CellRecord::count() const {
  RefusalCount count;
  count.n = static_cast<int64_t>(rows.size());
  count.refused =
      std::count_if(rows.begin(), rows.end(), [](const CellRow& r) { return r.refused; });
  return count;
}

std::string SeedPrefix(uint64_t seed) { return absl::StrCat("seed-", seed, "/"); }
std::string FitKey(uint64_t seed, absl::string_view numeric_fingerprint) {
  return absl::StrCat("seed-", seed, "/fit/", numeric_fingerprint.substr(0, 12));
}
std::string CellKey(uint64_t seed, Stage stage, absl::string_view arm) {
  return absl::StrCat("seed-", seed, "/", StageName(stage), "/", arm);
}
std::string SelectionKey(uint64_t seed) { return absl::StrCat("seed-", seed, "/selected"); }
std::string FailureKey(absl::string_view of, int number) {
  return absl::StrCat(of, "/failure-", number);
}

std::string RestartKey(uint64_t seed, int number) {
  return absl::StrCat("seed-", seed, "/restart-", number);
}

Record ToRecord(const FitRecord& fit, Json observed) {
  Json reports = Json::array();
  for (const LayerReport& r : fit.reports) reports.push_back(ToJson(r));
  Json payload = {{"kind", "fit"},
                  {"plan_digest", fit.plan_digest},
                  {"seed", fit.seed},
                  {"set_id", fit.set_id},
                  {"content_digest", fit.content_digest},
                  {"method", fit.method},
                  {"model_fingerprint", fit.model_fingerprint},
                  {"numeric_fingerprint", fit.numeric_fingerprint},
                  {"layers", fit.layers},
                  {"hidden", fit.hidden},
                  {"harmful_prompts", fit.harmful_prompts},
                  {"harmless_prompts", fit.harmless_prompts},
                  {"reports", std::move(reports)}};
  return {FitKey(fit.seed, fit.numeric_fingerprint), std::move(payload), std::move(observed)};
}

Record ToRecord(const CellRecord& cell, Json observed) {
  std::string refused, quality, finish;
  Json tokens = Json::array(), digests = Json::array(), log_odds = Json::array(),
       kl = Json::array();
  for (const CellRow& row : cell.rows) {
    refused += row.refused ? 'R' : '-';
    quality += "NOD"[static_cast<int>(row.quality)];
    finish += "ELC"[static_cast<int>(row.finish)];
    tokens.push_back(row.generated_tokens);
    digests.push_back(row.token_digest);
    log_odds.push_back(row.refusal_log_odds);
    kl.push_back(row.kl);
  }
  Json rows = {{"refused", refused},
               {"quality", quality},
               {"finish", finish},
               {"generated_tokens", std::move(tokens)},
               {"token_digests", std::move(digests)}};
  if (cell.scores) {
    rows["refusal_log_odds"] = std::move(log_odds);
    rows["kl"] = std::move(kl);
  }
  Json receipt = {{"tokens", cell.receipt.tokens},
                  {"generated_tokens", cell.receipt.generated_tokens},
                  {"edits", cell.receipt.edits},
                  {"sites", cell.receipt.sites},
                  {"mean_relative_dose", cell.receipt.mean_relative_dose},
                  {"largest_residual_projection", cell.receipt.largest_residual_projection},
                  {"decode_rows", cell.receipt.decode_rows},
                  {"prefill_tokens", cell.receipt.prefill_tokens}};
  Json payload = {{"kind", "cell"},
                  {"plan_digest", cell.plan_digest},
                  {"seed", cell.seed},
                  {"stage", std::string(StageName(cell.stage))},
                  {"arm", cell.arm.name},
                  {"prompts", std::string(PromptClassName(cell.arm.prompts))},
                  {"edit", std::string(EditKindName(cell.arm.edit))},
                  {"arm_layer", cell.arm.layer},
                  {"control_draw", cell.arm.control_draw ? Json(*cell.arm.control_draw) : Json()},
                  {"layer", cell.layer},
                  {"set_id", cell.set_id},
                  {"direction_digest", cell.direction_digest},
                  {"numeric_fingerprint", cell.numeric_fingerprint},
                  {"scores", cell.scores},
                  {"rows", std::move(rows)},
                  {"receipt", std::move(receipt)}};
  return {CellKey(cell.seed, cell.stage, cell.arm.name), std::move(payload), std::move(observed)};
}

Record ToRecord(const SelectionRecord& selection) {
  Json payload = {{"kind", "selection"},      {"plan_digest", selection.plan_digest},
                  {"seed", selection.seed},   {"chosen", selection.chosen},
                  {"layer", selection.layer}, {"tied", selection.tied}};
  return {SelectionKey(selection.seed), std::move(payload), Json::object()};
}

Record ToRecord(const FailureRecord& failure, Json observed) {
  Json payload = {{"kind", "failure"},    {"plan_digest", failure.plan_digest},
                  {"of", failure.of},     {"number", failure.number},
                  {"code", failure.code}, {"reason", failure.reason},
                  {"note", failure.note}};
  return {FailureKey(failure.of, failure.number), std::move(payload), std::move(observed)};
}

Record ToRecord(const RestartRecord& restart) {
  Json payload = {{"kind", "restart"},
                  {"plan_digest", restart.plan_digest},
                  {"seed", restart.seed},
                  {"number", restart.number},
                  {"numeric_fingerprint", restart.numeric_fingerprint},
                  {"cells", restart.cells},
                  {kSupersedes, SeedPrefix(restart.seed)}};
  return {RestartKey(restart.seed, restart.number), std::move(payload), Json::object()};
}

}  // namespace steer
