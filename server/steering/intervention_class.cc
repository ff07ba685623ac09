#include "server/steering/intervention_class.h"

#include "server/steering/intervention.h"

namespace steer {
namespace {

ArmKind KindOf(OpKind kind) {
  if (kind == OpKind::kAblate) return ArmKind::kAblate;
  return kind == OpKind::kAdd ? ArmKind::kAdd : ArmKind::kSetProjection;
}

// kNone is neutral, two different words make kMixed.
template <typename Kind>
void Join(Kind kind, Kind* whole) {
  if (*whole == Kind::kNone) *whole = kind;
  if (*whole != kind) *whole = Kind::kMixed;
}

}  // namespace

InterventionClass ClassOf(const InterventionSpec& spec) {
  InterventionClass c;
  for (const OpSpec& op : spec.ops) {
    Join(KindOf(op.kind), &c.arm);
    for (const DirectionRef& ref : op.directions) {
      Join(ref.control ? DirectionKind::kControl : DirectionKind::kFitted, &c.direction);
    }
  }
  return c;
}

}  // namespace steer
