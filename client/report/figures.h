// gnuplot scripts of the figures. Pure: the same input gives the same script. Colours are Okabe and
// Ito's, told apart by the colour-blind; every bar carries its interval and count.
#ifndef STEER_CLIENT_REPORT_FIGURES_H_
#define STEER_CLIENT_REPORT_FIGURES_H_

#include <string>
#include <vector>

#include "client/plan/lock.h"
#include "client/report/summary.h"

namespace steer {

enum class ImageFormat { kSvg, kPng };

// The post's figure: refusal on harmful prompts (baseline, ablate fitted, ablate control) and on
// harmless prompts (baseline, add fitted, add control), a bar for each seed, Wilson 95 % intervals
// and counts; below it the validation swing by layer, the chosen layer ringed. Cells that are
// missing leave a gap.
std::string ExperimentFigure(const Lock& lock, const Summary& summary, ImageFormat format);

// Separation of the classes by layer: projection gap and norm, and AUC. `position` selects among
// the reports; a line for each fit, labelled.
struct LabelledFit {
  std::string label;
  const FitRecord* fit = nullptr;
};
std::string SeparationFigure(const std::vector<LabelledFit>& fits, int position,
                             ImageFormat format);

}  // namespace steer

#endif  // STEER_CLIENT_REPORT_FIGURES_H_
