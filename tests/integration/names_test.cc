// No name leads out of its folder: set ids, imported files, model names and revisions, files that a plan names and run folders, each with
// "..", absolute paths, NUL bytes, names of 100,000 bytes and links, against the real programs. Beside the folders lie files that such a
// name would reach; at the end they are as they were, and nothing is new.
#include <grpcpp/grpcpp.h>

#include <filesystem>
#include <map>

#include <gmock/gmock.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "client/api/channel.h"
#include "client/api/client.h"
#include "client/commands/exit_code.h"
#include "common/digest.h"
#include "common/files.h"
#include "server/weights/safetensors.h"
#include "tests/integration/scenario.h"
#include "tests/support/paths.h"

namespace steer {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class Names : public testing::Test {
 protected:
  static constexpr absl::Duration kSoon = absl::Minutes(1);
  // Names that are none, as a caller would send them: the set `id` and the bait, reached in other ways.
  std::vector<std::string> BadNames(const std::string& id) const {
    return {"..",
            "../bait",
            "../bait.safetensors",
            Path("bait"),
            "./" + id,
            "../directions/" + id,
            id + "/../" + id,
            id + ".safetensors",
            id + std::string("\0", 1),
            std::string("\0", 1) + id.substr(1),
            "../" + std::string(58, 'a') + "/..",
            std::string(64, '/'),
            std::string(64, '.'),
            std::string(100000, 'a'),
            std::string(33000, '.') + "/",
            "~",
            "%2e%2e%2fbait",
            "..\\bait"};
  }
  std::string Path(const std::string& name) const { return scenario_.Path(name); }

  void SetUp() override {
    fs::create_directory(Path("directions"));
    for (const char* name : {"bait", "bait.safetensors", "bait.selected", "bait.jsonl"}) {
      ASSERT_TRUE(WriteFileAtomically(Path(name), "{\"prompt\": \"untouched\"}\n").ok());
    }
  }
  // What lies outside of `folder`, with content.
  std::map<std::string, std::string> Outside(const std::string& folder) const {
    std::map<std::string, std::string> files;
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(scenario_.folder())) {
      const std::string path = entry.path().string();
      // Logs and outputs of the programs grow; they are named by the test alone.
      const bool own = absl::StartsWith(path, folder + "/") ||
                       absl::StartsWith(path, Path("ctl-")) ||
                       absl::StartsWith(path, Path("steerd.")) || path == Path("directions/.lock");
      if (entry.is_regular_file() && !own) files[path] = MustRead(path);
    }
    return files;
  }
  // A small set in the store; its id.
  std::string Fit() {
    const CommandResult fitted =
        scenario_.Ctl({"fit", "--harmful", scenario_.model() + "/harmful.jsonl", "--harmless",
                       scenario_.model() + "/harmless.jsonl", "--harmful-field", "prompt",
                       "--harmless-field", "prompt", "--limit", "4", "--figure", "", "--json"});
    EXPECT_EQ(fitted.end.exit_code, kExitOk) << fitted.err;
    const auto facts = ParseJson(fitted.out);
    EXPECT_TRUE(facts.ok()) << fitted.out;
    return facts.ok() ? facts->value("set_id", "") : "";
  }
  std::unique_ptr<Client> Connect() {
    ChannelOptions channel;
    channel.server = scenario_.address();
    return std::make_unique<Client>(*OpenChannel(channel), ClientOptions());
  }

  Scenario scenario_{"default"};
};

