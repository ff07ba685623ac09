// Contracts 1 and 2 in every family: an edit of nothing is the plain forward pass, an ablation
// leaves nothing, a reflection undoes itself, an affine edit reaches its target.
#include <iostream>

#include "tests/server/steering/edits_fixture.h"

namespace steer {
namespace {

class EditsExact : public EditsOfCheckpoint {};
INSTANTIATE_TEST_SUITE_P(Checkpoints, EditsExact, testing::ValuesIn(kEditCheckpoints),
                         [](const auto& info) { return std::string(info.param); });

// The edit's formula in all its parts, with V = 0.
std::shared_ptr<const LinearEdit> ZeroEdit(const EditGolden& golden, int k) {
  auto edit = std::make_shared<LinearEdit>();
  edit->k = k;
  for (int i = 0; i < k; ++i) {
    const std::vector<float> u = golden.Direction(i);
    edit->u.insert(edit->u.end(), u.begin(), u.end());
    edit->b.push_back(static_cast<float>(i) - 2.5f);
  }
  edit->v.assign(edit->u.size(), 0.0f);
  return edit;
}

TEST_P(EditsExact, AZeroEditIsThePlainPassBitForBit) {
  for (const char* dtype : {"float32", "bfloat16"}) {
    const std::unique_ptr<Decoder> decoder = Load(dtype);
    const EditRun plain = RunEdited(*decoder, {}, prompt_);
    // Without any hook at all, the prompt in one step.
    const StepRow row{0, 0, 0, static_cast<int32_t>(prompt_.size())};
    const at::Tensor bare = decoder->Forward({prompt_, absl::MakeConstSpan(&row, 1)}, nullptr);
    EXPECT_TRUE(SameBits(bare, plain.streams.back().slice(0, 0, row.tokens)));
    for (const int k : {1, 2, 8}) {
      for (EditTarget target : {EditTarget::kStream, EditTarget::kWrite}) {
        for (EditKernel kernel : {&ApplyEditsCpu, &ApplyEditsTorch}) {
          EditRunOptions options;
          options.kernel = kernel;
          const EditRun zero = RunEdited(
              *decoder, EntryAtSites(ZeroEdit(golden_, k), AllSites(), target, golden_.shape()),
              prompt_, options);
          for (size_t site = 0; site < plain.streams.size(); ++site) {
            EXPECT_TRUE(SameBits(zero.streams[site], plain.streams[site])) << dtype << " " << site;
          }
          EXPECT_TRUE(SameBits(zero.logits, plain.logits));
          EXPECT_EQ(zero.greedy, plain.greedy);
          for (const EditTally& tally : zero.tallies) {
            EXPECT_EQ(tally.edits, sites());
            EXPECT_EQ(tally.dose, 0);
          }
        }
      }
    }
  }
}

// Two rows in steps of one shape: neither's edits reach the other, in prompt or continuation.
TEST_P(EditsExact, ARowsBitsDoNotDependOnWhatIsDoneToItsMate) {
  const CompiledIntervention nothing, full = Compile({Op(OpKind::kAblate, 1, EditTarget::kStream)}),
                                      added = Compile({Op(OpKind::kAdd, 2, EditTarget::kWrite, 1)});
  const auto n = static_cast<int32_t>(prompt_.size());
  std::vector<int32_t> ids = prompt_;
  ids.insert(ids.end(), prompt_.rbegin(), prompt_.rend());
  for (const char* dtype : {"float32", "bfloat16"}) {
    const std::unique_ptr<Decoder> decoder = Load(dtype);
    // Streams and logits of the first row, then of the second, over the prompt and one more token.
    const auto run = [&](const CompiledIntervention& first, const CompiledIntervention& second) {
      std::vector<at::Tensor> rows[2];
      for (int step = 0; step < 2; ++step) {
        const int32_t begin = step == 0 ? 0 : n, count = step == 0 ? n : 1;
        std::vector<const EditEntry*> entries;
        for (const CompiledIntervention* edits : {&first, &second}) {
          for (int32_t i = 0; i < count; ++i) entries.push_back(edits->EntryFor(begin + i, n));
        }
        EntriesHook hook(std::move(entries));
        const std::vector<int32_t> fed = step == 0 ? ids : std::vector<int32_t>{5, 7};
        const std::vector<StepRow> step_rows = {{0, begin, 0, count}, {n + 1, begin, count, count}};
        hook.streams.push_back(decoder->Logits(decoder->Forward({fed, step_rows}, &hook)));
        for (int row = 0; row < 2; ++row) {
          for (const at::Tensor& x : hook.streams) {
            rows[row].push_back(x.slice(0, row * count, (row + 1) * count).clone());
          }
        }
      }
      return std::vector<std::vector<at::Tensor>>{rows[0], rows[1]};
    };
    const auto same = [](const std::vector<at::Tensor>& a, const std::vector<at::Tensor>& b) {
      size_t equal = 0;
      for (size_t i = 0; i < a.size(); ++i) equal += SameBits(a[i], b[i]) ? 1 : 0;
      return equal == a.size() ? "all" : equal == 0 ? "none" : "some";
    };
    const auto plain = run(nothing, nothing), mixed = run(nothing, full),
               other = run(nothing, added), edited = run(full, added), alone = run(full, nothing);
    EXPECT_STREQ(same(mixed[0], plain[0]), "all") << dtype;
    EXPECT_STREQ(same(other[0], plain[0]), "all") << dtype;
    EXPECT_STREQ(same(mixed[1], plain[1]), "none") << dtype;
    EXPECT_STREQ(same(edited[0], alone[0]), "all") << dtype;
    EXPECT_STREQ(same(edited[1], other[1]), "all") << dtype;
  }
}

TEST_P(EditsExact, AnAblationLeavesNothingAtAnySite) {
  const std::unique_ptr<Decoder> decoder = Load();
  for (const int k : {1, 2, 8}) {
    Basis span;
    for (int i = 0; i < k; ++i) ASSERT_TRUE(ExtendBasis(golden_.Direction(i), &span));
    std::vector<EditRun> runs;
    for (EditTarget target : {EditTarget::kStream, EditTarget::kWrite}) {
      runs.push_back(RunEdited(*decoder, Compile({Op(OpKind::kAblate, 1, target, 0, k)}), prompt_));
      const EditRun& run = runs.back();
      ASSERT_EQ(run.streams.size(), static_cast<size_t>(sites()));
      for (const at::Tensor& x : run.streams) {
        EXPECT_EQ(x.size(0), 17);  // the prompt's 10 and 7 that were fed back
        for (int i = 0; i < k; ++i) EXPECT_LE(LargestShare(x, {Unit(i)}), 1e-5);
        EXPECT_LE(LargestShare(x, span), 1e-5);
      }
      for (const EditTally& tally : run.tallies) {
        EXPECT_EQ(tally.edits, sites());
        EXPECT_LE(tally.largest_residual, 1e-5);
      }
    }
    // At every site it makes no difference which of the two is edited.
    for (size_t site = 0; site < runs[0].streams.size(); ++site) {
      const at::Tensor wanted = runs[1].streams[site].contiguous();
      EXPECT_LE(WorstRow(runs[0].streams[site], wanted.const_data_ptr<float>()), 2e-5);
    }
    EXPECT_EQ(runs[0].greedy, runs[1].greedy);
  }
}

// One rounding of x to 8 bits may leave 2^-8 |x| along any direction; over many coordinates it
// leaves less. The figure is printed: it is what bfloat16 costs, and no contract.
TEST_P(EditsExact, InBfloat16AnAblationLeavesOneRounding) {
  const std::unique_ptr<Decoder> decoder = Load("bfloat16");
  for (const int k : {1, 2, 8}) {
    Basis span;
    for (int i = 0; i < k; ++i) ASSERT_TRUE(ExtendBasis(golden_.Direction(i), &span));
    const EditRun run =
        RunEdited(*decoder, Compile({Op(OpKind::kAblate, 1, EditTarget::kStream, 0, k)}), prompt_);
    double worst = 0;
    for (const at::Tensor& x : run.streams) worst = std::max(worst, LargestShare(x, span));
    std::cout << GetParam() << ": bfloat16, K = " << k << ", |<x, r>| / |x| left: " << worst
              << "\n";
    EXPECT_LE(worst, 1.0 / 256);
    EXPECT_GT(worst, 0);
  }
}

TEST_P(EditsExact, AReflectionTwiceIsTheIdentity) {
  const std::unique_ptr<Decoder> decoder = Load();
  const EditRun plain = RunEdited(*decoder, {}, prompt_);
  for (const int k : {1, 2, 8}) {
    const CompiledIntervention reflected =
        Compile({Op(OpKind::kAblate, 2, EditTarget::kWrite, 0, k)});
    EditRunOptions options;
    options.forced = plain.greedy;
    for (const int times : {1, 2, 4}) {
      options.times = times;
      const EditRun run = RunEdited(*decoder, reflected, prompt_, options);
      for (size_t site = 0; site < run.streams.size(); ++site) {
        const at::Tensor wanted = plain.streams[site].contiguous();
        const double distance = WorstRow(run.streams[site], wanted.const_data_ptr<float>());
        // Even as later blocks carry the roundings on.
        if (times > 1) {
          EXPECT_LE(distance, 1e-5) << "site " << site << ", " << times << " times";
        } else {
          EXPECT_GT(distance, 0.05) << "site " << site;
        }
      }
      if (times > 1) {
        EXPECT_EQ(run.greedy, plain.greedy);
      }
    }
  }
}

TEST_P(EditsExact, AnAffineEditLeavesItsTargetAtEverySite) {
  const std::unique_ptr<Decoder> decoder = Load();
  const std::vector<double> unit = Unit(3);
  for (const double target : {3.5, -0.25, 0.0}) {
    const EditRun run = RunEdited(
        *decoder, Compile({Op(OpKind::kSetProjection, target, EditTarget::kStream, 3)}), prompt_);
    for (const at::Tensor& stream : run.streams) {
      const at::Tensor x = stream.contiguous();
      for (int64_t row = 0; row < x.size(0); ++row) {
        double along = 0, squares = 0;
        for (int64_t j = 0; j < x.size(1); ++j) {
          const double value = x.const_data_ptr<float>()[row * x.size(1) + j];
          along += unit[static_cast<size_t>(j)] * value;
          squares += value * value;
        }
        EXPECT_NEAR(along, target, 1e-6 * std::sqrt(squares));
      }
    }
  }
}

}  // namespace
}  // namespace steer
