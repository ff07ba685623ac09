// Decides what the next step computes. Rows of all calls share steps; calls take turns in handing
// out rows, so a long sweep does not starve a short call. No torch. Engine thread only.
//
// Someone reads what Generate writes, so its rows go before those of Fit and Evaluate, within
// bounds both ways. Beside any number of other rows, a Generate row whose prompt has p tokens has
// its first token after at most 3 * ceil(p / C) + 4 steps (alone in its lane, and while the arena's
// part for it has room), and then prefill and decode steps alternate. Of the steps that both lanes
// want, every fourth is the others' first; and rows that only prefill, as a long Fit's, leave a
// decode step after every four of theirs.
#ifndef STEER_SERVER_ENGINE_SCHEDULER_H_
#define STEER_SERVER_ENGINE_SCHEDULER_H_

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <vector>

#include "server/engine/call.h"
#include "server/engine/extents.h"
#include "server/engine/row.h"

namespace steer {

struct SchedulerShape {
  int32_t decode_rows = 32;      // R
  int32_t prefill_tokens = 256;  // C
  int64_t kv_tokens = 0;
  // Part of kv_tokens that only Generate rows use.
  int64_t generate_kv_tokens = 0;
};

// `count` prompt tokens of a row, from row->context on.
struct PrefillPiece {
  Row* row;
  int32_t count;
};

class Scheduler {
 public:
  explicit Scheduler(SchedulerShape shape);

  void AddCall(std::shared_ptr<EngineCall> call);
  const std::list<std::shared_ptr<EngineCall>>& calls() const { return calls_; }
  // Drops a call and all of its rows; their slots are free at once. Returns the rows that ran.
  std::vector<std::unique_ptr<Row>> RemoveCall(EngineCall* call);

  // Prompt tokens for the next step, at most C. Empty if at least R rows are ready to decode and no
  // Generate row waits, a decode step is due, or nothing waits: then decode. A step is filled with as many rows as there are, so that rows are
  // ready when decoding ones end and no step is computed half empty.
  std::vector<PrefillPiece> PlanPrefill();
  // Rows to decode, at most R, oldest first in each lane.
  std::vector<Row*> PlanDecode();

  // A row whose prompt is done goes on to decode.
  void MoveToDecode(Row* row);
  // Takes a row out and frees its slots.
  std::unique_ptr<Row> Take(Row* row);
  // True if a row of the call is running.
  bool HasRows(const EngineCall* call) const;

  int64_t running() const { return static_cast<int64_t>(prefilling_.size() + decoding_.size()); }
  // Rows of its calls that have no slot yet.
  int64_t waiting() const;
  int64_t kv_used() const { return slots_.used() + generate_slots_.used(); }

 private:
  // Lets one more row start, of the lane if only that is wanted; null if no call has one or the
  // arena is full.
  Row* AdmitOne(bool generate_only);
  bool DecodeIsDue(int64_t generating) const;
  // Moves the row to prefilling_ if the arena has room for it.
  Row* Admit(std::unique_ptr<Row>* row);
  bool Reserve(Row* row);
  void Release(const Row& row);
  SchedulerShape shape_;
  ExtentAllocator slots_;
  ExtentAllocator generate_slots_;  // behind slots_
  // The front call hands out the next row.
  std::list<std::shared_ptr<EngineCall>> calls_;
  std::unique_ptr<Row> waiting_;  // handed out, but the arena was full
  std::map<const EngineCall*, std::unique_ptr<Row>> waiting_generate_;
  std::list<std::unique_ptr<Row>> prefilling_;
  std::list<std::unique_ptr<Row>> decoding_;
  int64_t prefill_steps_ = 0, decode_steps_ = 0;
  // Prefill steps since the last decode step, and those at the end of them that brought no row that
  // will decode.
  int64_t prefills_ = 0, barren_prefills_ = 0;
};

}  // namespace steer

#endif  // STEER_SERVER_ENGINE_SCHEDULER_H_
