// What the subcommands print, for people and for programs, and what they do where nothing can be
// printed.
#include <cmath>
#include <filesystem>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/commands/exit_code.h"
#include "common/audit_chain.h"
#include "common/digest.h"
#include "common/json.h"
#include "gtest/gtest.h"
#include "tests/client/commands/edited_service.h"
#include "tests/client/commands/steerctl_process.h"
#include "tests/client/run/experiment_files.h"
#include "tests/support/loopback.h"
#include "tests/support/pushgateway.h"

namespace steer {
namespace {

class CommandOutput : public ::testing::Test {
 protected:
  void SetUp() override {
    WriteExperimentFiles(folder_.path());
    service_.Start();
  }
  ProcessResult Call(std::vector<std::string> arguments, const ProcessOptions& options = {}) {
    arguments.insert(arguments.end(), {"--server", service_.address(), "--patience", "0.5"});
    ProcessResult result = RunSteerctl(arguments, options);
    EXPECT_FALSE(absl::StrContains(result.out + result.err, kCanary));
    return result;
  }
  Json CallJson(std::vector<std::string> arguments) {
    arguments.push_back("--json");
    const ProcessResult result = Call(arguments);
    EXPECT_EQ(result.exit_code, kExitOk) << result.err;
    absl::StatusOr<Json> json = ParseJson(result.out);
    EXPECT_TRUE(json.ok()) << json.status() << result.out;
    return json.ok() ? *std::move(json) : Json();
  }
  std::string Fit(std::vector<std::string> more = {}) {
    std::vector<std::string> arguments = {"fit",      "--harmful", harmful(), "--harmless",
                                          harmless(), "--figure",  ""};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return CallJson(arguments)["set_id"].get<std::string>();
  }
  std::string harmful() const { return folder_ / "harmful.txt"; }
  std::string harmless() const { return folder_ / "harmless.txt"; }

  TemporaryFolder folder_;
  EditedService service_;
};

#define EXPECT_HAS(text, part) EXPECT_TRUE(absl::StrContains(text, part)) << part << "\n" << text

TEST_F(CommandOutput, NothingIsLostInSilenceWhereItCannotBePrinted) {
  const std::string set = Fit(), lock = folder_ / "lock.json", plan = folder_ / "plan.yaml";
  ASSERT_EQ(Call({"plan", "freeze", plan, "--output", lock}).exit_code, kExitOk);
  ASSERT_EQ(Call({"run", lock, "--output", folder_ / "run"}).exit_code, kExitOk);
  ASSERT_EQ(Call({"directions", "export", set, "--output", folder_ / "set"}).exit_code, kExitOk);
  std::string head = kAuditChainStart;
  WriteAll(folder_ / "audit", SealAuditLine(R"({"a":1})", &head) + "\n");
  const Answerer gateway("200 OK");
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
           {"plan", "check", plan},
           {"plan", "check", plan, "--json"},
           {"plan", "freeze", plan, "--output", lock},
           {"plan", "show", lock},
           {"plan", "splits", lock},
           {"directions", "list"},
           {"directions", "show", set},
           {"directions", "export", set, "--layer", "2", "--format", "json"},
           {"directions", "import", folder_ / "set"},
           {"model"},
           {"model", "--json"},
           {"doctor"},
           {"tokenize", "--prompt", "hello"},
           {"evaluate", "--prompts", harmful()},
           {"generate", "--prompt", "hello"},
           {"fit", "--harmful", harmful(), "--harmless", harmless(), "--figure", ""},
           {"token", "new", "--role", "run", "--name", "n", "--output", folder_ / "token"},
           {"audit", "verify", folder_ / "audit"},
           {"push", folder_ / "run", "--push-gateway", gateway.url()},
           {"report", folder_ / "run"},
           {"reproduce", folder_ / "run"},
           {"reproduce", folder_ / "run", "--json"},
           {"run", lock, "--output", folder_ / "run"},
       }) {
    SCOPED_TRACE(absl::StrJoin(words, " "));
    ProcessOptions full;
    full.before = "exec >/dev/full";
    const ProcessResult result = Call(words, full);
    EXPECT_EQ(result.exit_code, kExitDisk) << result.err;
    EXPECT_HAS(result.err, "steerctl: cannot write to standard output");
  }
}