TEST_F(Names, SetIds) {
  ASSERT_TRUE(scenario_.StartServer()) << scenario_.server_log();
  const std::string id = Fit();
  ASSERT_TRUE(IsSha256Hex(id)) << id;
  const auto before = Outside(Path("directions"));
  auto client = Connect();
  const auto model = client->GetModel();
  ASSERT_TRUE(model.ok());
  for (const std::string& bad : BadNames(id)) {
    v1::GetDirectionRequest get;
    get.set_set_id(bad);
    v1::ExportDirectionRequest exported;
    exported.set_set_id(bad);
    v1::EvaluateRequest evaluate;
    evaluate.set_request_id(NewRequestId());
    evaluate.set_expected_model_fingerprint(model->model_fingerprint());
    evaluate.set_purpose(v1::PURPOSE_SELECT);
    evaluate.set_readout("post-1");
    evaluate.mutable_decoding()->set_max_new_tokens(2);
    evaluate.add_prompts()->set_user("Explain the bavorn");
    v1::Arm* arm = evaluate.add_arms();
    arm->set_name("ablate");
    arm->add_prompts(0);
    v1::DirectionRef* ref =
        arm->mutable_intervention()->add_ops()->mutable_ablate()->add_directions();
    ref->set_set_id(bad);
    ref->set_position(-1);
    ref->set_layer(1);
    v1::ListDirectionsRequest list;
    list.set_page_token(bad);
    const std::string shown = absl::StrCat(bad.substr(0, 70), " of ", bad.size(), " bytes");
    constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
    EXPECT_EQ(client->GetDirection(get).status().code(), kInvalid) << shown;
    EXPECT_EQ(client->ExportDirection(exported).status().code(), kInvalid) << shown;
    EXPECT_EQ(client->DeleteDirection(bad).code(), kInvalid) << shown;
    EXPECT_EQ(client->EvaluateCost(evaluate).status().code(), kInvalid) << shown;
    EXPECT_EQ(client->ListDirections(list).status().code(), kInvalid) << shown;
  }
  for (const char* command : {"show", "delete", "export"}) {
    const CommandResult said =
        scenario_.Ctl({"directions", command, "../bait", "--output", Path("stolen")});
    const CommandResult plain = scenario_.Ctl({"directions", command, "../bait"});
    EXPECT_NE(said.end.exit_code, kExitOk) << command;
    EXPECT_NE(plain.end.exit_code, kExitOk) << command;
  }
  EXPECT_EQ(Outside(Path("directions")), before);
  v1::GetDirectionRequest sound;
  sound.set_set_id(id);
  EXPECT_TRUE(client->GetDirection(sound).ok());
}

TEST_F(Names, ImportedFiles) {
  ASSERT_TRUE(scenario_.StartServer()) << scenario_.server_log();
  const std::string id = Fit();
  auto client = Connect();
  v1::ExportDirectionRequest request;
  request.set_set_id(id);
  const auto file = client->ExportDirection(request);
  ASSERT_TRUE(file.ok()) << file.status();
  ASSERT_TRUE(client->DeleteDirection(id).ok());
  ASSERT_TRUE(WriteFileAtomically(Path("sound.safetensors"), *file).ok());
  const auto whole = SafetensorsFile::Open(Path("sound.safetensors")).value();
  // The same set under another name, every digest made to fit.
  const auto renamed = [&](const std::string& name) {
    std::map<std::string, std::string> metadata = whole->metadata();
    Json facts = ParseJson(metadata.at("steer_direction_set")).value();
    facts["set_id"] = name;
    const std::string text = facts.dump(-1, ' ', false, Json::error_handler_t::replace);
    metadata["steer_direction_set"] = text;
    metadata["steer_direction_set_sha256"] = Sha256Hex(text);
    return SerializeSafetensors(whole->tensors(), metadata).value();
  };
  const auto before = Outside(Path("directions"));
  for (const std::string& bad : BadNames(id)) {
    const absl::Status status = client->ImportDirection(renamed(bad)).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument)
        << bad.substr(0, 70) << ": " << status;
  }
  EXPECT_EQ(Outside(Path("directions")), before);
  for (const fs::directory_entry& entry : fs::directory_iterator(Path("directions"))) {
    EXPECT_EQ(entry.path().filename(), ".lock");
  }
  // The forger's only mistake is the name.
  EXPECT_TRUE(client->ImportDirection(renamed(id)).ok());
}

