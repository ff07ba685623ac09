// The kernel and its twin against the formula in float64, over a grid of shapes and mixes.
#include "server/steering/edit_table.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/from_blob.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <ostream>
#include <random>

#include "tests/server/steering/fixtures.h"

namespace steer {
namespace {

constexpr int kSite = 1;

at::Tensor TensorOf(std::vector<float> values, int64_t rows, at::ScalarType type) {
  return at::from_blob(values.data(), {rows, static_cast<int64_t>(values.size()) / rows},
                       at::kFloat)
      .clone()
      .to(type);
}

std::vector<uint8_t> BytesOf(const at::Tensor& x, int64_t row) {
  const size_t size = static_cast<size_t>(x.size(1)) * x.element_size();
  const auto* begin =
      static_cast<const uint8_t*>(x.const_data_ptr()) + static_cast<size_t>(row) * size;
  return {begin, begin + size};
}

// K columns: `projections` orthonormal ones that ablate, the rest additions.
std::shared_ptr<const LinearEdit> MadeEdit(int64_t hidden, int projections, int additions,
                                           uint64_t seed) {
  std::vector<ResolvedDirection> directions;
  InterventionSpec spec;
  const auto ref = [&](uint64_t index) {
    directions.push_back(Resolved(Gaussian(hidden, seed * 100 + index, 2)));
    DirectionRef result;
    result.layer = 0;
    result.component = static_cast<int>(directions.size()) - 1;
    return result;
  };
  if (projections > 0) {
    OpSpec ablate;
    for (int i = 0; i < projections; ++i) ablate.directions.push_back(ref(i));
    ablate.sites = {kSite};
    spec.ops.push_back(ablate);
  }
  for (int i = 0; i < additions; ++i) {
    OpSpec add;
    add.kind = OpKind::kAdd;
    add.amount = 0.5 + i;
    add.directions = {ref(50 + static_cast<uint64_t>(i))};
    add.sites = {kSite};
    spec.ops.push_back(add);
  }
  auto compiled = CompileIntervention(
      spec, {1, hidden},
      [&](const DirectionRef& wanted) -> absl::StatusOr<ResolvedDirection> {
        return directions[static_cast<size_t>(wanted.component)];
      },
      "");
  EXPECT_TRUE(compiled.ok()) << compiled.status();
  return compiled->EntryFor(0, 1)->stream[kSite];
}

EditEntry EntryOf(std::shared_ptr<const LinearEdit> edit, EditTarget target) {
  EditEntry entry;
  entry.write.resize(3);
  entry.stream.resize(3);
  (target == EditTarget::kWrite ? entry.write : entry.stream)[kSite] = std::move(edit);
  entry.edits = 1;
  return entry;
}

std::vector<double> Reference(const LinearEdit& edit, const std::vector<float>& x) {
  const size_t hidden = x.size();
  std::vector<double> result(x.begin(), x.end());
  for (int k = 0; k < edit.k; ++k) {
    double weight = edit.b[k];
    for (size_t j = 0; j < hidden; ++j) weight -= double{edit.u[k * hidden + j]} * x[j];
    for (size_t j = 0; j < hidden; ++j) result[j] += weight * edit.v[k * hidden + j];
  }
  return result;
}

double Norm(const std::vector<double>& x) {
  double squares = 0;
  for (double value : x) squares += value * value;
  return std::sqrt(squares);
}

using Kernel = int64_t (*)(int, EditTarget, absl::Span<const EditEntry* const>, at::Tensor&,
                           absl::Span<EditTally>);
struct Case {
  const char* name;
  Kernel kernel;
  at::ScalarType type;
};
// Not its bytes, which differ from run to run.
void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }
class EditKernels : public testing::TestWithParam<Case> {};

INSTANTIATE_TEST_SUITE_P(Both, EditKernels,
                         testing::Values(Case{"cpu_float32", ApplyEditsCpu, at::kFloat},
                                         Case{"cpu_bfloat16", ApplyEditsCpu, at::kBFloat16},
                                         Case{"torch_float32", ApplyEditsTorch, at::kFloat},
                                         Case{"torch_bfloat16", ApplyEditsTorch, at::kBFloat16}),
                         [](const auto& info) { return info.param.name; });

TEST(EditKernel, OfTheCpuRefusesOtherTypes) {
  const EditEntry entry = EntryOf(MadeEdit(8, 1, 0, 1), EditTarget::kStream);
  const std::vector<const EditEntry*> entries = {&entry};
  at::Tensor x = TensorOf(Gaussian(8, 2), 1, at::kDouble);
  std::vector<EditTally> tallies(1);
  EXPECT_THROW(ApplyEditsCpu(kSite, EditTarget::kStream, entries, x, absl::MakeSpan(tallies)),
               c10::Error);
}

TEST_P(EditKernels, EqualTheFormulaAndLeaveOtherTokensAlone) {
  const bool is_float = GetParam().type == at::kFloat;
  std::mt19937 random(7);
  for (int64_t tokens : {1, 2, 7, 33}) {
    for (int64_t hidden : {9, 17, 64, 129, 576}) {
      std::vector<EditEntry> table;
      for (int projections = 0; projections <= 8; projections += 2) {
        for (int additions = projections == 0 ? 1 : 0; additions < 3; ++additions) {
          const EditTarget target = additions % 2 == 0 ? EditTarget::kStream : EditTarget::kWrite;
          table.push_back(EntryOf(
              MadeEdit(hidden, projections, additions, projections * 10 + additions), target));
        }
      }
      for (EditTarget target : {EditTarget::kStream, EditTarget::kWrite}) {
        std::vector<const EditEntry*> entries;
        int64_t expected = 0;
        for (int64_t t = 0; t < tokens; ++t) {
          const size_t pick = random() % (table.size() + 3);
          entries.push_back(pick < table.size() ? &table[pick] : nullptr);
        }
        const at::Tensor before =
            TensorOf(Gaussian(tokens * hidden, 5 + tokens, 4), tokens, GetParam().type);
        at::Tensor x = before.clone();
        std::vector<EditTally> tallies(static_cast<size_t>(tokens));
        const int64_t applied =
            GetParam().kernel(kSite, target, entries, x, absl::MakeSpan(tallies));
        const at::Tensor read = x.to(at::kFloat), was = before.to(at::kFloat);
        for (int64_t t = 0; t < tokens; ++t) {
          const EditTally& tally = tallies[static_cast<size_t>(t)];
          const EditEntry* entry = entries[static_cast<size_t>(t)];
          const LinearEdit* edit =
              entry == nullptr
                  ? nullptr
                  : (target == EditTarget::kWrite ? entry->write : entry->stream)[kSite].get();
          if (edit == nullptr) {
            EXPECT_EQ(BytesOf(x, t), BytesOf(before, t));
            EXPECT_EQ(tally.edits, 0);
            EXPECT_EQ(tally.dose, 0);
            continue;
          }
          ++expected;
          const float* row = was.const_data_ptr<float>() + t * hidden;
          const float* got = read.const_data_ptr<float>() + t * hidden;
          const std::vector<float> in(row, row + hidden);
          const std::vector<double> wanted = Reference(*edit, in);
          std::vector<double> change(wanted), after(got, got + hidden);
          double largest = 0;
          for (int64_t j = 0; j < hidden; ++j) {
            change[j] = got[j] - in[j];
            largest = std::max({largest, std::abs(wanted[j]), std::abs(double{in[j]})});
          }
          const double rounding = is_float ? 4e-6 * largest : 0;
          for (int64_t j = 0; j < hidden; ++j) {
            // bfloat16: one rounding, half of 2^-7 of the value.
            ASSERT_NEAR(got[j], wanted[j],
                        rounding + (is_float ? 0 : std::abs(wanted[j]) * 0.00391 + 4e-6 * largest));
          }
          EXPECT_EQ(tally.edits, 1);
          const std::vector<double> x_before(in.begin(), in.end());
          EXPECT_NEAR(tally.dose, Norm(change) / Norm(x_before), 1e-4 * (1 + tally.dose));
          double left = 0;
          for (int k = 0; k < edit->ablated; ++k) {
            double along = 0;
            for (int64_t j = 0; j < hidden; ++j)
              along += double{edit->ablated_basis[k * hidden + j]} * got[j];
            left += along * along;
          }
          EXPECT_NEAR(tally.largest_residual, std::sqrt(left) / Norm(after), 1e-6);
          // Contract 2. Nothing is left where a full basis was ablated, so there is no ratio then.
          if (is_float && edit->ablated > 0 && hidden > 16) {
            EXPECT_LE(tally.largest_residual, 1e-5);
          }
        }
        EXPECT_EQ(applied, expected);
      }
    }
  }
}

TEST_P(EditKernels, AZeroEditKeepsEveryBit) {
  const int64_t hidden = 21;
  auto zero = std::make_shared<LinearEdit>(*MadeEdit(hidden, 2, 1, 3));
  std::fill(zero->v.begin(), zero->v.end(), 0.0f);
  const EditEntry entry = EntryOf(zero, EditTarget::kStream);
  std::vector<float> values = Gaussian(3 * hidden, 8);
  values[4] = -0.0f;  // whose sign -0.0 + 0.0 would lose
  values[5] = 0.0f;
  const at::Tensor before = TensorOf(values, 3, GetParam().type);
  at::Tensor x = before.clone();
  std::vector<EditTally> tallies(3);
  const std::vector<const EditEntry*> entries(3, &entry);
  EXPECT_EQ(GetParam().kernel(kSite, EditTarget::kStream, entries, x, absl::MakeSpan(tallies)), 3);
  for (int64_t t = 0; t < 3; ++t) {
    EXPECT_EQ(BytesOf(x, t), BytesOf(before, t));
    EXPECT_EQ(tallies[static_cast<size_t>(t)].dose, 0);
  }
}

TEST_P(EditKernels, ARowsBitsDoNotDependOnItsMates) {
  const int64_t hidden = 65;
  const EditEntry a = EntryOf(MadeEdit(hidden, 1, 0, 1), EditTarget::kStream);
  const EditEntry b = EntryOf(MadeEdit(hidden, 3, 1, 2), EditTarget::kStream);
  const std::vector<float> values = Gaussian(hidden, 4, 6);
  std::vector<float> crowd = Gaussian(9 * hidden, 5);
  std::copy(values.begin(), values.end(), crowd.begin() + 6 * hidden);
  at::Tensor alone = TensorOf(values, 1, GetParam().type),
             mixed = TensorOf(crowd, 9, GetParam().type);
  std::vector<EditTally> one(1), nine(9);
  const std::vector<const EditEntry*> just = {&a},
                                      mates = {&b, &b, nullptr, &a, &b, nullptr, &a, &b, &a};
  GetParam().kernel(kSite, EditTarget::kStream, just, alone, absl::MakeSpan(one));
  GetParam().kernel(kSite, EditTarget::kStream, mates, mixed, absl::MakeSpan(nine));
  if (GetParam().kernel == ApplyEditsCpu) {
    EXPECT_EQ(BytesOf(alone, 0), BytesOf(mixed, 6));
    EXPECT_EQ(one[0].dose, nine[6].dose);
  } else {
    EXPECT_TRUE(
        alone.select(0, 0).to(at::kFloat).allclose(mixed.select(0, 6).to(at::kFloat), 1e-2, 1e-5));
  }
}

TEST_P(EditKernels, AZeroRowHasNoDose) {
  const int64_t hidden = 12;
  const EditEntry entry = EntryOf(MadeEdit(hidden, 1, 0, 1), EditTarget::kStream);
  at::Tensor x = TensorOf(std::vector<float>(hidden, 0.0f), 1, GetParam().type);
  std::vector<EditTally> tallies(1);
  const std::vector<const EditEntry*> entries = {&entry};
  EXPECT_EQ(GetParam().kernel(kSite, EditTarget::kStream, entries, x, absl::MakeSpan(tallies)), 1);
  EXPECT_EQ(tallies[0].edits, 1);
  EXPECT_EQ(tallies[0].dose, 0);
  EXPECT_EQ(tallies[0].largest_residual, 0);
}

// A maximum and a sum that skip a NaN would report a clean edit.
TEST_P(EditKernels, AStateThatIsNotFiniteShowsInTheTally) {
  const int64_t hidden = 24;
  const EditEntry entry = EntryOf(MadeEdit(hidden, 1, 0, 1), EditTarget::kStream);
  for (const float bad : {std::nanf(""), std::numeric_limits<float>::infinity()}) {
    std::vector<float> values = Gaussian(2 * hidden, 3);
    values[7] = bad;
    at::Tensor x = TensorOf(values, 2, GetParam().type);
    std::vector<EditTally> tallies(2);
    const std::vector<const EditEntry*> entries(2, &entry);
    GetParam().kernel(kSite, EditTarget::kStream, entries, x, absl::MakeSpan(tallies));
    EXPECT_TRUE(std::isnan(tallies[0].dose));
    EXPECT_TRUE(std::isnan(tallies[0].largest_residual));
    EXPECT_TRUE(std::isfinite(tallies[1].dose));
    EditTally all = tallies[1];
    all.Add(tallies[0]);
    all.Add(tallies[1]);
    EXPECT_TRUE(std::isnan(all.dose));
    EXPECT_TRUE(std::isnan(all.largest_residual));
  }
}

TEST_P(EditKernels, AReflectionTwiceIsTheIdentity) {
  if (GetParam().type != at::kFloat) return;
  for (const int64_t hidden : {17, 64, 576}) {
    for (const int k : {1, 2, 8}) {
      auto reflection = std::make_shared<LinearEdit>(*MadeEdit(hidden, k, 0, 4));
      for (float& value : reflection->v) value *= 2;
      const EditEntry entry = EntryOf(reflection, EditTarget::kWrite);
      const std::vector<const EditEntry*> entries(3, &entry);
      const at::Tensor before = TensorOf(Gaussian(3 * hidden, 6, 5), 3, at::kFloat);
      at::Tensor x = before.clone();
      std::vector<EditTally> tallies(3);
      for (int i = 0; i < 2; ++i) {
        GetParam().kernel(kSite, EditTarget::kWrite, entries, x, absl::MakeSpan(tallies));
        const at::Tensor moved = x.sub(before);
        for (int64_t t = 0; t < 3; ++t) {
          const double share =
              moved.select(0, t).norm().item<double>() / before.select(0, t).norm().item<double>();
          if (i == 0) {
            EXPECT_GT(share, 0.01);
          } else {
            EXPECT_LE(share, 4e-7);
          }
        }
      }
    }
  }
}

TEST_P(EditKernels, RefuseATableOfAnotherShape) {
  const EditEntry entry = EntryOf(MadeEdit(12, 1, 0, 1), EditTarget::kStream);
  at::Tensor x = TensorOf(std::vector<float>(26, 1.0f), 2, GetParam().type);
  std::vector<EditTally> tallies(2);
  const std::vector<const EditEntry*> wrong_width = {&entry, nullptr}, wrong_length = {nullptr};
  EXPECT_ANY_THROW(
      GetParam().kernel(kSite, EditTarget::kStream, wrong_width, x, absl::MakeSpan(tallies)));
  EXPECT_ANY_THROW(
      GetParam().kernel(kSite, EditTarget::kStream, wrong_length, x, absl::MakeSpan(tallies)));
  EXPECT_ANY_THROW(
      GetParam().kernel(5, EditTarget::kStream, wrong_width, x, absl::MakeSpan(tallies)));
}

// A float32 addition at coefficient 1 is x + r as a hook would add it, to the bit.
TEST(EditTable, AddsAsAHookWould) {
  const int64_t hidden = 300;
  auto edit = std::make_shared<LinearEdit>();
  edit->k = 1;
  edit->v = Gaussian(hidden, 1, 3);
  edit->u.assign(hidden, 0.0f);
  edit->b = {1.0f};
  const EditEntry entry = EntryOf(edit, EditTarget::kStream);
  at::Tensor x = TensorOf(Gaussian(hidden, 2), 1, at::kFloat);
  const at::Tensor wanted = x.add(TensorOf(edit->v, 1, at::kFloat));
  std::vector<EditTally> tallies(1);
  const std::vector<const EditEntry*> entries = {&entry};
  ApplyEditsCpu(kSite, EditTarget::kStream, entries, x, absl::MakeSpan(tallies));
  EXPECT_TRUE(at::equal(x, wanted));
}

// The exact sum lies just beside the middle of two bfloat16. Rounded to float32 first it would lie
// on it, and go to the even neighbour, which is the wrong one here.
TEST(EditTable, RoundsToBfloat16Once) {
  const float half = std::ldexp(1.0f, -8), bit = std::ldexp(1.0f, -30);
  struct Sum {
    float x, added, wanted;
  };
  const float inf = std::numeric_limits<float>::infinity();
  const float largest = std::ldexp(255.0f, 120), tiny = std::numeric_limits<float>::denorm_min();
  for (const Sum& sum : {
           Sum{1, half + bit, 1 + 2 * half},
           Sum{1, half, 1},  // in the middle: to even
           Sum{1, half - bit, 1},
           Sum{1 + 2 * half, half - bit, 1 + 2 * half},
           Sum{1 + 2 * half, half, 1 + 4 * half},
           Sum{1 + 2 * half, half + bit, 1 + 4 * half},
           Sum{0, tiny, 0},
           Sum{largest, largest, inf},
       }) {
    for (const float sign : {1.0f, -1.0f}) {
      auto edit = std::make_shared<LinearEdit>();
      edit->k = 1;
      edit->v = {sign * sum.added};
      edit->u = {0};
      edit->b = {1};
      const EditEntry entry = EntryOf(edit, EditTarget::kStream);
      at::Tensor x = TensorOf({sign * sum.x}, 1, at::kBFloat16);
      std::vector<EditTally> tallies(1);
      const std::vector<const EditEntry*> entries = {&entry};
      ApplyEditsCpu(kSite, EditTarget::kStream, entries, x, absl::MakeSpan(tallies));
      EXPECT_EQ(x.to(at::kFloat).item<float>(), sign * sum.wanted) << sum.x << " + " << sum.added;
    }
  }
}

}  // namespace
}  // namespace steer
