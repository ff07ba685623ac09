#include "client/report/output_check.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "client/report/html.h"
#include "client/report/outputs.h"
#include "common/files.h"
#include "common/status_macros.h"

namespace steer {
namespace {

uint32_t BigEndian(absl::string_view bytes) {
  uint32_t value = 0;
  for (const char c : bytes.substr(0, 4)) value = value << 8 | static_cast<unsigned char>(c);
  return value;
}

// CRC-32 of ISO 3309, which PNG (RFC 2083, section 3.4) uses.
uint32_t Crc32(absl::string_view bytes) {
  static const std::array<uint32_t, 256> table = [] {
    std::array<uint32_t, 256> made{};
    for (uint32_t i = 0; i < 256; ++i) {
      uint32_t c = i;
      for (int bit = 0; bit < 8; ++bit) c = (c & 1) != 0 ? 0xedb88320u ^ c >> 1 : c >> 1;
      made[i] = c;
    }
    return made;
  }();
  uint32_t crc = 0xffffffffu;
  for (const char c : bytes) crc = table[(crc ^ static_cast<unsigned char>(c)) & 0xff] ^ crc >> 8;
  return ~crc;
}

// The text of a report with each SVG document taken out: what lies between the tags that RenderHtml
// puts around it, up to the document's own end and white space.
std::string WithoutFigures(absl::string_view html) {
  constexpr absl::string_view kBegin = "<figure>", kEnd = "</svg>";
  std::string rest;
  for (size_t at = 0; at < html.size();) {
    const size_t begin = html.find(kBegin, at);
    const size_t end = begin == absl::string_view::npos ? begin : html.find(kEnd, begin);
    if (end == absl::string_view::npos) {
      absl::StrAppend(&rest, html.substr(at));
      break;
    }
    absl::StrAppend(&rest, html.substr(at, begin + kBegin.size() - at));
    at = end + kEnd.size();
    while (at < html.size() && absl::ascii_isspace(static_cast<unsigned char>(html[at]))) ++at;
  }
  return rest;
}

class OutputChecker {
 public:
  OutputChecker(const Lock& lock, const RunPaths& paths, bool finished)
      : lock_(lock), paths_(paths), finished_(finished) {}

  absl::StatusOr<CheckedOutputs> Run(const ResultLog& log) {
    auto keep = [this](OutputFile file, absl::string_view bytes) {
      made_[file] = std::string(bytes);
      return absl::OkStatus();
    };
    STEER_ASSIGN_OR_RETURN(Outputs outputs, MakeOutputs(lock_, log, keep));
    figures_ = outputs.figures;
    result_.summary = std::move(outputs.summary);
    result_.summary_bytes = Made(OutputFile::kSummary);
    CheckText("summary.json", paths_.summary, Made(OutputFile::kSummary));
    CheckText("verdict.json", paths_.verdict, Made(OutputFile::kVerdict));
    CheckSvg();
    CheckPng();
    CheckReport();
    return std::move(result_);
  }

 private:
  void Say(absl::string_view what, CheckState state, std::string said, CheckWeight weight) {
    result_.checks.push_back({std::string(what), state, std::move(said), weight});
  }

  // Unset, and said, if it is not there or cannot be read.
  absl::optional<std::string> Read(absl::string_view what, const std::string& path,
                                   CheckWeight weight) {
    absl::StatusOr<std::string> bytes = ReadFile(path);
    if (bytes.ok()) return *std::move(bytes);
    if (!absl::IsNotFound(bytes.status())) {
      Say(what, CheckState::kDiffers, std::string(bytes.status().message()), CheckWeight::kResults);
    } else if (!finished_) {
      Say(what, CheckState::kMissing, "the run has not come to its end", CheckWeight::kUnfinished);
    } else {
      Say(what, CheckState::kMissing, "`steerctl report` makes it again", weight);
    }
    return absl::nullopt;
  }

  void CheckText(absl::string_view what, const std::string& path, const std::string& made) {
    const auto held = Read(what, path, CheckWeight::kResults);
    if (!held) return;
    const bool same = *held == made;
    Say(what, same ? CheckState::kOk : CheckState::kDiffers,
        same ? "as lock and log give it" : "it is not what lock and log give",
        CheckWeight::kResults);
  }

  // Why figures that are there cannot be compared; empty if they can.
  std::string NoComparison() {
    if (!figures_.ok()) return std::string(figures_.message());
    if (drawn_by_.empty()) return "";
    const std::string here = SvgProducer(Made(OutputFile::kFigureSvg));
    return drawn_by_ == here ? "" : absl::StrCat("drawn by ", drawn_by_, ", here is ", here);
  }

  // Empty where it could not be drawn.
  const std::string& Made(OutputFile file) { return made_[file]; }

