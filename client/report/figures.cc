#include "client/report/figures.h"

#include <array>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/report/gnuplot.h"

namespace steer {
namespace {

// Okabe and Ito 2008, "Color universal design".
constexpr char kGrey[] = "#999999";
constexpr char kVermilion[] = "#D55E00";
constexpr char kSkyBlue[] = "#56B4E9";
constexpr std::array<const char*, 6> kLines = {"#0072B2", "#E69F00", "#009E73",
                                               "#CC79A7", "#D55E00", "#000000"};

std::string Header(ImageFormat format, absl::string_view name, int height) {
  std::string terminal =
      format == ImageFormat::kSvg
          ? absl::StrFormat(
                "svg size 960,%d dynamic background '#ffffff' font 'sans-serif,13' name '%s'",
                height, name)
          : absl::StrFormat("pngcairo size 1440,%d noenhanced background '#ffffff' font 'sans,15'",
                            height * 3 / 2);
  return absl::StrCat("set encoding utf8\nset terminal ", terminal,
                      "\nset border 3\nset tics nomirror out\n", "set key noenhanced\n");
}

// The bar of an arm in the post's order, -1 for other draws of a control.
int SlotOf(const ArmSpec& arm) {
  int side = arm.prompts == PromptClass::kHarmful ? 0 : 4;
  if (arm.edit == EditKind::kNone) return side;
  if (!arm.control_draw) return side + 1;
  return side + 2;
}

const char* RoleColour(const ArmSpec& arm) {
  if (arm.edit == EditKind::kNone) return kGrey;
  return arm.control_draw ? kSkyBlue : kVermilion;
}

// x of a seed's bar: the bars of one slot stand side by side within 0.8.
double BarCentre(int slot, size_t seed, size_t seeds) {
  double width = 0.8 / static_cast<double>(seeds);
  return slot - 0.4 + width * (static_cast<double>(seed) + 0.5);
}

std::string BarPanel(const Lock& lock, const Summary& summary) {
  std::string bars, more, labels;
  size_t seeds = summary.seeds.size();
  for (size_t s = 0; s < seeds; ++s) {
    for (const ArmSummary& arm : summary.seeds[s].test_arms) {
      double x = BarCentre(SlotOf(arm.arm), s, seeds);
      if (arm.arm.control_draw.value_or(0) != 0) {
        absl::StrAppendFormat(&more, "%.5f %.6f\n", x, arm.refusals.rate());
        continue;
      }
      absl::StrAppendFormat(&bars, "%.5f %.6f %.6f %.6f %.5f 0x%s\n", x, arm.refusals.rate(),
                            arm.wilson.low, arm.wilson.high, 0.74 / static_cast<double>(seeds),
                            RoleColour(arm.arm) + 1);
      absl::StrAppendFormat(&labels, "%.5f %.6f %d/%d\n", x, arm.wilson.high, arm.refusals.refused,
                            arm.refusals.n);
    }
  }
  std::string script = absl::StrCat("$bars << EOD\n", bars, "EOD\n$more << EOD\n", more,
                                    "EOD\n$labels << EOD\n", labels, "EOD\n");
  std::string seed_list;
  for (const SeedSummary& seed : summary.seeds) {
    absl::StrAppend(&seed_list, seed_list.empty() ? "" : ", ", seed.seed);
  }
  absl::StrAppend(
      &script, "set title ",
      GnuplotQuote(absl::StrCat("Refusal by arm: ", lock.plan.model_name, ", verdict ",
                                VerdictName(summary.overall))),
      " noenhanced\nset ylabel 'refusal rate'\nset yrange [0:1.16]\nset ytics "
      "0,0.25,1\nset xrange [-0.6:6.6]\n",
      "set xtics ('baseline' 0, 'ablate fitted' 1, 'ablate control' 2, 'baseline' 4, "
      "'add fitted' 5, 'add control' 6)\n",
      "set xlabel ",
      GnuplotQuote(
          absl::StrCat("harmful prompts (left), harmless prompts (right); bars of one arm: seeds ",
                       seed_list, "; Wilson 95 % intervals, refusals/prompts")),
      " noenhanced\nset style fill solid 0.9 noborder\nset pointintervalbox 0\nunset key\n");
  std::vector<std::string> layers;
  if (!bars.empty()) {
    layers.push_back("$bars using 1:2:5:6 with boxes linecolor rgb variable");
    layers.push_back(
        "$bars using 1:2:3:4 with yerrorbars linecolor rgb '#000000' pointtype -1 linewidth 1.5");
    layers.push_back("$labels using 1:($2+0.035):3 with labels noenhanced font ',10'");
  }
  if (!more.empty())
    layers.push_back(
        "$more using 1:2 with points pointtype 6 pointsize 0.5 linecolor rgb '#000000'");
  if (layers.empty()) layers.push_back("-1");  // nothing to draw: an empty frame
  for (size_t i = 0; i < layers.size(); ++i)
    absl::StrAppend(&script, i == 0 ? "plot " : ", ", layers[i]);
  return script + "\n";
}

std::string SwingPanel(const Lock& lock, const Summary& summary) {
  std::string data, plots;
  for (size_t s = 0; s < summary.seeds.size(); ++s) {
    const SeedSummary& seed = summary.seeds[s];
    if (!seed.selection || !seed.selection->chosen) continue;  // no layer has a swing
    std::string points, chosen;
    for (const LayerSwing& swing : seed.selection->swings) {
      if (!swing.usable) continue;
      absl::StrAppendFormat(&points, "%d %.6f\n", swing.layer, swing.swing());
      if (swing.layer == seed.selection->layer) {
        absl::StrAppendFormat(&chosen, "%d %.6f\n", swing.layer, swing.swing());
      }
    }
    const char* colour = kLines[s % kLines.size()];
    absl::StrAppend(&data, "$swing", s, " << EOD\n", points, "EOD\n$chosen", s, " << EOD\n", chosen,
                    "EOD\n");
    absl::StrAppendFormat(&plots,
                          "%s$swing%d using 1:2 with linespoints linewidth 2 pointtype %d "
                          "pointsize 0.7 linecolor rgb '%s' "
                          "title 'seed %d, layer %d'"
                          ", $chosen%d using 1:2 with points pointtype 6 pointsize 2.2 linewidth "
                          "2 linecolor rgb '%s' notitle",
                          plots.empty() ? "" : ", ", s, 4 + 2 * (s % 5), colour, seed.seed,
                          seed.selection->layer, s, colour);
  }
  return absl::StrCat(
      data,
      "set title 'Validation swing by layer (drop in harmful refusal + rise in "
      "harmless refusal); ring: chosen'\n"
      "set xlabel 'layer (direction read at the block''s input)'\nset ylabel "
      "'swing'\nset xtics autofreq\n"
      "set key bottom right\nset ytics autofreq\nset offsets graph 0, 0, 0.06, 0.06\nset yrange [",
      plots.empty() ? "0:1" : "*:*", "]\nset xrange [0:", std::max(lock.model_layers, 1),
      "]\nplot ", plots.empty() ? "-1 notitle" : plots, "\n");
}

}  // namespace

std::string ExperimentFigure(const Lock& lock, const Summary& summary, ImageFormat format) {
  return absl::StrCat(Header(format, "steer", 860), "set multiplot layout 2,1\n",
                      BarPanel(lock, summary), SwingPanel(lock, summary), "unset multiplot\n");
}

std::string SeparationFigure(const std::vector<LabelledFit>& fits, int position,
                             ImageFormat format) {
  std::string data, gap, auc;
  int layers = 1;
  for (size_t f = 0; f < fits.size(); ++f) {
    layers = std::max(layers, fits[f].fit->layers);
    std::string points;
    for (const LayerReport& r : fits[f].fit->reports) {
      if (r.position != position || !r.usable) continue;
      absl::StrAppendFormat(&points, "%d %.9g %.9g %.9g\n", r.layer, r.projection_gap, r.norm,
                            r.auc);
    }
    if (points.empty()) continue;
    const char* colour = kLines[f % kLines.size()];
    std::string label = fits[f].label;
    absl::StrAppend(&data, "$fit", f, " << EOD\n", points, "EOD\n");
    absl::StrAppend(
        &gap, gap.empty() ? "" : ", ", "$fit", f,
        " using 1:2 with linespoints linewidth 2 pointtype 7 pointsize 0.6 linecolor rgb '", colour,
        "' title ", GnuplotQuote(absl::StrCat("projection gap, ", label)), ", $fit", f,
        " using 1:3 with lines dashtype 2 linewidth 2 linecolor rgb '", colour, "' title ",
        GnuplotQuote(absl::StrCat("norm, ", label)));
    absl::StrAppend(
        &auc, auc.empty() ? "" : ", ", "$fit", f,
        " using 1:4 with linespoints linewidth 2 pointtype 7 pointsize 0.6 linecolor rgb '", colour,
        "' title ", GnuplotQuote(label));
  }
  return absl::StrCat(
      Header(format, "separation", 720), data, "set multiplot layout 2,1\nset xrange [0:", layers,
      "]\nset key top left\n", "set title ",
      GnuplotQuote(absl::StrCat("Separation of the classes by layer, position ", position)),
      " noenhanced\n",
      "set xlabel 'layer (direction read at the block''s input)'\nset ylabel 'residual-stream "
      "units'\nplot ",
      gap.empty() ? "[][0:1] -1 notitle" : gap,
      "\nset title 'Cross-validated AUC of the projection'\nset ylabel 'AUC'\n",
      "set yrange [0:1.05]\nset key bottom right\nplot ", auc.empty() ? "-1 notitle" : auc,
      "\nunset multiplot\n");
}

}  // namespace steer