TEST_F(CommandOutput, OfForgetToo) {
  if (!Pushgateway::Installed()) GTEST_SKIP() << "prometheus-pushgateway is not installed";
  const Pushgateway gateway;
  ASSERT_TRUE(gateway.up());
  const std::string lock = folder_ / "lock.json";
  ASSERT_EQ(Call({"plan", "freeze", folder_ / "plan.yaml", "--output", lock}).exit_code, kExitOk);
  ASSERT_EQ(Call({"run", lock, "--output", folder_ / "run"}).exit_code, kExitOk);
  ASSERT_EQ(Call({"push", folder_ / "run", "--push-gateway", gateway.url()}).exit_code, kExitOk);
  ProcessOptions full;
  full.before = "exec >/dev/full";
  EXPECT_EQ(Call({"forget", folder_ / "run", "--push-gateway", gateway.url()}, full).exit_code,
            kExitDisk);
  // It is gone all the same.
  const ProcessResult again = Call({"forget", folder_ / "run", "--push-gateway", gateway.url()});
  EXPECT_EQ(again.exit_code, kExitInput);
  EXPECT_HAS(again.err, "nothing of experiment fake-run to forget");
}

TEST_F(CommandOutput, NumbersThatJsonHasNotAreTheServersFault) {
  service_.edit_model = [](v1::GetModelResponse* model) {
    model->set_decode_steps_per_second(std::nan(""));
  };
  const ProcessResult result = Call({"model", "--json"});
  EXPECT_EQ(result.exit_code, kExitServer);
  EXPECT_HAS(result.err, "not finite");
  EXPECT_EQ(result.out, "");
}

TEST_F(CommandOutput, DirectionsAsText) {
  const std::string set = Fit({"--drop-states"});
  std::string out = Call({"directions", "list"}).out;
  EXPECT_HAS(out, "states");
  EXPECT_HAS(out, absl::StrCat(set.substr(0, 16), "  1970-01-01T00:00:00+00:00  40+40"));
  EXPECT_HAS(out, "  no ");
  out = Call({"directions", "show", set}).out;
  EXPECT_HAS(out, absl::StrCat("set ", set, "\ncontent ", Sha256Hex(set), "\n"));
  EXPECT_HAS(out, "difference-of-means-1, 40 harmful and 40 harmless prompts, 0 selected on");
  EXPECT_FALSE(absl::StrContains(out, "imported")) << out;
  EXPECT_FALSE(absl::StrContains(out, "cosine with")) << out;
  EXPECT_HAS(out, "    0        -1  no ");
  EXPECT_HAS(out, "    3        -1  yes ");
  out = Call({"directions", "show", set, "--layer", "3"}).out;
  EXPECT_HAS(out, ", norm 2.5, cosine with the fitted one 1.0000\n");
  out = Call({"directions", "show", set, "--layer", "3", "--control", "7/0"}).out;
  EXPECT_HAS(out, ", norm 2.5, cosine with the fitted one 0.1000\n");
  // Moved to where it was not fitted.
  const std::string file = folder_ / "set";
  ASSERT_EQ(Call({"directions", "export", set, "--without-states", "--output", file}).exit_code,
            kExitOk);
  service_.ForgetSets();
  EXPECT_EQ(CallJson({"directions", "import", file})["set_id"], set);
  EXPECT_HAS(Call({"directions", "show", set}).out, ", imported\n");
}

