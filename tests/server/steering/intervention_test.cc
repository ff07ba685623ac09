// What a compiled intervention does to a vector, against the formulas of proto Op in float64.
#include "server/steering/intervention.h"

#include <gmock/gmock.h>

#include "common/errors.h"
#include "tests/server/steering/fixtures.h"
#include "tests/server/steering/run_self.h"

namespace steer {
namespace {

constexpr int64_t kHidden = 24;
constexpr ModelShape kShape{2, kHidden};
using Vector = std::vector<double>;

std::vector<float> DirectionOf(int layer) {
  return Gaussian(kHidden, 100 + static_cast<uint64_t>(layer), 3);
}

absl::StatusOr<ResolvedDirection> Resolve(const DirectionRef& ref) {
  // Layers 0 and 1 are Gaussian; component 1 is orthogonal to layer 0, by its first two coordinates
  // alone.
  std::vector<float> values = DirectionOf(ref.layer);
  if (ref.component == 1) {
    const std::vector<float> first = DirectionOf(0);
    values.assign(kHidden, 0.0f);
    values[0] = first[1];
    values[1] = -first[0];
  }
  return Resolved(values);
}

OpSpec Op(OpKind kind, double amount, std::vector<std::pair<int, int>> layers_and_components) {
  OpSpec op;
  op.kind = kind;
  op.amount = amount;
  for (auto [layer, component] : layers_and_components) {
    op.directions.push_back({Sha256Hex("a"), -1, layer, component, absl::nullopt});
  }
  return op;
}

CompiledIntervention Compile(std::vector<OpSpec> ops) {
  auto compiled = CompileIntervention({std::move(ops)}, kShape, Resolve, "");
  EXPECT_TRUE(compiled.ok()) << compiled.status();
  return *std::move(compiled);
}

Vector Apply(const LinearEdit& edit, const Vector& x) {
  Vector result = x;
  for (int k = 0; k < edit.k; ++k) {
    double weight = edit.b[k];
    for (int64_t j = 0; j < kHidden; ++j) weight -= edit.u[k * kHidden + j] * x[j];
    for (int64_t j = 0; j < kHidden; ++j) result[j] += weight * edit.v[k * kHidden + j];
  }
  return result;
}

Vector Unit(const std::vector<float>& r) {
  const double norm = Resolved(r).norm;
  Vector unit(r.begin(), r.end());
  for (double& value : unit) value /= norm;
  return unit;
}

double Dot(const Vector& a, const Vector& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

Vector Sample(uint64_t seed) {
  const std::vector<float> values = Gaussian(kHidden, seed, 5);
  return Vector(values.begin(), values.end());
}

void ExpectNear(const Vector& a, const Vector& b) {
  for (size_t j = 0; j < a.size(); ++j) EXPECT_NEAR(a[j], b[j], 2e-6 * 25) << j;
}

TEST(Intervention, OfNoOpsTouchesNothing) {
  const CompiledIntervention none = Compile({});
  EXPECT_TRUE(none.empty());
  EXPECT_EQ(none.EntryFor(0, 5), nullptr);
  EXPECT_EQ(none.EntryFor(7, 5), nullptr);
  EXPECT_EQ(none.distinct_sites, 0);
}

TEST(Intervention, AblatesTheSpanOfItsDirectionsAtEverySiteOfTheStream) {
  for (double fraction : {1.0, 0.5, 2.0}) {
    const CompiledIntervention compiled =
        Compile({Op(OpKind::kAblate, fraction, {{0, 0}, {1, 0}})});
    EXPECT_EQ(compiled.distinct_sites, 5);
    const EditEntry* entry = compiled.EntryFor(0, 3);
    ASSERT_NE(entry, nullptr);
    EXPECT_EQ(entry->edits, 5);
    for (size_t site = 0; site < 5; ++site) {
      const auto& edit = fraction == 1 ? entry->stream[site] : entry->write[site];
      const auto& other = fraction == 1 ? entry->write[site] : entry->stream[site];
      ASSERT_NE(edit, nullptr);
      EXPECT_EQ(other, nullptr);
      EXPECT_EQ(edit, fraction == 1 ? entry->stream[0] : entry->write[0]);  // shared
      EXPECT_EQ(edit->ablated, fraction == 1 ? 2 : 0);
      // P x by an independent route: solve the 2 x 2 normal equations.
      const std::vector<float> a = DirectionOf(0), b = DirectionOf(1);
      const Vector va(a.begin(), a.end()), vb(b.begin(), b.end()), x = Sample(site);
      const double aa = Dot(va, va), ab = Dot(va, vb), bb = Dot(vb, vb), ax = Dot(va, x),
                   bx = Dot(vb, x);
      const double det = aa * bb - ab * ab, ca = (bb * ax - ab * bx) / det,
                   cb = (aa * bx - ab * ax) / det;
      Vector wanted = x;
      for (int64_t j = 0; j < kHidden; ++j) wanted[j] -= fraction * (ca * va[j] + cb * vb[j]);
      ExpectNear(Apply(*edit, x), wanted);
    }
  }
}

// Two directions `apart` of their length apart: refused where float32 could hardly tell them from
// one, and else both are gone, the second one too, of which the first is nearly all.
TEST(Intervention, NearlyParallelDirectionsAreAblatedExactlyOrRefused) {
  const std::vector<float> first = DirectionOf(0), other = DirectionOf(1);
  for (const double apart : {1e-1, 1e-3, 1e-5, 3e-6, 3e-7, 0.0}) {
    for (const double length : {1.0, -1.0 / 3, 1e-12, 1e12}) {
      std::vector<float> second;
      for (int64_t j = 0; j < kHidden; ++j) {
        second.push_back(static_cast<float>(length * (first[j] + apart * other[j])));
      }
      const auto resolve = [&](const DirectionRef& ref) -> absl::StatusOr<ResolvedDirection> {
        return Resolved(ref.component == 0 ? first : second);
      };
      const auto compiled =
          CompileIntervention({{Op(OpKind::kAblate, 1, {{0, 0}, {0, 1}})}}, kShape, resolve, "arm");
      if (apart < 1e-6) {
        EXPECT_EQ(compiled.status().code(), absl::StatusCode::kInvalidArgument) << apart;
        const std::vector<Violation> violations = ViolationsOf(compiled.status());
        ASSERT_EQ(violations.size(), 1u);
        EXPECT_EQ(violations[0].field, "arm.ops[0].ablate.directions[1]");
        continue;
      }
      ASSERT_TRUE(compiled.ok()) << compiled.status();
      const auto edit = compiled->EntryFor(0, 1)->stream[0];
      ASSERT_EQ(edit->k, 2);
      for (uint64_t seed = 0; seed < 5; ++seed) {
        const Vector y = Apply(*edit, Sample(seed));
        const double norm = std::sqrt(Dot(y, y));
        EXPECT_LE(std::abs(Dot(Unit(first), y)), 1e-6 * norm) << apart;
        EXPECT_LE(std::abs(Dot(Unit(second), y)), 1e-6 * norm) << apart;
        // What tells the two apart is gone as well.
        Vector difference(kHidden);
        for (int64_t j = 0; j < kHidden; ++j) {
          difference[j] = Unit(second)[j] * (length < 0 ? -1 : 1) - Unit(first)[j];
        }
        EXPECT_LE(std::abs(Dot(difference, y)),
                  1e-6 * norm * std::sqrt(Dot(difference, difference)))
            << apart;
      }
    }
  }
}

TEST(Intervention, AddsTheStoredVectorExactlyAtTheInputOfItsBlock) {
  const CompiledIntervention compiled = Compile({Op(OpKind::kAdd, 1, {{1, 0}})});
  const EditEntry* entry = compiled.EntryFor(2, 3);
  ASSERT_NE(entry, nullptr);
  EXPECT_EQ(entry->edits, 1);
  ASSERT_NE(entry->stream[2], nullptr);
  EXPECT_EQ(entry->stream[2]->v, DirectionOf(1));
  EXPECT_EQ(entry->stream[2]->u, std::vector<float>(kHidden, 0.0f));
  EXPECT_EQ(entry->stream[2]->b, std::vector<float>{1.0f});
  const auto scaled = Compile({Op(OpKind::kAdd, -0.3, {{1, 0}})}).EntryFor(0, 1)->stream[2];
  for (int64_t j = 0; j < kHidden; ++j)
    EXPECT_EQ(scaled->v[j], static_cast<float>(-0.3 * DirectionOf(1)[j]));
}

TEST(Intervention, SetsAProjection) {
  const CompiledIntervention compiled = Compile({Op(OpKind::kSetProjection, -7.25, {{0, 0}})});
  EXPECT_EQ(compiled.distinct_sites, 5);
  const auto edit = compiled.EntryFor(0, 1)->stream[3];
  const Vector r = Unit(DirectionOf(0)), x = Sample(9), y = Apply(*edit, x);
  EXPECT_NEAR(Dot(r, y), -7.25, 1e-5);
  Vector wanted = x;
  for (int64_t j = 0; j < kHidden; ++j) wanted[j] += r[j] * (-7.25 - Dot(r, x));
  ExpectNear(y, wanted);
  EXPECT_EQ(edit->ablated, 0);
  EXPECT_EQ(Compile({Op(OpKind::kSetProjection, 0, {{0, 0}})}).EntryFor(0, 1)->stream[3]->ablated,
            1);
}

TEST(Intervention, AblatesBeforeItAddsWhateverTheOrder) {
  OpSpec ablate = Op(OpKind::kAblate, 1, {{0, 0}}), add = Op(OpKind::kAdd, 2, {{1, 0}}),
         again = Op(OpKind::kAdd, -0.5, {{0, 0}}),
         orthogonal = Op(OpKind::kSetProjection, 4, {{0, 1}});
  again.sites = {2};
  std::vector<OpSpec> ops = {ablate, add, again, orthogonal};
  std::sort(ops.begin(), ops.end(),
            [](const OpSpec& a, const OpSpec& b) { return a.amount < b.amount; });
  const Vector x = Sample(4);
  const Vector r0 = Unit(DirectionOf(0)), r1 = Unit(Resolve({"", -1, 0, 1, absl::nullopt})->values);
  Vector wanted = x;
  for (int64_t j = 0; j < kHidden; ++j) {
    wanted[j] += -r0[j] * Dot(r0, x) + r1[j] * (4 - Dot(r1, x)) + 2 * double{DirectionOf(1)[j]} -
                 0.5 * double{DirectionOf(0)[j]};
  }
  std::shared_ptr<const LinearEdit> first;
  do {
    const CompiledIntervention compiled = Compile(ops);
    const auto edit = compiled.EntryFor(0, 1)->stream[2];
    EXPECT_EQ(edit->k, 4);
    ExpectNear(Apply(*edit, x), wanted);
    // What is added back along the direction is no residue of its ablation.
    EXPECT_EQ(edit->ablated, 0);
    EXPECT_EQ(compiled.EntryFor(0, 1)->stream[1]->ablated, 1);
    if (first == nullptr) first = edit;
    EXPECT_EQ(edit->v, first->v);  // bit for bit
    EXPECT_EQ(edit->u, first->u);
    EXPECT_EQ(edit->b, first->b);
  } while (std::next_permutation(ops.begin(), ops.end(), [](const OpSpec& a, const OpSpec& b) {
    return a.amount < b.amount;
  }));
}

TEST(Intervention, CountsEqualAblationsOnce) {
  const CompiledIntervention compiled =
      Compile({Op(OpKind::kAblate, 1, {{0, 0}, {1, 0}}), Op(OpKind::kAblate, 1, {{1, 0}, {0, 0}})});
  EXPECT_EQ(compiled.EntryFor(0, 1)->stream[0]->k, 2);
  EXPECT_EQ(compiled.direction_digests.size(), 4u);
}

TEST(Intervention, NamesItsDirectionsInTheOrderOfTheSpec) {
  const CompiledIntervention compiled =
      Compile({Op(OpKind::kAdd, 1, {{1, 0}}), Op(OpKind::kAblate, 1, {{0, 0}, {0, 1}})});
  EXPECT_THAT(compiled.direction_digests,
              testing::ElementsAre(DirectionDigest(DirectionOf(1)), DirectionDigest(DirectionOf(0)),
                                   Resolve({"", -1, 0, 1, absl::nullopt})->digest));
  EXPECT_EQ(compiled.content_digests, std::vector<std::string>(3, Sha256Hex("content")));
}

TEST(Intervention, ScopesSelectTokensByPosition) {
  const auto touched = [](std::vector<OpSpec> ops, int64_t prompt, int64_t total) {
    const CompiledIntervention compiled = Compile(std::move(ops));
    std::string marks;
    for (int64_t i = 0; i < total; ++i) {
      const EditEntry* entry = compiled.EntryFor(i, prompt);
      marks += entry == nullptr ? '.' : static_cast<char>('0' + entry->edits);
    }
    return marks;
  };
  const auto scoped = [](TokenScope scope, int last, int site) {
    OpSpec op = Op(OpKind::kAdd, 1, {{0, 0}});
    op.scope = scope;
    op.last_prompt_tokens = last;
    op.sites = {site};
    return op;
  };
  EXPECT_EQ(touched({scoped(TokenScope::kAll, 0, 1)}, 4, 6), "111111");
  EXPECT_EQ(touched({scoped(TokenScope::kPrompt, 0, 1)}, 4, 6), "1111..");
  EXPECT_EQ(touched({scoped(TokenScope::kGenerated, 0, 1)}, 4, 6), "....11");
  EXPECT_EQ(touched({scoped(TokenScope::kLastPromptAndGenerated, 2, 1)}, 4, 6), "..1111");
  EXPECT_EQ(touched({scoped(TokenScope::kLastPromptAndGenerated, 9, 1)}, 4, 6), "111111");
  EXPECT_EQ(touched({scoped(TokenScope::kLastPromptAndGenerated, 1, 1),
                     scoped(TokenScope::kPrompt, 0, 3)},
                    4, 6),
            "111211");
  EXPECT_EQ(touched({scoped(TokenScope::kGenerated, 0, 1), scoped(TokenScope::kPrompt, 0, 3),
                     scoped(TokenScope::kAll, 0, 4)},
                    2, 4),
            "2222");
}

TEST(Intervention, SharesOneEntryWhereTokensAreTreatedAlike) {
  const CompiledIntervention all = Compile({Op(OpKind::kAblate, 1, {{0, 0}})});
  EXPECT_EQ(all.EntryFor(0, 3), all.EntryFor(5, 3));
}

const Child kSwapped("swapped direction", [] {
  const absl::Status status =
      CompileIntervention({{Op(OpKind::kAblate, 1, {{0, 0}})}}, kShape, Resolve, "").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_EQ(ReasonOf(status), "DIRECTION_DIGEST_MISMATCH");
});

const Child kNotSwapped("the direction itself", [] {
  Compile({Op(OpKind::kAblate, 1, {{0, 0}})});
});

TEST(Intervention, ASwappedDirectionMakesTheCallFail) {
  EXPECT_TRUE(Passed(RunSelf("swapped direction", "edit.swap_direction=skip")));
  EXPECT_TRUE(Passed(RunSelf("the direction itself", "")));
}

}  // namespace
}  // namespace steer