TEST_F(Names, ModelsAndRevisions) {
  const std::string hub = Path("hub"), repo = hub + "/models--Org--Planted";
  const std::string commit = std::string(40, '1');
  fs::create_directories(repo + "/refs");
  fs::create_directories(repo + "/snapshots");
  // What must not be loaded: a whole checkpoint beside the cache.
  fs::copy(scenario_.model(), Path("elsewhere"), fs::copy_options::recursive);
  ASSERT_TRUE(WriteFileAtomically(repo + "/refs/main", commit).ok());
  fs::create_directory_symlink(Path("elsewhere"), repo + "/snapshots/" + commit);
  ASSERT_TRUE(WriteFileAtomically(repo + "/refs/up", "../../../elsewhere").ok());
  ASSERT_TRUE(WriteFileAtomically(repo + "/refs/root", Path("elsewhere")).ok());
  fs::copy(scenario_.model(), Path("shards"), fs::copy_options::recursive);
  fs::remove(Path("shards/model.safetensors"));
  const auto before = Outside(Path("hub"));
  const auto refused = [&](const std::vector<std::string>& flags) {
    std::vector<std::string> argv = {BuildPath("server/steerd"),  "--listen", "127.0.0.1:0",
                                     "--metrics-listen",          "",         "--store",
                                     scenario_.Path("directions")};
    argv.insert(argv.end(), flags.begin(), flags.end());
    const ProcessEnd end =
        Process(argv, {{"HF_HUB_CACHE", hub}}, Path("steerd.out"), Path("steerd.refused"))
            .Wait(kSoon);
    const std::string said = MustRead(Path("steerd.refused"));
    fs::remove(Path("steerd.refused"));
    EXPECT_FALSE(end.timed_out) << "it serves: " << flags.back();
    EXPECT_EQ(end.exit_code, 1) << said;
    return said;
  };
  EXPECT_THAT(refused({"--model", "Org/Planted"}), HasSubstr("outside of"));
  for (const char* model : {"../elsewhere/none", "Org/..", "../Planted", "Org/Planted/..x", "..a/b",
                            "Org//Planted", "/etc/none", "Org\\..\\Planted"}) {
    EXPECT_THAT(refused({"--model", model}), HasSubstr("there is no folder")) << model;
  }
  refused({"--model", std::string(100000, 'a')});
  refused({"--model", std::string(300, 'a') + "/" + std::string(300, 'b')});
  for (const std::string& revision :
       {std::string("../../../elsewhere"), std::string(".."), Path("elsewhere"), std::string("up"),
        std::string("root"), std::string("main/../main"), std::string(100000, 'r'),
        std::string("refs/../main")}) {
    const std::string said = refused({"--model", "Org/Planted", "--revision", revision});
    EXPECT_THAT(said, testing::AnyOf(HasSubstr("neither a branch or tag name nor a commit"),
                                     HasSubstr("which is no commit")))
        << revision.substr(0, 70);
  }
  for (const std::string& shard :
       {std::string("../elsewhere/model.safetensors"), Path("elsewhere/model.safetensors"),
        std::string("x\\u0000.safetensors"), std::string(100000, 's') + ".safetensors"}) {
    ASSERT_TRUE(
        WriteFileAtomically(Path("shards/model.safetensors.index.json"),
                            absl::StrCat("{\"weight_map\": {\"lm_head.weight\": \"", shard, "\"}}"))
            .ok());
    EXPECT_THAT(refused({"--model", Path("shards")}),
                HasSubstr("is not a plain .safetensors file name"));
  }
  fs::remove(Path("shards/model.safetensors.index.json"));
  EXPECT_EQ(Outside(Path("hub")), before);
}

