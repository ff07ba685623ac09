// A row: one prompt under one intervention. Fitting captures states and stops after the prompt;
// evaluating decodes until its outcome is certain; generating streams. Engine thread only.
#ifndef STEER_SERVER_ENGINE_ROW_H_
#define STEER_SERVER_ENGINE_ROW_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "server/engine/job.h"
#include "server/engine/observer.h"
#include "server/steering/edit_tally.h"
#include "server/steering/intervention.h"

namespace steer {

class EngineCall;

// See TimeRows.
struct RowTimes {
  absl::Time began = absl::InfinitePast();
  absl::Time prompt_end = absl::InfinitePast();
  absl::Time first_token, last_token;
  size_t tokens = 0;
};

struct Row {
  EngineCall* call = nullptr;
  RowKind kind = RowKind::kEvaluate;
  int arm = -1;     // Evaluate: index of the arm, -1 for a reference row
  int prompt = -1;  // index into the call's prompts
  const std::vector<int32_t>* prompt_ids = nullptr;          // owned by the call
  std::shared_ptr<const CompiledIntervention> intervention;  // null or empty: untouched
  DecodeSpec decode;  // max_new_tokens 0: stops after the prompt
  bool wants_prompt_logits = false;
  bool counted = true;  // false: the engine's own, in no metric
  // Positions whose states are captured at every site, counted from the prompt's end; `states` is
  // [positions, sites, hidden] then.
  const std::vector<int>* capture_positions = nullptr;
  std::vector<float> states;
  int64_t captures =
      0;  // (position, site) pairs copied into `states`, counted by the hook that copies

  // Progress.
  int64_t kv_begin = -1;
  int64_t kv_length = 0;
  int64_t context = 0;  // tokens whose keys and values are in the arena
  std::vector<int32_t> generated;
  EditTally tally;
  FinishReason finish = FinishReason::kLength;  // set by the call with the last token
  RowTimes times;

  int64_t prompt_tokens() const { return static_cast<int64_t>(prompt_ids->size()); }
  bool prompt_done() const { return context >= prompt_tokens(); }
  // Arena slots that it may come to need: the last generated token is never fed back.
  int64_t slots_needed() const {
    return prompt_tokens() + (decode.max_new_tokens > 0 ? decode.max_new_tokens - 1 : 0);
  }
  bool edited() const { return intervention != nullptr && !intervention->empty(); }
  InterventionClass type() const { return edited() ? intervention->type : InterventionClass(); }
  const EditEntry* EntryFor(int64_t index) const {
    return edited() ? intervention->EntryFor(index, prompt_tokens()) : nullptr;
  }
  // Edits that `context` tokens must have received, from the plan of the row alone.
  int64_t ExpectedEdits() const {
    int64_t edits = 0;
    if (!edited()) return 0;
    for (int64_t i = 0; i < context; ++i) {
      const EditEntry* entry = EntryFor(i);
      if (entry != nullptr) edits += entry->edits;
    }
    return edits;
  }
};

}  // namespace steer

#endif  // STEER_SERVER_ENGINE_ROW_H_