  void CheckSvg() {
    const auto held = Read("figure.svg", paths_.figure_svg, CheckWeight::kFigure);
    if (!held) return;
    drawn_by_ = SvgProducer(*held);
    if (figures_.ok() && *held == Made(OutputFile::kFigureSvg)) {
      return Say("figure.svg", CheckState::kOk, "as lock and log give it", CheckWeight::kResults);
    }
    const std::string why = NoComparison();
    // An SVG holds no fonts: one gnuplot writes the same bytes everywhere.
    const bool foreign = !why.empty() && !drawn_by_.empty();
    // Whoever drew it, the report shows the same drawing.
    const absl::StatusOr<std::string> report = ReadFile(paths_.report);
    if (foreign && report.ok() && absl::StrContains(*report, "<figure>") &&
        !absl::StrContains(*report, held->substr(std::min(held->find("<svg"), held->size())))) {
      return Say("figure.svg", CheckState::kDiffers, "it is not the figure that report.html shows",
                 CheckWeight::kResults);
    }
    Say("figure.svg", foreign ? CheckState::kNotChecked : CheckState::kDiffers,
        foreign ? why : "it is not what lock and log give", CheckWeight::kResults);
  }

  void CheckPng() {
    const auto held = Read("figure.png", paths_.figure_png, CheckWeight::kFigure);
    if (!held) return;
    if (!IsWholePng(*held)) {
      return Say("figure.png", CheckState::kDiffers, "the image is damaged", CheckWeight::kResults);
    }
    if (figures_.ok() && *held == Made(OutputFile::kFigurePng)) {
      return Say("figure.png", CheckState::kOk, "as lock and log give it", CheckWeight::kResults);
    }
    const std::string why = NoComparison();
    Say("figure.png", why.empty() ? CheckState::kDiffers : CheckState::kNotChecked,
        why.empty() ? "drawn with other fonts or libraries than those here, or changed" : why,
        CheckWeight::kFigure);
  }

  void CheckReport() {
    const auto held = Read("report.html", paths_.report, CheckWeight::kResults);
    if (!held) return;
    if (*held == Made(OutputFile::kReport)) {
      const bool drawn = figures_.ok();
      return Say("report.html", CheckState::kOk,
                 drawn ? "as lock and log give it" : "as lock and log give it, without figures",
                 CheckWeight::kResults);
    }
    if (*held == RenderHtml(lock_, result_.summary, "", "")) {
      return Say("report.html", CheckState::kOk,
                 "as lock and log give it, without figures: the run could draw none",
                 CheckWeight::kResults);
    }
    constexpr char kAnyFigure[] = "<svg></svg>";
    const bool text = WithoutFigures(*held) ==
                      WithoutFigures(RenderHtml(lock_, result_.summary, kAnyFigure, kAnyFigure));
    const std::string why = NoComparison();
    if (text && !why.empty()) {
      return Say("report.html", CheckState::kNotChecked,
                 absl::StrCat("its figures: ", why, "; all else is as lock and log give it"),
                 CheckWeight::kResults);
    }
    Say("report.html", CheckState::kDiffers,
        absl::StrCat(text ? "its figures are" : "it is", " not what lock and log give"),
        CheckWeight::kResults);
  }

  const Lock& lock_;
  const RunPaths& paths_;
  const bool finished_;
  std::map<OutputFile, std::string> made_;
  absl::Status figures_;
  std::string drawn_by_;  // the gnuplot of the folder's figures
  CheckedOutputs result_;
};

}  // namespace

bool IsWholePng(absl::string_view bytes) {
  if (!absl::ConsumePrefix(&bytes, "\x89PNG\r\n\x1a\n")) return false;
  while (bytes.size() >= 12) {
    const uint64_t length = BigEndian(bytes);
    if (length > bytes.size() - 12) return false;
    const absl::string_view covered = bytes.substr(4, 4 + length);
    if (Crc32(covered) != BigEndian(bytes.substr(8 + length))) return false;
    bytes.remove_prefix(12 + length);
    if (absl::StartsWith(covered, "IEND")) return length == 0 && bytes.empty();
  }
  return false;
}

std::string SvgProducer(absl::string_view svg) {
  constexpr absl::string_view kBefore = "<desc>Produced by GNUPLOT ";
  const size_t at = svg.find(kBefore);
  if (at == absl::string_view::npos) return "";
  const absl::string_view rest = svg.substr(at + kBefore.size());
  const absl::string_view version = rest.substr(0, rest.find('<'));
  if (version.size() > 40) return "";
  return absl::StrCat("gnuplot ", absl::StripSuffix(version, " "));
}

absl::StatusOr<CheckedOutputs> CheckOutputs(const Lock& lock, const ResultLog& log,
                                            const RunPaths& paths, bool finished) {
  return OutputChecker(lock, paths, finished).Run(log);
}

}  // namespace steer
