#include "client/report/html.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "client/report/table.h"

namespace steer {
namespace {

constexpr char kStyle[] =
    "body{font:15px/1.5 sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;color:#111}"
    "table{border-collapse:collapse;margin:1rem 0}th,td{padding:.2rem .7rem;border-bottom:1px "
    "solid #ccc;text-align:right}"
    "th:first-child,td:first-child,.t{text-align:left}code{font-size:85%;word-break:break-all}svg{"
    "max-width:100%;height:auto}"
    ".verdict{font-size:1.3rem;font-weight:bold}";

using Row = std::vector<std::string>;

// Cells are escaped here and nowhere else.
std::string Table(const Row& head, const std::vector<Row>& rows) {
  std::string html = "<table><tr>";
  for (const std::string& cell : head) absl::StrAppend(&html, "<th>", HtmlEscape(cell), "</th>");
  absl::StrAppend(&html, "</tr>\n");
  for (const Row& row : rows) {
    absl::StrAppend(&html, "<tr>");
    for (const std::string& cell : row) absl::StrAppend(&html, "<td>", HtmlEscape(cell), "</td>");
    absl::StrAppend(&html, "</tr>\n");
  }
  return absl::StrCat(html, "</table>\n");
}

// An SVG document without the prologue that does not belong inside HTML.
absl::string_view SvgElement(absl::string_view document) {
  size_t at = document.find("<svg");
  return at == absl::string_view::npos ? absl::string_view() : document.substr(at);
}

std::string Figure(absl::string_view title, absl::string_view svg) {
  absl::string_view element = SvgElement(svg);
  if (element.empty()) return absl::StrCat("<p>", HtmlEscape(title), ": could not be drawn.</p>\n");
  return absl::StrCat("<figure>", element, "<figcaption>", HtmlEscape(title),
                      "</figcaption></figure>\n");
}

std::string Arms(const Lock& lock, const Summary& summary) {
  std::vector<Row> rows;
  for (const SeedSummary& seed : summary.seeds) {
    for (const ArmSpec& spec : lock.arms) {
      const ArmSummary* arm = seed.FindTest(spec.name);
      Row row = {absl::StrCat(seed.seed), std::string(PromptClassName(spec.prompts)),
                 ArmTitle(spec)};
      if (arm == nullptr) {
        row.push_back("missing");
      } else {
        row.push_back(arm->layer >= 0 ? absl::StrCat(arm->layer) : "");
        row.push_back(ShownRate(*arm));
        row.push_back(absl::StrCat(arm->quality_ok, " / ", arm->quality_degenerate, " / ",
                                   arm->quality_not_judged));
        row.push_back(absl::StrFormat("%.4f", arm->receipt.mean_relative_dose));
        row.push_back(arm->scores ? absl::StrFormat("%.3f", arm->mean_refusal_log_odds) : "");
        row.push_back(arm->scores ? absl::StrFormat("%.4f", arm->mean_kl) : "");
        row.push_back(arm->paired_p ? absl::StrFormat("%.3g", *arm->paired_p) : "");
      }
      rows.push_back(std::move(row));
    }
  }
  return Table({"seed", "prompts", "arm", "layer", "refusal, Wilson 95 %, count",
                "ok / degenerate / not judged", "mean dose", "log-odds", "KL", "McNemar p"},
               rows);
}

std::string Margins(const Summary& summary) {
  std::vector<Row> rows;
  for (const SeedSummary& seed : summary.seeds) {
    for (const Margin& margin : seed.decision.margins) {
      rows.push_back({absl::StrCat(seed.seed), margin.name,
                      absl::StrFormat("%+.4f", margin.difference.value()),
                      absl::StrFormat("%.2f", margin.needed.value()),
                      margin.met ? "met" : "not met"});
    }
    std::string verdict(VerdictName(seed.decision.verdict));
    if (!seed.decision.missing.empty())
      absl::StrAppend(&verdict, "; missing: ", absl::StrJoin(seed.decision.missing, ", "));
    rows.push_back({absl::StrCat(seed.seed), "verdict", verdict});
    for (const FailureRecord& failure : seed.failures) {
      rows.push_back({absl::StrCat(seed.seed), "failed", failure.of, failure.code, failure.reason,
                      failure.note});
    }
  }
  return Table({"seed", "margin", "value", "needed", ""}, rows);
}

std::string Separation(const SeedSummary& seed, int position) {
  std::vector<Row> rows;
  for (const LayerReport& r : seed.fit->reports) {
    if (r.position != position) continue;
    Row row = {absl::StrCat(r.layer),
               r.usable ? "yes" : "no",
               absl::StrFormat("%.4g", r.norm),
               absl::StrFormat("%.4g", r.projection_gap),
               absl::StrFormat("%.3f", r.auc),
               absl::StrFormat("%.3f", r.largest_coordinate_share),
               absl::StrFormat("%.4g", r.mean_state_norm),
               ""};
    if (seed.selection) {
      for (const LayerSwing& s : seed.selection->swings) {
        if (s.layer == r.layer && s.usable) row.back() = absl::StrFormat("%+.4f", s.swing());
      }
      if (seed.selection->chosen && seed.selection->layer == r.layer) row.back() += " (chosen)";
    }
    rows.push_back(std::move(row));
  }
  return absl::StrCat("<h3>Seed ", seed.seed, "</h3>\n",
                      Table({"layer", "usable", "norm", "projection gap", "AUC",
                             "largest coordinate", "mean state norm", "swing"},
                            rows));
}

std::string Provenance(const Lock& lock, const Summary& summary) {
  std::vector<Row> rows = {
      {"plan", lock.plan.name},
      {"plan digest", lock.digest},
      {"model", lock.plan.model_name},
      {"model fingerprint", lock.model_fingerprint},
      {"numeric type", lock.plan.dtype},
      {"chat template", lock.chat_template_digest},
      {"contract", lock.contract_version},
      {absl::StrCat("readout ", lock.plan.readout), lock.readout_digest},
      {absl::StrCat("rule ", lock.plan.rule), lock.rule_digest},
      {absl::StrCat("harmful prompts ", lock.plan.harmful.file), lock.harmful.sha256},
      {absl::StrCat("harmless prompts ", lock.plan.harmless.file), lock.harmless.sha256},
      {"controls", absl::StrCat(lock.plan.control_family, ", seed ", lock.plan.control_seed,
                                ", draws ", lock.plan.control_draws)}};
  for (const SeedSummary& seed : summary.seeds) {
    for (const RestartRecord& restart : seed.restarts) {
      rows.push_back({absl::StrCat("seed ", seed.seed, ": began anew, its server lost"),
                      absl::StrCat(restart.cells, " cells of numeric fingerprint ",
                                   restart.numeric_fingerprint, " dropped")});
    }
    if (!seed.fit) continue;
    rows.push_back({absl::StrCat("seed ", seed.seed, ": direction set"), seed.fit->set_id});
    rows.push_back({absl::StrCat("seed ", seed.seed, ": set content"), seed.fit->content_digest});
    rows.push_back(
        {absl::StrCat("seed ", seed.seed, ": numeric fingerprint"), seed.fit->numeric_fingerprint});
  }
  return Table({"what", "value"}, rows);
}

}  // namespace

std::string HtmlEscape(absl::string_view text) {
  return absl::StrReplaceAll(
      text, {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"\"", "&quot;"}, {"'", "&#39;"}});
}

std::string RenderHtml(const Lock& lock, const Summary& summary, absl::string_view figure,
                       absl::string_view separation) {
  std::string title = HtmlEscape(absl::StrCat(lock.plan.name, ": ", VerdictName(summary.overall)));
  std::string html = absl::StrCat(
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>", title,
      "</title><style>", kStyle, "</style></head><body>\n<h1>", HtmlEscape(lock.plan.name),
      "</h1>\n<p class=\"verdict\">", VerdictName(summary.overall), "</p>\n",
      "<h2>Refusal by arm</h2>\n", Arms(lock, summary),
      Figure("Refusal by arm, and the validation swing by layer", figure),
      "<h2>Margins of the rule</h2>\n", Margins(summary), "<h2>Separation by layer</h2>\n",
      Figure("Separation of the classes by layer", separation));
  for (const SeedSummary& seed : summary.seeds) {
    if (seed.fit) absl::StrAppend(&html, Separation(seed, lock.plan.selection_position));
  }
  absl::StrAppend(&html, "<h2>Provenance</h2>\n", Provenance(lock, summary), "</body></html>\n");
  return html;
}

}  // namespace steer