TEST_F(CommandOutput, EvaluateAsText) {
  const std::vector<std::string> plain = {"evaluate", "--prompts", harmful(), "--limit", "10"};
  std::string out = Call(plain).out;
  EXPECT_HAS(out, "refusal ");
  EXPECT_HAS(out, "/10, dose 0.0000\n");
  EXPECT_EQ(out.find("degenerate"), std::string::npos);
  EXPECT_EQ(out.find("log-odds"), std::string::npos);
  std::vector<std::string> more = plain;
  more.insert(more.end(), {"--quality", "--scores", "--system", "Be brief."});
  out = Call(more).out;
  EXPECT_HAS(out, "\ndegenerate 0/10\nmean refusal log-odds ");
  EXPECT_HAS(out, ", mean KL 0.00000\n");
  const v1::EvaluateRequest request = service_.evaluate_requests().back();
  ASSERT_EQ(request.prompts_size(), 10);
  EXPECT_EQ(request.prompts(0).system(), "Be brief.");
  const Json json = CallJson(more);
  EXPECT_EQ(json["degenerate"], 0);
  EXPECT_EQ(json["mean_kl"], 0);
  EXPECT_GT(json["mean_refusal_log_odds"].get<double>(), 0);
  EXPECT_FALSE(CallJson(plain).contains("degenerate"));
}

TEST_F(CommandOutput, AnEvaluationThatBreaksIsCountedOnce) {
  service_.behaviour.broken_streams = 1;
  service_.behaviour.break_after = 3;
  const Json json = CallJson({"evaluate", "--prompts", harmful(), "--limit", "10"});
  EXPECT_EQ(json["n"], 10);
  EXPECT_EQ(service_.evaluate_requests().size(), 2u);
}

TEST_F(CommandOutput, GenerateAsJson) {
  Json json = CallJson({"generate", "--prompt", "hello", "--temperature", "0.5", "--top-p", "0.9",
                        "--seed", "7", "--system", "Be brief."});
  EXPECT_EQ(json["text"], "slithy toves");
  EXPECT_EQ(json["text_withheld"], false);
  EXPECT_EQ(json["finish_reason"], "end of turn");
  EXPECT_EQ(json["generated_tokens"], 2);
  EXPECT_EQ(service_.generate_request().prompt().system(), "Be brief.");
  EXPECT_EQ(service_.generate_request().decoding().seed(), 7u);
  EXPECT_FLOAT_EQ(static_cast<float>(service_.generate_request().decoding().top_p()), 0.9f);
  // Greedy decoding draws nothing.
  json = CallJson({"generate", "--prompt", "hello", "--seed", "7", "--ablate", Fit() + ":3"});
  EXPECT_TRUE(json["text"].is_null());
  EXPECT_EQ(json["text_withheld"], true);
  EXPECT_EQ(service_.generate_request().decoding().seed(), 0u);
}

TEST_F(CommandOutput, GenerateSaysHowItEnded) {
  service_.generated.emplace();
  service_.generated->set_finish_reason(v1::FINISH_REASON_LENGTH);
  ProcessResult result = Call({"generate", "--prompt", "hello"});
  EXPECT_EQ(result.exit_code, kExitOk);
  EXPECT_EQ(result.out, "\n");
  EXPECT_HAS(result.err, "0 tokens, length, 0 edits");
  service_.generated->set_finish_reason(v1::FINISH_REASON_UNSPECIFIED);
  EXPECT_HAS(Call({"generate", "--prompt", "hello"}).err, "0 tokens, unknown, 0 edits");
  // Nothing but the last newline could not be written.
  ProcessOptions full;
  full.before = "exec >/dev/full";
  EXPECT_EQ(Call({"generate", "--prompt", "hello"}, full).exit_code, kExitDisk);
}

TEST_F(CommandOutput, TokenizeAsJson) {
  ProcessOptions input;
  input.input = "no newline";
  const ProcessResult result = Call({"tokenize", "--json", "--system", "Be brief."}, input);
  ASSERT_EQ(result.exit_code, kExitOk) << result.err;
  const Json json = *ParseJson(result.out);
  EXPECT_EQ(json["ids"][0], 1);
  EXPECT_EQ(json["pieces"][0], "<s>\n");
  EXPECT_EQ(json["ids"].size(), json["pieces"].size());
  EXPECT_TRUE(IsSha256Hex(json["prompt_hash"].get<std::string>()));
  EXPECT_EQ(service_.tokenize_request().prompts(0).user(), "no newline");
  EXPECT_EQ(service_.tokenize_request().prompts(0).system(), "Be brief.");
}

