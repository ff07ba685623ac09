// Decides what the next step computes. Rows of all calls share steps; calls take turns in handing
// out rows, so a long sweep does not starve a short call. No torch. Engine thread only.
#ifndef STEER_SERVER_ENGINE_SCHEDULER_H_
#define STEER_SERVER_ENGINE_SCHEDULER_H_

#include <cstdint>
#include <list>
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
};

// `count` prompt tokens of a row, from row->context on.
struct PrefillPiece {
  Row* row;
  int32_t count;
};

class Scheduler {
 public:
  explicit Scheduler(SchedulerShape shape);

  void AddCall(std::shared_ptr<Call> call);
  const std::list<std::shared_ptr<Call>>& calls() const { return calls_; }
  // Drops a call and all of its rows; their slots are free at once.
  void RemoveCall(Call* call);

  // Prompt tokens for the next step, at most C. Empty if at least R rows are ready to decode, or
  // nothing waits: then decode. A step is filled with as many rows as there are, so that rows are
  // ready when decoding ones end and no step is computed half empty.
  std::vector<PrefillPiece> PlanPrefill();
  // Rows to decode, at most R, oldest first.
  std::vector<Row*> PlanDecode();

  // A row whose prompt is done goes on to decode.
  void MoveToDecode(Row* row);
  // Takes a row out and frees its slots.
  std::unique_ptr<Row> Take(Row* row);
  // True if a row of the call is running.
  bool HasRows(const Call* call) const;

  int64_t running() const { return static_cast<int64_t>(prefilling_.size() + decoding_.size()); }
  int64_t kv_used() const { return slots_.used(); }

 private:
  // Lets one more row start; false if no call has one or the arena is full.
  bool AdmitOne();
  SchedulerShape shape_;
  ExtentAllocator slots_;
  std::list<std::shared_ptr<Call>> calls_;  // the front call hands out the next row
  std::unique_ptr<Row> waiting_;            // handed out, but the arena was full
  std::list<std::unique_ptr<Row>> prefilling_;
  std::list<std::unique_ptr<Row>> decoding_;
};

}  // namespace steer

#endif  // STEER_SERVER_ENGINE_SCHEDULER_H_
