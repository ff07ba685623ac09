// The table that a run ends with, for people. Pure.
#ifndef STEER_CLIENT_REPORT_TABLE_H_
#define STEER_CLIENT_REPORT_TABLE_H_

#include <string>
#include <vector>

#include "client/plan/lock.h"
#include "client/report/summary.h"

namespace steer {

// Columns padded to their widest cell, two spaces apart; columns whose index is in `right` are
// flushed right.
std::string AlignColumns(const std::vector<std::vector<std::string>>& rows,
                         const std::vector<size_t>& right);

// Rates with Wilson 95 % intervals and counts by seed and arm, the margins, the verdicts. Several
// lines.
std::string RenderTable(const Lock& lock, const Summary& summary);

// "0.84 [0.68, 0.93] 27/32".
std::string ShownRate(const ArmSummary& arm);

// "ablate, control 0" and the like: what an arm does, in the design's words.
std::string ArmTitle(const ArmSpec& arm);

}  // namespace steer

#endif  // STEER_CLIENT_REPORT_TABLE_H_
