// What steerctl shows while it runs: one line that renews itself on a terminal, plain lines
// elsewhere, and never a prompt.
#include <gmock/gmock.h>

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "common/json.h"
#include "tests/integration/scenario.h"
#include "tests/integration/terminal.h"
#include "tests/support/paths.h"

namespace steer {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

constexpr char kRenewed[] = "\r\033[K";
constexpr char kBold[] = "\033[1m";

class ProgressShown : public testing::Test {
 protected:
  // A slow server, so that a run lasts some seconds.
  void SetUp() override {
    ASSERT_TRUE(scenario_.StartServer({}, {"--threads", "1", "--decode-rows", "4"}))
        << scenario_.server_log();
    lock_ = scenario_.FreezeSmallPlan("shown", 12, 6, 8);
    ASSERT_FALSE(lock_.empty());
  }

  std::vector<std::string> Arguments(const std::string& output) {
    std::vector<std::string> argv = {BuildPath("client/steerctl"), "--server", scenario_.address()};
    for (std::string& a : scenario_.RunArguments(lock_, scenario_.Path(output))) {
      argv.push_back(std::move(a));
    }
    return argv;
  }

  TerminalResult OnTerminal(const std::string& output, const Environment& environment = {},
                            int columns = 100) {
    TerminalResult result = RunOnTerminal(Arguments(output), environment, columns);
    EXPECT_EQ(result.exit_code, 0) << result.shown;
    ExpectNoPrompt(result.shown);
    return result;
  }

  // No prompt of either class, nor a long piece of one.
  void ExpectNoPrompt(const std::string& shown) {
    int prompts = 0;
    for (const char* file : {"/harmful.jsonl", "/harmless.jsonl"}) {
      const std::string text = MustRead(scenario_.model() + file);
      for (absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
        const std::string prompt = ParseJson(line).value()["prompt"].get<std::string>();
        ASSERT_GE(prompt.size(), 16u);
        EXPECT_EQ(shown.find(prompt.substr(0, 16)), std::string::npos) << prompt;
        ++prompts;
      }
    }
    EXPECT_GE(prompts, 500);
  }

  // The texts that the renewed line had, in order.
  static std::vector<std::string> Renewals(const std::string& shown) {
    std::vector<std::string> texts = absl::StrSplit(shown, kRenewed);
    texts.erase(texts.begin());
    // A text that ends its line is a message that stays, after the renewed line was wiped.
    std::erase_if(texts,
                  [](const std::string& t) { return t.empty() || absl::StrContains(t, "\n"); });
    return texts;
  }

  Scenario scenario_{"default"};
  std::string lock_;
};

class ProgressOnTerminal : public ProgressShown {
 protected:
  void SetUp() override {
    if (!HaveTerminals()) GTEST_SKIP() << "no pseudo-terminals here (is /dev/pts mounted?)";
    ProgressShown::SetUp();
  }
};

TEST_F(ProgressOnTerminal, ATerminalSeesOneLineThatRenewsItself) {
  const TerminalResult run = OnTerminal("wide");
  const std::vector<std::string> renewals = Renewals(run.shown);
  ASSERT_GE(renewals.size(), 8u) << run.shown;
  for (const std::string& text : renewals) {
    EXPECT_THAT(text, ContainsRegex("^seed 0 [a-z]+: [0-9]+/[0-9]+ cells")) << text;
    EXPECT_LT(text.size(), 100u);
  }
  // Time left is said once there is a pace, and the count only grows.
  EXPECT_TRUE(std::any_of(renewals.begin(), renewals.end(), [](const std::string& text) {
    return absl::StrContains(text, ", about ") && absl::EndsWith(text, " left");
  })) << run.shown;
  EXPECT_THAT(run.shown, HasSubstr(kBold));
  // No other control sequences than these.
  for (size_t at = run.shown.find('\033'); at != std::string::npos;
       at = run.shown.find('\033', at + 1)) {
    const std::string sequence = run.shown.substr(at + 1, 3);
    EXPECT_TRUE(absl::StartsWith(sequence, "[K") || sequence == "[1m" || sequence == "[0m")
        << sequence;
  }
  EXPECT_THAT(run.shown, HasSubstr("verdict: "));
}

TEST_F(ProgressOnTerminal, ANarrowTerminalDoesNotWrap) {
  const TerminalResult run = OnTerminal("narrow", {}, 40);
  const std::vector<std::string> renewals = Renewals(run.shown);
  ASSERT_GE(renewals.size(), 8u);
  for (const std::string& text : renewals) {
    // A character in the last column makes some terminals wrap.
    EXPECT_LT(text.size(), 40u) << text;
    EXPECT_THAT(text, ContainsRegex("^seed 0 [a-z]+: [0-9]+/[0-9]+ cells")) << text;
  }
}

TEST_F(ProgressOnTerminal, NoColourKeepsTheRenewedLineAndDropsTheBold) {
  const TerminalResult run = OnTerminal("plain", {{"NO_COLOR", "1"}});
  EXPECT_GE(Renewals(run.shown).size(), 8u);
  EXPECT_THAT(run.shown, Not(HasSubstr(kBold)));
}

TEST_F(ProgressOnTerminal, ADumbTerminalSeesPlainLines) {
  const TerminalResult run = OnTerminal("dumb", {{"TERM", "dumb"}, {"NO_COLOR", "1"}});
  EXPECT_EQ(run.shown.find('\033'), std::string::npos) << run.shown;
  // The terminal itself makes \r\n of \n; no other \r is there.
  for (size_t at = run.shown.find('\r'); at != std::string::npos;
       at = run.shown.find('\r', at + 1)) {
    EXPECT_EQ(run.shown[at + 1], '\n');
  }
  EXPECT_THAT(run.shown, ContainsRegex("seed 0 test [a-z/-]+: [0-9]+/8 refuse"));
}

TEST_F(ProgressShown, FilesGetPlainLines) {
  const CommandResult run = scenario_.Ctl(scenario_.RunArguments(lock_, scenario_.Path("file")));
  EXPECT_EQ(run.end.exit_code, 0) << run.err;
  EXPECT_EQ((run.err + run.out).find_first_of("\r\033"), std::string::npos) << run.err;
  EXPECT_THAT(run.err, ContainsRegex("seed 0 test [a-z/-]+: [0-9]+/8 refuse"));
  ExpectNoPrompt(run.err + run.out);
  // Progress is on standard error; what is for programs or eyes alone is on standard output.
  EXPECT_EQ(run.out.find("cells to do"), std::string::npos);
  const CommandResult quiet =
      scenario_.Ctl({"--quiet", "run", lock_, "--data-root", scenario_.model(), "--output",
                     scenario_.Path("quiet")});
  EXPECT_EQ(quiet.end.exit_code, 0);
  EXPECT_EQ(quiet.err, "");
}

}  // namespace
}  // namespace steer