TEST_F(CommandOutput, ModelNotesTheRepetitionPenaltyOfTheCheckpoint) {
  EXPECT_FALSE(absl::StrContains(Call({"model"}).out, "repetition penalty"));
  service_.edit_model = [](v1::GetModelResponse* model) {
    model->set_suggested_repetition_penalty(1.05);
  };
  EXPECT_HAS(Call({"model"}).out, "repetition penalty of 1.05; it applies only where a plan");
  EXPECT_EQ(CallJson({"model"})["suggested_repetition_penalty"], 1.05);
}

TEST_F(CommandOutput, FitSaysWhichLayersSeparate) {
  const std::vector<std::string> fit = {"fit", "--harmful", harmful(), "--harmless", harmless()};
  // The widest gap is not the last layer's.
  service_.behaviour.edit_set = [](v1::DirectionSet* set) {
    for (v1::LayerReport& r : *set->mutable_reports()) {
      if (r.usable()) r.set_projection_gap(9 - r.layer());
    }
  };
  std::vector<std::string> png = fit;
  png.insert(png.end(), {"--figure", folder_ / "fit.png"});
  ProcessResult result = Call(png);
  EXPECT_EQ(result.exit_code, kExitOk) << result.err;
  EXPECT_HAS(result.out, "largest projection gap: layer 1, position -1 (gap 8, ");
  EXPECT_TRUE(absl::StartsWith(ReadAll(folder_ / "fit.png"), "\x89PNG"));
  service_.behaviour.edit_set = nullptr;
  service_.behaviour.unusable_layers = {0, 1, 2, 3, 4, 5};
  std::vector<std::string> svg = fit;
  svg.insert(svg.end(), {"--figure", folder_ / "fit.svg"});
  EXPECT_HAS(Call(svg).out, "\nno layer has a usable direction\n");
  // Nothing to draw.
  service_.behaviour.edit_set = [](v1::DirectionSet* set) { set->clear_reports(); };
  std::filesystem::remove(folder_ / "fit.svg");
  EXPECT_EQ(Call(svg).exit_code, kExitOk);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "fit.svg"));
}

TEST_F(CommandOutput, ATokenGoesToAFileOfItsName) {
  ProcessOptions there;
  there.before = absl::StrCat("cd ", folder_.path());
  const ProcessResult made = Call({"token", "new", "--role", "read", "--name", "reader"}, there);
  ASSERT_EQ(made.exit_code, kExitOk) << made.err;
  const std::string token = ReadAll(folder_ / "reader.token");
  EXPECT_TRUE(absl::StartsWith(token, "steer_"));
  EXPECT_FALSE(absl::StrContains(made.out + made.err, token.substr(0, 20)));
  EXPECT_EQ(made.out,
            absl::StrCat("read ", Sha256Hex(token.substr(0, token.find('\n'))), " reader\n"));
}

TEST_F(CommandOutput, AuditVerifySaysWhatTheChainIs) {
  const std::string file = folder_ / "audit";
  WriteAll(file, "");
  EXPECT_EQ(Call({"audit", "verify", file}).out.substr(0, 12), "ok: 0 lines\n");
  EXPECT_HAS(Call({"audit", "verify", file}).out, absl::StrCat("\nhead ", kAuditChainStart, "\n"));
  std::string head = kAuditChainStart;
  const std::string first = SealAuditLine(R"({"call":"a"})", &head) + "\n";
  const std::string kept = head;
  const std::string piece = R"({"call":"b)";
  const std::string rest =
      piece + "\n" + SealAuditLine(TornAuditObject(piece, "now"), &head) + "\n";
  WriteAll(file, first + rest);
  std::string out = Call({"audit", "verify", file, "--head", kept}).out;
  EXPECT_HAS(out, "ok: 2 lines, and 1 cut off by a crash that the server recorded\nhead ");
  EXPECT_HAS(out, head);
  // Without the file before it.
  WriteAll(file, rest);
  EXPECT_HAS(Call({"audit", "verify", file}).out,
             absl::StrCat("\ngoes on from an older file whose head is ", kept, "\n"));
  const Json json = CallJson({"audit", "verify", file});
  EXPECT_EQ(json["first"], kept);
  EXPECT_EQ(json["torn"], 1);
}

#undef EXPECT_HAS

}  // namespace
}  // namespace steer
