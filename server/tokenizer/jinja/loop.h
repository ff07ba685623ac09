// The variable `loop` of a for loop. Items are drawn one at a time, because a loop's filter may
// read what its body has changed; loop.last and loop.nextitem look one item ahead, loop.length
// draws all.
#ifndef STEER_SERVER_TOKENIZER_JINJA_LOOP_H_
#define STEER_SERVER_TOKENIZER_JINJA_LOOP_H_

#include <deque>
#include <functional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "server/tokenizer/jinja/budget.h"
#include "server/tokenizer/jinja/value.h"

namespace steer::jinja {

class LoopObject : public Object {
 public:
  using Filter = std::function<absl::StatusOr<bool>(const Value& item)>;

  // `filter` may be null. It is called from Advance and Attribute until End.
  LoopObject(Items items, Filter filter, int depth0);

  // Moves to the next item; false at the end.
  absl::StatusOr<bool> Advance();
  const Value& current() const { return current_; }
  // The loop is over: what was not drawn is gone.
  void End();

  // loop.index and its like; nullopt if there is no attribute `name`. `cycle` and `changed` are
  // methods and not found here.
  absl::StatusOr<absl::optional<Value>> Attribute(absl::string_view name);
  absl::StatusOr<Value> Cycle(const Items& arguments) const;
  // True if called with other values than the last time. An error after the end of the loop.
  absl::StatusOr<bool> Changed(const Items& arguments, Budget& budget);

 private:
  absl::StatusOr<absl::optional<Value>> Draw();
  absl::Status Peek();
  absl::StatusOr<int64_t> Length();

  Items items_;
  Filter filter_;
  size_t next_ = 0;
  int64_t index0_ = -1;
  int depth0_;
  Value before_, current_;
  std::deque<Value> ahead_;  // drawn, not yet passed
  bool exhausted_ = false;
  bool ended_ = false;
  absl::optional<Items> last_changed_;
};

}  // namespace steer::jinja

#endif  // STEER_SERVER_TOKENIZER_JINJA_LOOP_H_
