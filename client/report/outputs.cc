#include "client/report/outputs.h"

#include <iterator>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/report/figures.h"
#include "client/report/gnuplot.h"
#include "client/report/html.h"
#include "common/files.h"
#include "common/status_macros.h"

namespace steer {
namespace {

absl::Status Write(const std::string& path, absl::string_view bytes, absl::string_view failpoint) {
  return DiskError(WriteFileAtomically(path, bytes, failpoint),
                   absl::StrCat("cannot write ", path));
}

std::string Separation(const Lock& lock, const Summary& summary) {
  std::vector<LabelledFit> fits;
  for (const SeedSummary& seed : summary.seeds) {
    if (seed.fit) fits.push_back({absl::StrCat("seed ", seed.seed), &*seed.fit});
  }
  return SeparationFigure(fits, lock.plan.selection_position, ImageFormat::kSvg);
}

}  // namespace

absl::StatusOr<Outputs> MakeOutputs(const Lock& lock, const ResultLog& log,
                                    const OutputSink& sink) {
  Outputs outputs;
  STEER_ASSIGN_OR_RETURN(outputs.summary, BuildSummary(lock, log));
  STEER_ASSIGN_OR_RETURN(std::string summary, PrettyJson(SummaryJson(lock, outputs.summary)));
  STEER_RETURN_IF_ERROR(sink(OutputFile::kSummary, summary));
  // All that stands in it stands in the summary too, which JSON can carry.
  const std::string verdict = VerdictJson(lock, outputs.summary).dump(2) + "\n";
  STEER_RETURN_IF_ERROR(sink(OutputFile::kVerdict, verdict));

  auto draw = [&](const std::string& script) {
    absl::StatusOr<std::string> drawn = RunGnuplot(script);
    if (!drawn.ok()) outputs.figures = drawn.status();
    return drawn.ok() ? *std::move(drawn) : std::string();
  };
  std::string svg = draw(ExperimentFigure(lock, outputs.summary, ImageFormat::kSvg));
  std::string png = draw(ExperimentFigure(lock, outputs.summary, ImageFormat::kPng));
  if (!svg.empty()) STEER_RETURN_IF_ERROR(sink(OutputFile::kFigureSvg, svg));
  if (!png.empty()) STEER_RETURN_IF_ERROR(sink(OutputFile::kFigurePng, png));
  std::string html =
      RenderHtml(lock, outputs.summary, svg, draw(Separation(lock, outputs.summary)));
  STEER_RETURN_IF_ERROR(sink(OutputFile::kReport, html));
  return outputs;
}

absl::StatusOr<Outputs> WriteOutputs(const Lock& lock, const ResultLog& log,
                                     const RunPaths& paths) {
  return MakeOutputs(lock, log, [&paths](OutputFile file, absl::string_view bytes) {
    struct Target {
      const std::string& path;
      const char* failpoint;
    };
    // In the order of OutputFile.
    const Target targets[] = {{paths.summary, "run.summary"},
                              {paths.verdict, "run.verdict"},
                              {paths.figure_svg, "run.figure_svg"},
                              {paths.figure_png, "run.figure_png"},
                              {paths.report, "run.report"}};
    static_assert(std::size(targets) == static_cast<size_t>(OutputFile::kReport) + 1);
    const Target& target = targets[static_cast<size_t>(file)];
    return Write(target.path, bytes, target.failpoint);
  });
}

}  // namespace steer