TEST_F(Names, FilesThatAPlanNames) {
  const std::string plan = absl::StrCat(
      "version: 1\nname: NAME\nmodel: {name: m, dtype: float32}\ndata:\n",
      "  harmful: {file: FILE, format: jsonl, key: prompt}\n",
      "  harmless: {file: harmless.jsonl, format: jsonl, key: prompt}\n",
      "splits: {train: 4, validation: 2, test: 2}\nseeds: [0]\nreadout: {name: post-1}\n",
      "decoding: {max_new_tokens: 8}\ncontrols: {family: isotropic, seed: 7, draws: 1}\n",
      "rule: post-1\n");
  const auto check = [&](const std::string& name, const std::string& file) {
    const std::string path = Path("checked.yaml");
    EXPECT_TRUE(
        WriteFileAtomically(path, absl::StrReplaceAll(plan, {{"NAME", name}, {"FILE", file}}))
            .ok());
    return scenario_.Ctl({"plan", "check", path, "--offline", "--data-root", scenario_.model()});
  };
  const CommandResult sound = check("small", "harmful.jsonl");
  EXPECT_EQ(sound.end.exit_code, kExitOk) << sound.err;
  fs::copy(scenario_.model() + "/harmful.jsonl", Path("outside.jsonl"));
  scenario_.MayHoldText("outside.jsonl");
  const std::string up = absl::StrCat("../", fs::path(scenario_.folder()).filename().string(),
                                      "/../../../../../../../../", Path("outside.jsonl"));
  for (const std::string& file :
       {up, std::string("../x/harmful.jsonl"), Path("outside.jsonl"),
        std::string("a/../../harmful.jsonl"), std::string(".."),
        std::string("\"harmful.jsonl\\0.x\""), std::string(100000, 'a')}) {
    const CommandResult refused = check("small", file);
    EXPECT_EQ(refused.end.exit_code, kExitInput) << file.substr(0, 70) << refused.err;
  }
  for (const std::string& name :
       {std::string("../small"), std::string("/tmp/small"), std::string(".."),
        std::string(1000, 'n'), std::string("\"a\\0b\"")}) {
    const CommandResult refused = check(name, "harmful.jsonl");
    EXPECT_EQ(refused.end.exit_code, kExitInput) << name.substr(0, 70) << refused.err;
  }
}

// The default folder of a run takes its name from the lock, and what lies in a run folder may have come with it from elsewhere.
TEST_F(Names, RunFolders) {
  ASSERT_TRUE(scenario_.StartServer()) << scenario_.server_log();
  const std::string path = scenario_.FreezeSmallPlan("small", 4, 2, 2);
  ASSERT_NE(path, "");
  // A lock whose name leads away, its digest made to fit.
  Json lock = ParseJson(MustRead(path)).value();
  lock["content"]["plan"]["name"] = "../../away";
  lock["digest"] = Sha256Hex(lock["content"].dump());
  ASSERT_TRUE(WriteFileAtomically(Path("away.lock"), lock.dump() + "\n").ok());
  const CommandResult away =
      scenario_.Ctl({"run", Path("away.lock"), "--data-root", scenario_.model()});
  EXPECT_EQ(away.end.exit_code, kExitInput) << away.err;
  EXPECT_THAT(away.err, HasSubstr("name"));
  EXPECT_FALSE(fs::exists("runs"));

  const CommandResult longer =
      scenario_.Ctl(scenario_.RunArguments(path, Path(std::string(5000, 'o'))));
  EXPECT_EQ(longer.end.exit_code, kExitDisk) << longer.err;

  // Links in the folder, to files that would be emptied, cut or written.
  ASSERT_EQ(scenario_.Ctl(scenario_.RunArguments(path, Path("sound"))).end.exit_code, kExitOk);
  for (const char* name : {".writer", "cells.jsonl"}) {
    const std::string folder = Path(absl::StrCat("linked", name));
    fs::copy(Path("sound"), folder, fs::copy_options::recursive);
    const std::string target = Path("bait") + name;
    fs::rename(folder + "/" + name, target);
    ASSERT_TRUE(WriteFileAtomically(target, MustRead(target) + "torn").ok());
    fs::create_symlink(target, folder + "/" + name);
    const auto before = Outside(folder);
    const CommandResult run = scenario_.Ctl(scenario_.RunArguments(path, folder));
    EXPECT_EQ(run.end.exit_code, kExitDisk) << name << run.err;
    EXPECT_EQ(Outside(folder), before) << name;
  }
  // Outputs take the place of a link; what it led to stays.
  for (const char* name : {"summary.json", "verdict.json", "report.html", "run.json"}) {
    fs::remove(Path("sound/") + name);
    fs::create_symlink(Path("bait.jsonl"), Path("sound/") + name);
  }
  const auto before = Outside(Path("sound"));
  const CommandResult again = scenario_.Ctl(scenario_.RunArguments(path, Path("sound")));
  EXPECT_EQ(again.end.exit_code, kExitOk) << again.err;
  EXPECT_EQ(Outside(Path("sound")), before);
  EXPECT_FALSE(fs::is_symlink(Path("sound/summary.json")));
}

}  // namespace
}  // namespace steer
