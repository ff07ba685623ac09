#include "server/tokenizer/jinja/loop.h"

#include <algorithm>
#include <utility>

#include "common/status_macros.h"
#include "server/tokenizer/jinja/compare.h"

namespace steer::jinja {

LoopObject::LoopObject(Items items, Filter filter, int depth0)
    : items_(std::move(items)), filter_(std::move(filter)), depth0_(depth0) {
  for (const Value& item : items_) depth = std::max(depth, item.depth() + 1);
}

absl::StatusOr<absl::optional<Value>> LoopObject::Draw() {
  while (next_ < items_.size()) {
    const Value& item = items_[next_++];
    if (filter_ != nullptr) {
      STEER_ASSIGN_OR_RETURN(bool keep, filter_(item));
      if (!keep) continue;
    }
    return absl::optional<Value>(item);
  }
  exhausted_ = true;
  return absl::optional<Value>();
}

absl::Status LoopObject::Peek() {
  if (!ahead_.empty() || exhausted_) return absl::OkStatus();
  STEER_ASSIGN_OR_RETURN(absl::optional<Value> item, Draw());
  if (item.has_value()) ahead_.push_back(*std::move(item));
  return absl::OkStatus();
}

absl::StatusOr<bool> LoopObject::Advance() {
  STEER_RETURN_IF_ERROR(Peek());
  if (ahead_.empty()) return false;
  before_ = std::exchange(current_, ahead_.front());
  ahead_.pop_front();
  ++index0_;
  return true;
}

void LoopObject::End() {
  next_ = items_.size();
  filter_ = nullptr;
  exhausted_ = ended_ = true;
  last_changed_.reset();
}

absl::StatusOr<int64_t> LoopObject::Length() {
  if (filter_ == nullptr) {
    return static_cast<int64_t>(items_.size() - next_ + ahead_.size()) + index0_ + 1;
  }
  while (!exhausted_) {
    STEER_ASSIGN_OR_RETURN(absl::optional<Value> item, Draw());
    if (item.has_value()) ahead_.push_back(*std::move(item));
  }
  return static_cast<int64_t>(ahead_.size()) + index0_ + 1;
}

absl::StatusOr<absl::optional<Value>> LoopObject::Attribute(absl::string_view name) {
  auto integer = [](int64_t i) { return absl::optional<Value>(Value::Int(i)); };
  if (name == "index") return integer(index0_ + 1);
  if (name == "index0") return integer(index0_);
  if (name == "depth") return integer(depth0_ + 1);
  if (name == "depth0") return integer(depth0_);
  if (name == "first") return absl::optional<Value>(Value::Bool(index0_ == 0));
  if (name == "length" || name == "revindex" || name == "revindex0") {
    STEER_ASSIGN_OR_RETURN(int64_t length, Length());
    return integer(name == "length"     ? length
                   : name == "revindex" ? length - index0_
                                        : length - index0_ - 1);
  }
  if (name == "last") {
    STEER_RETURN_IF_ERROR(Peek());
    return absl::optional<Value>(Value::Bool(ahead_.empty()));
  }
  if (name == "previtem") {
    if (index0_ == 0) return absl::optional<Value>(Value::Undefined("there is no previous item"));
    return absl::optional<Value>(before_);
  }
  if (name == "nextitem") {
    STEER_RETURN_IF_ERROR(Peek());
    if (ahead_.empty()) return absl::optional<Value>(Value::Undefined("there is no next item"));
    return absl::optional<Value>(ahead_.front());
  }
  return absl::optional<Value>();
}

absl::StatusOr<Value> LoopObject::Cycle(const Items& arguments) const {
  if (arguments.empty()) return Fail("no items for cycling given");
  return arguments[static_cast<size_t>(std::max<int64_t>(index0_, 0)) % arguments.size()];
}

absl::StatusOr<bool> LoopObject::Changed(const Items& arguments, Budget& budget) {
  // A loop that keeps itself would never be freed.
  if (ended_) return Fail("loop.changed after the end of its loop is not built");
  if (last_changed_.has_value()) {
    STEER_ASSIGN_OR_RETURN(bool same,
                           Equals(Value::Tuple(*last_changed_), Value::Tuple(arguments), budget));
    if (same) return false;
  }
  last_changed_ = arguments;
  return true;
}

}  // namespace steer::jinja
