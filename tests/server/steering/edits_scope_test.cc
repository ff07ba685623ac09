// What an edit reaches and what it does not, to the bit: sites before it, tokens before it, and how
// later tokens come to see it.
#include "tests/server/steering/edits_fixture.h"

namespace steer {
namespace {

class EditsScope : public EditsOfCheckpoint {
 protected:
  // The first site at which a later, unedited token sees an edit of the stream at `site`: the write
  // of the next attention, which reads keys and values at its block's input. `sites()` if none is
  // left.
  int FirstSeen(int site) const { return std::min(sites(), site + (site % 2 == 0 ? 1 : 2)); }

  OpSpec AddAt(int site, EditTarget target, TokenScope scope = TokenScope::kAll, int last = 0) {
    OpSpec op = Op(OpKind::kAdd, 0.5, target, 2);
    op.sites = {site};
    op.scope = scope;
    op.last_prompt_tokens = last;
    return op;
  }

  // Sites at which token `token` of two runs differs.
  std::vector<int> Differing(const std::vector<at::Tensor>& a, const std::vector<at::Tensor>& b,
                             int64_t token) const {
    std::vector<int> differing;
    for (int site = 0; site < sites(); ++site) {
      const auto s = static_cast<size_t>(site);
      if (!SameBits(a[s].select(0, token), b[s].select(0, token))) differing.push_back(site);
    }
    return differing;
  }
  std::vector<int> From(int first) const {
    std::vector<int> all = AllSites();
    return {all.begin() + first, all.end()};
  }
};
INSTANTIATE_TEST_SUITE_P(Checkpoints, EditsScope, testing::ValuesIn(kEditCheckpoints),
                         [](const auto& info) { return std::string(info.param); });

TEST_P(EditsScope, AnAdditionChangesOnlyLaterSites) {
  const std::unique_ptr<Decoder> decoder = Load();
  const EditRun plain = RunEdited(*decoder, {}, prompt_);
  EditRunOptions options;
  options.forced = plain.greedy;
  for (EditTarget target : {EditTarget::kStream, EditTarget::kWrite}) {
    for (int site = 0; site < sites(); ++site) {
      const EditRun run = RunEdited(*decoder, Compile({AddAt(site, target)}), prompt_, options);
      for (int64_t token = 0; token < run.logits.size(0); ++token) {
        EXPECT_EQ(Differing(run.streams, plain.streams, token), From(site)) << "token " << token;
      }
    }
  }
}

// One token of the prompt is edited at one site. Tokens before it keep every bit; those after it
// change through attention only.
TEST_P(EditsScope, AnEditedTokenReachesLaterOnesThroughAttentionOnly) {
  constexpr int64_t kToken = 4;
  const std::unique_ptr<Decoder> decoder = Load();
  const StepRow row{0, 0, 0, static_cast<int32_t>(prompt_.size())};
  const auto run = [&](const EditEntry* entry) {
    std::vector<const EditEntry*> entries(prompt_.size(), nullptr);
    entries[kToken] = entry;
    EntriesHook hook(std::move(entries));
    decoder->Forward({prompt_, absl::MakeConstSpan(&row, 1)}, &hook);
    return hook.streams;
  };
  const std::vector<at::Tensor> plain = run(nullptr);
  for (EditTarget target : {EditTarget::kStream, EditTarget::kWrite}) {
    for (int site = 0; site < sites(); ++site) {
      const CompiledIntervention added = Compile({AddAt(site, target)});
      const std::vector<at::Tensor> edited = run(added.EntryFor(kToken, row.tokens));
      for (int64_t token = 0; token < kToken; ++token) {
        EXPECT_EQ(Differing(edited, plain, token), std::vector<int>{});
      }
      EXPECT_EQ(Differing(edited, plain, kToken), From(site));
      EXPECT_EQ(Differing(edited, plain, kToken + 1), From(FirstSeen(site)));
    }
  }
}

TEST_P(EditsScope, ScopesByPositionHoldAtPrefillAndDecodeHoweverThePromptIsCut) {
  const std::unique_ptr<Decoder> decoder = Load();
  const auto n = static_cast<int64_t>(prompt_.size());
  for (const int32_t piece : {0, 3}) {
    EditRunOptions options;
    options.piece = piece;
    const EditRun plain = RunEdited(*decoder, {}, prompt_, options);
    options.forced = plain.greedy;
    for (int site = 0; site < sites(); ++site) {
      const auto run = [&](TokenScope scope, int last) {
        return RunEdited(*decoder, Compile({AddAt(site, EditTarget::kStream, scope, last)}),
                         prompt_, options);
      };
      const EditRun prompt = run(TokenScope::kPrompt, 0),
                    generated = run(TokenScope::kGenerated, 0),
                    last = run(TokenScope::kLastPromptAndGenerated, 3),
                    beyond = run(TokenScope::kLastPromptAndGenerated, 99),
                    all = run(TokenScope::kAll, 0);
      for (int64_t token = 0; token < plain.logits.size(0); ++token) {
        EXPECT_EQ(prompt.tallies[token].edits, token < n ? 1 : 0);
        EXPECT_EQ(generated.tallies[token].edits, token < n ? 0 : 1);
        EXPECT_EQ(last.tallies[token].edits, token < n - 3 ? 0 : 1);
        EXPECT_EQ(Differing(beyond.streams, all.streams, token), std::vector<int>{});
      }
      EXPECT_EQ(Differing(prompt.streams, plain.streams, 0), From(site));
      EXPECT_EQ(Differing(prompt.streams, plain.streams, n - 1), From(site));
      EXPECT_EQ(Differing(prompt.streams, plain.streams, n), From(FirstSeen(site)));
      EXPECT_EQ(Differing(generated.streams, plain.streams, n - 1), std::vector<int>{});
      EXPECT_EQ(Differing(generated.streams, plain.streams, n), From(site));
      EXPECT_EQ(Differing(last.streams, plain.streams, n - 4), std::vector<int>{});
      EXPECT_EQ(Differing(last.streams, plain.streams, n - 3), From(site));
    }
  }
}

}  // namespace
}  // namespace steer
