// A cell before it is measured, and the Evaluate request that measures several. Pure; any thread.
#ifndef STEER_CLIENT_RUN_CELL_H_
#define STEER_CLIENT_RUN_CELL_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "client/data/splits.h"
#include "client/plan/lock.h"
#include "client/run/records.h"
#include "steer/v1/evaluate.pb.h"
#include "steer/v1/model.pb.h"

namespace steer {

// What the cells of one seed and stage have in common. References must outlive it.
struct CellContext {
  const Lock& lock;
  const SeedSplits& prompts;  // with texts
  const v1::GetModelResponse& model;
  Stage stage = Stage::kTest;
  std::string set_id;          // may be empty if all cells are baselines
  std::string content_digest;  // of the set
};

struct Cell {
  ArmSpec arm;
  int layer = -1;                // of its direction; -1 for a baseline
  std::string direction_digest;  // that the receipt must name; empty for a baseline
};

SplitPart PartOf(Stage stage);  // validation or test

// The direction of a cell that edits: fitted, or the control of its draw.
v1::DirectionRef ToDirectionRef(const CellContext& context, const Cell& cell);
v1::Intervention ToIntervention(const CellContext& context, const Cell& cell);

// One call for all the cells given, without request id. Prompts: of the classes that the cells
// need, harmful first, in the split's order; each arm covers one class.
v1::EvaluateRequest BuildEvaluate(const CellContext& context, absl::Span<const Cell> cells);

// Groups of indices into `cells`, in order, each small enough for one call under the model's limits
// (arms, prompts, rows with the reference rows of scores, bytes). A cell that exceeds the limits
// alone is a group of its own, for the server to refuse by name.
std::vector<std::vector<size_t>> PackCells(const CellContext& context,
                                           absl::Span<const Cell> cells);

// A prompt as the contract carries it.
v1::Prompt ToPrompt(const Plan& plan, const PromptRecord& record);

}  // namespace steer

#endif  // STEER_CLIENT_RUN_CELL_H_
