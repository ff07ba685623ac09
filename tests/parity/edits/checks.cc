#include "tests/parity/edits/checks.h"

#include <ATen/ops/index_select.h>
#include <ATen/ops/tensor.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>

#include "server/steering/subspace.h"

namespace steer {
namespace {

constexpr double kTolerance = 2e-5;
constexpr double kNearTie = 1e-3;

bool SameBits(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor x = a.contiguous(), y = b.contiguous();
  return x.sizes() == y.sizes() &&
         std::memcmp(x.const_data_ptr(), y.const_data_ptr(),
                     static_cast<size_t>(x.numel()) * x.element_size()) == 0;
}

double Apart(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor wanted = b.to(at::kFloat).contiguous();
  return WorstRow(a, wanted.const_data_ptr<float>());
}

struct Distance {
  double states = 0;
  int site = 0;  // of the worst
  double logits = 0;
};

Distance DistanceTo(const EditGolden& golden, const EditRun& run, const std::string& name,
                    size_t positions) {
  const auto begin = golden.kept().begin();
  const at::Tensor kept =
      at::tensor(std::vector<int64_t>(begin, begin + static_cast<int64_t>(positions)), at::kLong);
  const std::vector<float> states = golden.Floats(name + ".states");
  Distance distance;
  for (size_t site = 0; site < run.streams.size(); ++site) {
    const float* wanted =
        states.data() + site * golden.kept().size() * static_cast<size_t>(golden.shape().hidden);
    const double worst = WorstRow(at::index_select(run.streams[site], 0, kept), wanted);
    if (worst > distance.states || std::isnan(worst)) {
      distance.states = worst;
      distance.site = static_cast<int>(site);
    }
  }
  distance.logits =
      WorstRow(at::index_select(run.logits, 0, kept), golden.Floats(name + ".logits").data());
  return distance;
}

}  // namespace

void EditChecks::Expect(bool holds, const std::string& what) {
  if (holds) return;
  ++failures_;
  std::printf("  DOES NOT HOLD: %s\n", what.c_str());
}

EditRun EditChecks::Run(const EditGolden& golden, const CompiledIntervention& edits,
                        EditRunOptions options) {
  return RunEdited(decoder_, edits, golden.prompt(), options);
}

CompiledIntervention EditChecks::Compile(const EditGolden& golden, OpKind kind, double amount,
                                         EditTarget target, int count, std::vector<int> sites,
                                         TokenScope scope) {
  OpSpec op;
  op.kind = kind;
  op.amount = amount;
  op.target = target;
  op.all_sites = sites.empty();
  op.sites = std::move(sites);
  op.scope = scope;
  std::vector<std::vector<float>> vectors;
  for (int i = 0; i < count; ++i) {
    op.directions.push_back({"", -1, 0, i, absl::nullopt});
    vectors.push_back(golden.Direction(i));
  }
  return CompileOn(vectors, {op}, golden.shape()).value();
}

void EditChecks::Hooks(const EditGolden& golden, int32_t piece) {
  std::printf("against hooks, prompt of %zu tokens in pieces of %d\n", golden.prompt().size(),
              piece == 0 ? static_cast<int>(golden.prompt().size()) : piece);
  Distance worst;
  size_t same = 0, tokens = 0, ties = 0;
  for (const std::string& name : golden.cases()) {
    EditRunOptions options;
    options.piece = piece;
    options.forced = golden.Ints(name + ".greedy");  // so that states are compared at equal tokens
    const EditRun run = Run(golden, golden.Compile(name).value(), options);
    const Distance distance = DistanceTo(golden, run, name, golden.kept().size());
    const std::vector<float> margins = golden.Floats(name + ".margins");
    size_t equal = 0;
    for (size_t i = 0; i < run.greedy.size(); ++i) {
      if (run.greedy[i] == options.forced[i]) {
        ++equal;
      } else if (margins[i] < kNearTie) {
        ++ties;
      } else {
        Expect(!is_float32_, name + ": a token differs");
      }
    }
    std::printf("  %-16s states %.2e (site %2d)  logits %.2e  tokens %zu/%zu\n", name.c_str(),
                distance.states, distance.site, distance.logits, equal, run.greedy.size());
    Expect(!is_float32_ || (distance.states <= kTolerance && distance.logits <= kTolerance),
           name + ": beyond 2e-5");
    worst.states = std::max(worst.states, distance.states);
    worst.logits = std::max(worst.logits, distance.logits);
    same += equal;
    tokens += run.greedy.size();
  }
  std::printf("  worst: states %.2e, logits %.2e, tokens %zu/%zu, near ties %zu\n", worst.states,
              worst.logits, same, tokens, ties);
}

void EditChecks::Weights(const EditGolden& golden) {
  for (const std::string weights : {"weights", "weights_keep_head"}) {
    if (!golden.Has(weights + ".states")) continue;
    const EditRun run = Run(golden, golden.Compile("stream_full").value(), {});
    const Distance distance = DistanceTo(golden, run, weights, 2);  // in the prompt
    std::printf("ablation against %s: states %.2e (site %d), logits %.2e\n", weights.c_str(),
                distance.states, distance.site, distance.logits);
    const bool same_head = !golden.tied() || weights == "weights_keep_head";
    Expect((distance.states <= kTolerance) == !golden.post_norms(), weights + ": states");
    Expect((distance.logits <= kTolerance) == (!golden.post_norms() && same_head),
           weights + ": logits");
  }
}

void EditChecks::Exact(const EditGolden& golden) {
  const EditRun plain = Run(golden, {}, {});
  ZeroEdit(golden, plain);
  MixedBatch(golden);
  Leftover(golden);
  ReflectionAndTarget(golden, plain);
  Reach(golden, plain);
}

void EditChecks::ZeroEdit(const EditGolden& golden, const EditRun& plain) {
  size_t compared = 0, equal = 0;
  for (EditTarget target : {EditTarget::kStream, EditTarget::kWrite}) {
    auto zero = std::make_shared<LinearEdit>();
    std::vector<int> all;
    for (int site = 0; site < golden.shape().sites(); ++site) all.push_back(site);
    zero->k = 1;
    zero->u = golden.Direction(0);
    zero->v.assign(zero->u.size(), 0.0f);
    zero->b = {3.0f};
    const EditRun run = Run(golden, EntryAtSites(zero, all, target, golden.shape()), {});
    for (size_t site = 0; site < run.streams.size(); ++site) {
      ++compared;
      equal += SameBits(run.streams[site], plain.streams[site]) ? 1 : 0;
    }
    ++compared;
    equal += SameBits(run.logits, plain.logits) ? 1 : 0;
  }
  std::printf("zero edit: %zu of %zu tensors equal the plain pass bit for bit\n", equal, compared);
  Expect(equal == compared, "zero edit");
}

void EditChecks::MixedBatch(const EditGolden& golden) {
  const std::vector<int32_t> prompt = golden.prompt();
  const auto n = static_cast<int32_t>(prompt.size());
  std::vector<int32_t> ids = prompt;
  ids.insert(ids.end(), prompt.begin(), prompt.end());
  const std::vector<StepRow> rows = {{0, 0, 0, n}, {n, 0, n, n}};
  const CompiledIntervention full = Compile(golden, OpKind::kAblate, 1, EditTarget::kStream, 1);
  const auto run = [&](bool edit_second) {
    std::vector<const EditEntry*> entries(ids.size(), nullptr);
    for (int32_t i = 0; edit_second && i < n; ++i) {
      entries[static_cast<size_t>(n + i)] = full.EntryFor(i, n);
    }
    EntriesHook hook(std::move(entries));
    decoder_.Forward({ids, rows}, &hook);
    return hook.streams;
  };
  const std::vector<at::Tensor> plain = run(false), mixed = run(true);
  size_t equal = 0, changed = 0;
  for (size_t site = 0; site < plain.size(); ++site) {
    equal += SameBits(plain[site].slice(0, 0, n), mixed[site].slice(0, 0, n)) ? 1 : 0;
    changed += SameBits(plain[site].slice(0, n), mixed[site].slice(0, n)) ? 0 : 1;
  }
  std::printf(
      "untouched row beside an ablated one: %zu of %zu sites equal bit for bit (the other "
      "row differs at %zu)\n",
      equal, plain.size(), changed);
  Expect(equal == plain.size() && changed == plain.size(), "mixed batch");
}

void EditChecks::Leftover(const EditGolden& golden) {
  for (EditTarget target : {EditTarget::kStream, EditTarget::kWrite}) {
    for (const int k : {1, 2, 8}) {
      Basis span;
      for (int i = 0; i < k; ++i) ExtendBasis(golden.Direction(i), &span);
      const EditRun run = Run(golden, Compile(golden, OpKind::kAblate, 1, target, k), {});
      double worst = 0, receipt = 0;
      for (const at::Tensor& x : run.streams) worst = std::max(worst, LargestShare(x, span));
      for (const EditTally& tally : run.tallies) {
        receipt = LargerOrNaN(receipt, tally.largest_residual);
      }
      const bool stream = target == EditTarget::kStream;
      std::printf(
          "ablation of the %s, K = %d: |<x, r>| / |x| left %.2e over %zu sites and %ld "
          "tokens (receipt %.2e)\n",
          stream ? "stream" : "write", k, worst, run.streams.size(),
          static_cast<long>(run.logits.size(0)), receipt);
      // bfloat16: one rounding of x to 8 bits. Writes that were cleaned leave one each, and the sum
      // may be small.
      Expect(is_float32_ ? worst <= 1e-5 : !stream || worst <= 1.0 / 256, "leftover");
    }
  }
}

void EditChecks::ReflectionAndTarget(const EditGolden& golden, const EditRun& plain) {
  for (const int times : {1, 2}) {
    EditRunOptions options;
    options.forced = plain.greedy;
    options.times = times;
    const EditRun run =
        Run(golden, Compile(golden, OpKind::kAblate, 2, EditTarget::kWrite, 2), options);
    double worst = 0;
    for (size_t site = 0; site < run.streams.size(); ++site) {
      worst = std::max(worst, Apart(run.streams[site], plain.streams[site]));
    }
    std::printf("reflection %d time(s): states differ from the plain pass by %.2e\n", times, worst);
    Expect(!is_float32_ || (times == 1 ? worst > 1e-3 : worst <= kTolerance), "reflection");
  }
  const double target = Norm(golden.Direction(0)) / 2;
  Basis unit;
  ExtendBasis(golden.Direction(0), &unit);
  const EditRun run =
      Run(golden, Compile(golden, OpKind::kSetProjection, target, EditTarget::kStream, 1), {});
  double worst = 0;
  for (const at::Tensor& stream : run.streams) {
    const at::Tensor x = stream.to(at::kFloat).contiguous();
    for (int64_t row = 0; row < x.size(0); ++row) {
      const absl::Span<const float> values(x.const_data_ptr<float>() + row * x.size(1),
                                           static_cast<size_t>(x.size(1)));
      double along = 0;
      for (size_t j = 0; j < values.size(); ++j) along += unit[0][j] * values[j];
      worst = std::max(worst, std::abs(along - target) / Norm(values));
    }
  }
  std::printf("affine edit to %.4g: |<x, r> - target| / |x| at most %.2e\n", target, worst);
  Expect(worst <= (is_float32_ ? 1e-5 : 1.0 / 256), "affine edit");
}

void EditChecks::Reach(const EditGolden& golden, const EditRun& plain) {
  const int sites = static_cast<int>(golden.shape().sites());
  const auto n = static_cast<int64_t>(golden.prompt().size());
  EditRunOptions options;
  options.forced = plain.greedy;
  size_t compared = 0, right = 0;
  // `first`: from which site on the token differs.
  const auto compare = [&](const EditRun& run, int64_t token, int first) {
    for (int site = 0; site < sites; ++site) {
      const auto s = static_cast<size_t>(site);
      const bool same =
          SameBits(run.streams[s].select(0, token), plain.streams[s].select(0, token));
      ++compared;
      right += same == (site < first) ? 1 : 0;
    }
  };
  for (const int site : {0, sites / 2, sites / 2 + 1, sites - 1}) {
    const auto run = [&](TokenScope scope) {
      return Run(golden, Compile(golden, OpKind::kAdd, 1, EditTarget::kStream, 1, {site}, scope),
                 options);
    };
    const int seen = std::min(sites, site + (site % 2 == 0 ? 1 : 2));
    const EditRun all = run(TokenScope::kAll), prompt = run(TokenScope::kPrompt),
                  generated = run(TokenScope::kGenerated);
    for (int64_t token : {int64_t{0}, n - 1, n, n + 3}) compare(all, token, site);
    for (int64_t token : {int64_t{0}, n - 1}) compare(prompt, token, site);
    compare(prompt, n, seen);
    for (int64_t token : {int64_t{0}, n - 1}) compare(generated, token, sites);
    compare(generated, n, site);
  }
  std::printf(
      "additions at 4 sites in 3 scopes: %zu of %zu states are equal to the bit before the "
      "edit and differ after it\n",
      right, compared);
  Expect(right == compared, "reach of an addition");
}

}  // namespace steer
