// Direction sets in the store that this model or this machine did not fit.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/errors.h"
#include "tests/server/engine/engine_fixture.h"

namespace steer {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class ForeignSetTest : public EngineTest {
 protected:
  // A copy of the fitted set under another id, changed; an ablation with it, compiled.
  static absl::StatusOr<std::shared_ptr<const CompiledIntervention>> AblateWithCopy(
      char digit, const std::function<void(DirectionSet&)>& change) {
    DirectionSet set = *engine().store().Get(set_id())->set;
    set.set_id = std::string(64, digit);
    change(set);
    set.content_digest = ContentDigest(set);
    const absl::Status stored = engine().store().Put(set);
    if (!stored.ok()) return stored;
    OpSpec op;
    op.kind = OpKind::kAblate;
    op.directions = {Ref(2)};
    op.directions[0].set_id = set.set_id;
    std::vector<DirectionStore::Lease> leases;
    return engine().Compile({{op}}, "arms[3].intervention", &leases);
  }
};

TEST_F(ForeignSetTest, AnotherModelsSetIsRefusedWithBothNamed) {
  const std::string other(64, 'd');
  const absl::Status status =
      AblateWithCopy('a', [&](DirectionSet& set) { set.model_fingerprint = other; }).status();
  EXPECT_EQ(ReasonOf(status), "MODEL_MISMATCH");
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("arms[3].intervention"), HasSubstr(std::string(64, 'a')),
                    HasSubstr("fingerprint " + other),
                    HasSubstr("has " + engine().facts().model_fingerprint)));
}

TEST_F(ForeignSetTest, OtherNumericsAreNoReasonToRefuse) {
  const auto compiled =
      AblateWithCopy('b', [](DirectionSet& set) { set.numeric_fingerprint = "another machine"; });
  EXPECT_TRUE(compiled.ok()) << compiled.status();
}

}  // namespace
}  // namespace steer
