#include "server/steering/intervention_class.h"

#include <gtest/gtest.h>

#include <set>

#include "server/steering/intervention.h"

namespace steer {
namespace {

OpSpec Op(OpKind kind, std::vector<bool> controls) {
  OpSpec op;
  op.kind = kind;
  for (const bool control : controls) {
    DirectionRef ref;
    if (control) ref.control = Control();
    op.directions.push_back(ref);
  }
  return op;
}

TEST(InterventionClass, OfSpecifications) {
  EXPECT_EQ(ClassOf({}), InterventionClass());
  EXPECT_EQ(ClassOf({{Op(OpKind::kAblate, {false, false})}}),
            (InterventionClass{ArmKind::kAblate, DirectionKind::kFitted}));
  EXPECT_EQ(ClassOf({{Op(OpKind::kAdd, {true})}}),
            (InterventionClass{ArmKind::kAdd, DirectionKind::kControl}));
  EXPECT_EQ(ClassOf({{Op(OpKind::kSetProjection, {false})}}),
            (InterventionClass{ArmKind::kSetProjection, DirectionKind::kFitted}));
  EXPECT_NE(ClassOf({{Op(OpKind::kAdd, {true})}}), ClassOf({{Op(OpKind::kAblate, {true})}}));
  EXPECT_NE(ClassOf({{Op(OpKind::kAdd, {true})}}), ClassOf({{Op(OpKind::kAdd, {false})}}));
  EXPECT_EQ(ClassOf({{Op(OpKind::kAblate, {false, true})}}),
            (InterventionClass{ArmKind::kAblate, DirectionKind::kMixed}));
  EXPECT_EQ(ClassOf({{Op(OpKind::kAblate, {true}), Op(OpKind::kAdd, {true})}}),
            (InterventionClass{ArmKind::kMixed, DirectionKind::kControl}));
  EXPECT_EQ(
      ClassOf({{Op(OpKind::kAdd, {true}), Op(OpKind::kAdd, {false}), Op(OpKind::kAdd, {true})}}),
      (InterventionClass{ArmKind::kAdd, DirectionKind::kMixed}));
}

TEST(InterventionClass, IndicesNameEveryClassOnce) {
  std::set<std::pair<ArmKind, DirectionKind>> seen;
  for (size_t i = 0; i < kInterventionClasses; ++i) {
    const InterventionClass c = ClassAt(i);
    EXPECT_EQ(IndexOf(c), i);
    EXPECT_EQ(c.arm == ArmKind::kNone, c.direction == DirectionKind::kNone);
    seen.emplace(c.arm, c.direction);
  }
  EXPECT_EQ(seen.size(), kInterventionClasses);
  // Refused, but counted before: ops without a direction.
  EXPECT_EQ(IndexOf(ClassOf({{Op(OpKind::kAdd, {})}})), 0u);
}

}  // namespace
}  // namespace steer
