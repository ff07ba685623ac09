// Every rule of proto Op and Intervention, with the path that its violation names.
#include <gmock/gmock.h>

#include <limits>

#include "common/errors.h"
#include "server/steering/intervention.h"
#include "tests/server/steering/fixtures.h"

namespace steer {
namespace {

using testing::HasSubstr;

constexpr ModelShape kShape{3, 16};

// Layer l stands for a Gaussian direction; component 1 is missing, 2 unusable, 3 of another width,
// 4 zero, 5 a set that is gone, 6 large, 7 the opposite of component 0, 8 the l-th axis, 9 not finite.
absl::StatusOr<ResolvedDirection> Resolve(const DirectionRef& ref) {
  switch (ref.component) {
    case 1:
      return absl::InvalidArgumentError("the set has no component 1");
    case 2:
      return MakeError(absl::StatusCode::kFailedPrecondition, "DIRECTION_UNUSABLE", "unusable");
    case 3:
      return Resolved(Gaussian(15, 1));
    case 4:
      return Resolved(std::vector<float>(16, 0.0f));
    case 5:
      return absl::NotFoundError("there is no direction set");
    case 6:
      return Resolved(Gaussian(16, 5, 1e37));
    case 7:
      return Resolved(Gaussian(16, static_cast<uint64_t>(ref.layer), -1));
    case 8: {
      std::vector<float> axis(16, 0.0f);
      axis[static_cast<size_t>(ref.layer)] = 2;
      return Resolved(std::move(axis));
    }
    case 9:
      return Resolved(std::vector<float>(16, std::numeric_limits<float>::infinity()));
    default:
      return Resolved(Gaussian(16, static_cast<uint64_t>(ref.layer)));
  }
}

DirectionRef Ref(int layer, int component = 0) {
  return {Sha256Hex("a"), -1, layer, component, absl::nullopt};
}

OpSpec Ablate(std::vector<DirectionRef> directions = {Ref(1)}) {
  OpSpec op;
  op.directions = std::move(directions);
  return op;
}
OpSpec Add(double coefficient = 1) {
  OpSpec op = Ablate();
  op.kind = OpKind::kAdd;
  op.amount = coefficient;
  return op;
}
OpSpec Set(double value = 0) {
  OpSpec op = Ablate();
  op.kind = OpKind::kSetProjection;
  op.amount = value;
  return op;
}
template <typename F>
OpSpec With(OpSpec op, F change) {
  change(op);
  return op;
}

absl::Status StatusOf(std::vector<OpSpec> ops) {
  return CompileIntervention({std::move(ops)}, kShape, Resolve, "arms[2].intervention").status();
}

std::vector<std::string> FieldsOf(std::vector<OpSpec> ops) {
  const absl::Status status = StatusOf(std::move(ops));
  std::vector<std::string> fields;
  for (const Violation& violation : ViolationsOf(status)) {
    EXPECT_THAT(violation.field, testing::StartsWith("arms[2].intervention."));
    fields.push_back(violation.field.substr(21));
  }
  EXPECT_EQ(status.code(),
            fields.empty() ? absl::StatusCode::kOk : absl::StatusCode::kInvalidArgument)
      << status;
  return fields;
}

using Fields = std::vector<std::string>;

TEST(InterventionRules, AcceptWhatIsSound) {
  EXPECT_EQ(FieldsOf({}), Fields{});
  EXPECT_EQ(FieldsOf({Ablate(), Add(-1000), Add(1e-3)}), Fields{});
  EXPECT_EQ(FieldsOf({Set(-3.5)}), Fields{});
  EXPECT_EQ(FieldsOf({Ablate({Ref(0), Ref(1), Ref(2)})}), Fields{});
}

TEST(InterventionRules, NumbersOfDirections) {
  EXPECT_EQ(FieldsOf({Ablate({})}), Fields{"ops[0].ablate.directions"});
  EXPECT_THAT(FieldsOf({Ablate(std::vector<DirectionRef>(9, Ref(1)))}),
              testing::Contains("ops[0].ablate.directions"));
  EXPECT_EQ(FieldsOf({Add(), With(Add(), [](OpSpec& op) { op.directions.clear(); })}),
            Fields{"ops[1].add.direction"});
  EXPECT_EQ(FieldsOf({With(Set(),
                           [](OpSpec& op) {
                             op.directions = {Ref(1), Ref(2)};
                           })}),
            Fields{"ops[0].set_projection.direction"});
  EXPECT_EQ(FieldsOf(std::vector<OpSpec>(17, Add())), Fields{"ops"});
  EXPECT_EQ(FieldsOf(std::vector<OpSpec>(16, Add())), Fields{});
}

TEST(InterventionRules, RangesOfNumbers) {
  const double nan = std::numeric_limits<double>::quiet_NaN(),
               inf = std::numeric_limits<double>::infinity();
  for (double fraction : {0.0, -0.5, 2.0001, nan, inf}) {
    EXPECT_EQ(FieldsOf({With(Ablate(), [&](OpSpec& op) { op.amount = fraction; })}),
              Fields{"ops[0].ablate.fraction"});
  }
  for (double fraction : {1e-9, 0.5, 1.0, 2.0}) {
    EXPECT_EQ(FieldsOf({With(Ablate(), [&](OpSpec& op) { op.amount = fraction; })}), Fields{})
        << fraction;
  }
  for (double coefficient : {0.0, 1000.1, -1001.0, nan, inf, -inf}) {
    EXPECT_EQ(FieldsOf({Add(coefficient)}), Fields{"ops[0].add.coefficient"}) << coefficient;
  }
  for (double value : {nan, inf, -inf, 1e39}) {
    EXPECT_EQ(FieldsOf({Set(value)}), Fields{"ops[0].set_projection.value"});
  }
  // The product must be float32 too, and not nothing.
  EXPECT_EQ(FieldsOf({With(Add(900), [](OpSpec& op) { op.directions = {Ref(1, 6)}; })}),
            Fields{"ops[0].add.coefficient"});
  EXPECT_EQ(FieldsOf({Add(1e-60)}), Fields{"ops[0].add.coefficient"});
  EXPECT_EQ(FieldsOf({Add(-1e-60)}), Fields{"ops[0].add.coefficient"});
  EXPECT_EQ(FieldsOf({Add(1e-40)}), Fields{});
}

TEST(InterventionRules, Sites) {
  const auto with_sites = [](std::vector<int> sites, bool all = false) {
    return With(Ablate(), [&](OpSpec& op) {
      op.sites = sites;
      op.all_sites = all;
    });
  };
  EXPECT_EQ(FieldsOf({with_sites({0, 3, 6})}), Fields{});
  EXPECT_EQ(FieldsOf({with_sites({0, 7})}), Fields{"ops[0].sites.sites[1]"});
  EXPECT_EQ(FieldsOf({with_sites({-1})}), Fields{"ops[0].sites.sites[0]"});
  EXPECT_EQ(FieldsOf({with_sites({2, 2})}), Fields{"ops[0].sites.sites[1]"});
  EXPECT_EQ(FieldsOf({with_sites({3, 2})}), Fields{"ops[0].sites.sites[1]"});
  EXPECT_EQ(FieldsOf({with_sites({1}, true)}), Fields{"ops[0].sites"});
  // A layer of a larger model than this one.
  EXPECT_EQ(FieldsOf({With(Add(), [](OpSpec& op) { op.directions = {Ref(3)}; })}),
            Fields{"ops[0].add.direction.layer"});
  EXPECT_EQ(FieldsOf({With(Add(), [](OpSpec& op) { op.directions = {Ref(-1)}; })}),
            Fields{"ops[0].add.direction.layer"});
}

TEST(InterventionRules, AnAdditionActsWhereItsDirectionWasReadUnlessItNamesSites) {
  const auto sites_of = [](const OpSpec& op) {
    const auto compiled = CompileIntervention({{op}}, kShape, Resolve, "");
    EXPECT_TRUE(compiled.ok()) << compiled.status();
    return compiled->distinct_sites;
  };
  EXPECT_EQ(sites_of(Add()), 1);
  EXPECT_EQ(sites_of(With(Add(), [](OpSpec& op) { op.all_sites = true; })), kShape.sites());
  EXPECT_EQ(sites_of(With(Add(), [](OpSpec& op) { op.sites = {1, 4}; })), 2);
}

TEST(InterventionRules, PartialAblationOnTheStreamMayNotCompound) {
  const auto partial = [](double fraction, EditTarget target, std::vector<int> sites) {
    return With(Ablate(), [&](OpSpec& op) {
      op.amount = fraction;
      op.target = target;
      op.sites = sites;
    });
  };
  for (double fraction : {0.5, 2.0}) {
    EXPECT_EQ(FieldsOf({partial(fraction, EditTarget::kStream, {})}), Fields{"ops[0].target"});
    EXPECT_EQ(FieldsOf({partial(fraction, EditTarget::kStream, {1, 2})}), Fields{"ops[0].target"});
    EXPECT_EQ(FieldsOf({partial(fraction, EditTarget::kStream, {1})}), Fields{});
    EXPECT_EQ(FieldsOf({partial(fraction, EditTarget::kWrite, {})}), Fields{});
    EXPECT_EQ(FieldsOf({partial(fraction, EditTarget::kDefault, {})}), Fields{});
  }
  EXPECT_EQ(FieldsOf({partial(1, EditTarget::kStream, {})}), Fields{});
}

TEST(InterventionRules, TokenScopes) {
  const auto scoped = [](TokenScope scope, int last) {
    return With(Ablate(), [&](OpSpec& op) {
      op.scope = scope;
      op.last_prompt_tokens = last;
    });
  };
  EXPECT_EQ(FieldsOf({scoped(TokenScope::kLastPromptAndGenerated, 0)}),
            Fields{"ops[0].last_prompt_tokens"});
  EXPECT_EQ(FieldsOf({scoped(TokenScope::kLastPromptAndGenerated, -1)}),
            Fields{"ops[0].last_prompt_tokens"});
  EXPECT_EQ(FieldsOf({scoped(TokenScope::kLastPromptAndGenerated, 2)}), Fields{});
  for (TokenScope scope : {TokenScope::kAll, TokenScope::kPrompt, TokenScope::kGenerated}) {
    EXPECT_EQ(FieldsOf({scoped(scope, 1)}), Fields{"ops[0].last_prompt_tokens"});
    EXPECT_EQ(FieldsOf({scoped(scope, 0)}), Fields{});
  }
  EXPECT_EQ(FieldsOf({scoped(TokenScope::kLastPromptAndGenerated, 2),
                      scoped(TokenScope::kLastPromptAndGenerated, 3)}),
            Fields{"ops[1].last_prompt_tokens"});
  EXPECT_EQ(FieldsOf({scoped(TokenScope::kLastPromptAndGenerated, 2),
                      scoped(TokenScope::kLastPromptAndGenerated, 2)}),
            Fields{});
}

TEST(InterventionRules, Directions) {
  EXPECT_EQ(FieldsOf({Ablate({Ref(0), Ref(1, 1)})}), Fields{"ops[0].ablate.directions[1]"});
  EXPECT_EQ(FieldsOf({Ablate({Ref(0, 3)})}), Fields{"ops[0].ablate.directions[0]"});
  EXPECT_EQ(FieldsOf({Ablate({Ref(0, 4)})}), Fields{"ops[0].ablate.directions[0]"});
  EXPECT_EQ(FieldsOf({Ablate({Ref(0, 9)})}), Fields{"ops[0].ablate.directions[0]"});
  EXPECT_EQ(FieldsOf({Ablate({Ref(0), Ref(1), Ref(0)})}), Fields{"ops[0].ablate.directions[2]"});
  const absl::Status unusable = StatusOf({Add(), Ablate({Ref(0, 2)})});
  EXPECT_EQ(unusable.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ReasonOf(unusable), "DIRECTION_UNUSABLE");
  EXPECT_THAT(std::string(unusable.message()), HasSubstr("ops[1].ablate.directions[0]"));
  EXPECT_EQ(StatusOf({Ablate({Ref(0, 5)})}).code(), absl::StatusCode::kNotFound);
  // Of several that are absent the first is named.
  EXPECT_THAT(std::string(StatusOf({Ablate({Ref(0)}), Ablate({Ref(0, 5), Ref(0, 2)})}).message()),
              testing::AllOf(HasSubstr("ops[1].ablate.directions[0]"),
                             testing::Not(HasSubstr("unusable"))));
  // What can never succeed is said before what is only absent.
  EXPECT_EQ(FieldsOf({Ablate({Ref(0, 5)}), Add(0)}), Fields{"ops[1].add.coefficient"});
}

TEST(InterventionRules, AllViolationsAreCollected) {
  EXPECT_EQ(FieldsOf({Add(0), With(Ablate({Ref(0, 1)}),
                                   [](OpSpec& op) {
                                     op.amount = 3;
                                     op.sites = {9};
                                     op.last_prompt_tokens = 4;
                                   })}),
            (Fields{"ops[0].add.coefficient", "ops[1].ablate.fraction", "ops[1].sites.sites[0]",
                    "ops[1].last_prompt_tokens", "ops[1].ablate.directions[0]"}));
}

TEST(InterventionRules, OpsThatWouldDependOnTheirOrderAreRefusedNamingBoth) {
  const auto at = [](OpSpec op, std::vector<int> sites, TokenScope scope = TokenScope::kAll) {
    op.sites = std::move(sites);
    op.scope = scope;
    return op;
  };
  const absl::Status status = StatusOf({Ablate({Ref(0)}), Ablate({Ref(1)})});
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("ops[0] (ablate) and ops[1] (ablate)"));
  EXPECT_EQ(FieldsOf({Ablate({Ref(0)}), Set(1)}), Fields{"ops[1]"});
  // Not where they never meet: other sites, other tokens, other targets.
  EXPECT_EQ(FieldsOf({at(Ablate({Ref(0)}), {1, 2}), at(Ablate({Ref(1)}), {3})}), Fields{});
  EXPECT_EQ(FieldsOf({at(Ablate({Ref(0)}), {1, 2}), at(Ablate({Ref(1)}), {2})}), Fields{"ops[1]"});
  EXPECT_EQ(FieldsOf({at(Ablate({Ref(0)}), {1}, TokenScope::kPrompt),
                      at(Ablate({Ref(1)}), {1}, TokenScope::kGenerated)}),
            Fields{});
  EXPECT_EQ(FieldsOf({at(Ablate({Ref(0)}), {1}, TokenScope::kPrompt), at(Ablate({Ref(1)}), {1})}),
            Fields{"ops[1]"});
  EXPECT_EQ(FieldsOf({Ablate({Ref(0)}),
                      With(Ablate({Ref(1)}), [](OpSpec& op) { op.target = EditTarget::kWrite; })}),
            Fields{});
  // The same ablation twice is that ablation; the same span by other names too.
  EXPECT_EQ(FieldsOf({Ablate({Ref(0), Ref(1)}), Ablate({Ref(1), Ref(0)})}), Fields{});
  EXPECT_EQ(FieldsOf({Ablate(), Set(0)}), Fields{});
  EXPECT_EQ(FieldsOf({Set(2), Set(2)}), Fields{});
  EXPECT_EQ(FieldsOf({Set(2), Set(3)}), Fields{"ops[1]"});
  EXPECT_EQ(FieldsOf({Ablate(), Set(1)}), Fields{"ops[1]"});
  EXPECT_EQ(FieldsOf({Set(1), Ablate()}), Fields{"ops[1]"});
  // Along the opposite direction a value is another one.
  EXPECT_EQ(FieldsOf({Set(2), With(Set(2), [](OpSpec& op) { op.directions = {Ref(1, 7)}; })}),
            Fields{"ops[1]"});
  // Half of it twice is not half of it.
  const OpSpec half = With(Ablate(), [](OpSpec& op) { op.amount = 0.5; });
  EXPECT_EQ(FieldsOf({half, half}), Fields{"ops[1]"});
}

// The write is edited before the stream, so what is added there would be projected out again, while
// the rule says that additions come last.
TEST(InterventionRules, AnAdditionToTheWriteIsNotUndoneOnTheStream) {
  const auto on = [](OpSpec op, EditTarget target, std::vector<int> sites = {},
                     TokenScope scope = TokenScope::kAll) {
    op.target = target;
    op.sites = std::move(sites);
    op.scope = scope;
    return op;
  };
  const OpSpec added = on(Add(), EditTarget::kWrite, {3});
  for (const OpSpec& projects : {Ablate({Ref(0)}), Set(1.5)}) {
    EXPECT_EQ(FieldsOf({projects, added}), Fields{"ops[1]"});
    EXPECT_EQ(FieldsOf({added, projects}), Fields{"ops[1]"});
    EXPECT_EQ(FieldsOf({added, on(projects, EditTarget::kWrite)}), Fields{});
    EXPECT_EQ(FieldsOf({on(Add(), EditTarget::kStream, {3}), projects}), Fields{});
    EXPECT_EQ(FieldsOf({added, on(projects, EditTarget::kStream, {2, 4})}), Fields{});
    EXPECT_EQ(FieldsOf({on(added, EditTarget::kWrite, {3}, TokenScope::kPrompt),
                        on(projects, EditTarget::kStream, {3}, TokenScope::kGenerated)}),
              Fields{});
  }
  EXPECT_THAT(std::string(StatusOf({Ablate({Ref(0)}), added}).message()),
              HasSubstr("ops[1] (add) acts on the write and ops[0] (ablate) on the stream"));
  // Two additions, or an addition to the stream, never.
  EXPECT_EQ(FieldsOf({added, on(Add(), EditTarget::kStream, {3})}), Fields{});
  EXPECT_EQ(
      FieldsOf({on(Ablate({Ref(0)}), EditTarget::kWrite), on(Add(), EditTarget::kStream, {3})}),
      Fields{});
}

// What is added at right angles to an ablation leaves it whole: it may act on the other target, and
// the receipt still measures what is left of the ablation.
TEST(InterventionRules, AnAdditionAtRightAnglesLeavesAnAblationWhole) {
  const auto along = [](OpSpec op, DirectionRef ref, EditTarget target) {
    op.directions = {std::move(ref)};
    op.target = target;
    op.sites = {3};
    return op;
  };
  const OpSpec ablated = along(Ablate(), Ref(0, 8), EditTarget::kStream);
  EXPECT_EQ(FieldsOf({along(Add(), Ref(1, 8), EditTarget::kWrite), ablated}), Fields{});
  EXPECT_EQ(FieldsOf({along(Add(), Ref(0, 8), EditTarget::kWrite), ablated}), Fields{"ops[1]"});
  for (const int added : {0, 1}) {
    const auto compiled = CompileIntervention(
        {{ablated, along(Add(), Ref(added, 8), EditTarget::kStream)}}, kShape, Resolve, "");
    ASSERT_TRUE(compiled.ok()) << compiled.status();
    EXPECT_EQ(compiled->ablates, added == 1);
  }
}

TEST(InterventionRules, ADirectionThatIsNotTheOneNamedIsOurFault) {
  const auto wrong = [](const DirectionRef& ref) {
    auto direction = Resolve(ref);
    direction->values[3] += 1;
    return direction;
  };
  const absl::Status status = CompileIntervention({{Ablate()}}, kShape, wrong, "").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_EQ(ReasonOf(status), "DIRECTION_DIGEST_MISMATCH");
}

}  // namespace
}  // namespace steer
