#include "tests/server/engine/engine_fixture.h"

#include <stdlib.h>

#include <filesystem>
#include <numeric>

#include "absl/strings/str_split.h"
#include "common/files.h"
#include "server/planted/planted_model.h"

namespace steer {

EngineTest::Shared* EngineTest::shared_ = nullptr;

void EngineTest::SetUpTestSuite() {
  auto shared = std::make_unique<Shared>();
  std::string pattern = testing::TempDir() + "/steer_engine_XXXXXX";
  ASSERT_NE(mkdtemp(pattern.data()), nullptr);
  shared->folder = pattern;
  shared->model = pattern + "/model";
  auto files = planted::MakePlantedModel("default", 0);
  ASSERT_TRUE(files.ok()) << files.status();
  ASSERT_TRUE(planted::WritePlantedFolder(*files, shared->model, false).ok());
  shared->truth = *ReadJsonFile(shared->model + "/truth.json");
  std::vector<std::string> warnings;
  shared->store = *DirectionStore::Open(pattern + "/directions", &warnings);
  EngineOptions options;
  options.model_folder = shared->model;
  options.dtype = "float32";
  options.decode_rows = 8;
  options.prefill_tokens = 64;
  options.max_context_tokens = 256;
  options.measure_rates = false;
  auto engine = Engine::Create(options, shared->store.get(), nullptr);
  ASSERT_TRUE(engine.ok()) << engine.status();
  shared->engine = *std::move(engine);
  for (auto [name, prompts] :
       {std::pair("harmful", &shared->harmful), std::pair("harmless", &shared->harmless)}) {
    for (absl::string_view line :
         absl::StrSplit(files->at(std::string(name) + ".jsonl"), '\n', absl::SkipEmpty())) {
      auto prompt = shared->engine->Prepare((*ParseJson(line))["prompt"], absl::nullopt);
      ASSERT_TRUE(prompt.ok()) << prompt.status();
      prompts->push_back(*std::move(prompt));
    }
  }
  shared_ = shared.release();
  auto sink = std::make_shared<FitCollector>();
  ASSERT_TRUE(
      shared_->engine->Submit(MakeFit(0, kFit), std::make_shared<CallControl>(), sink).ok());
  sink->done.WaitForNotification();
  ASSERT_TRUE(sink->result.ok()) << sink->result.status();
  shared_->set_id = sink->result->stored.set->set_id;
}

void EngineTest::TearDownTestSuite() {
  if (shared_ == nullptr) return;
  shared_->engine.reset();
  shared_->store.reset();
  std::filesystem::remove_all(shared_->folder);
  delete shared_;
  shared_ = nullptr;
}

FitJob EngineTest::MakeFit(int begin, int count) {
  FitJob job;
  job.harmful.assign(harmful().begin() + begin, harmful().begin() + begin + count);
  job.harmless.assign(harmless().begin() + begin, harmless().begin() + begin + count);
  return job;
}

std::vector<PreparedPrompt> EngineTest::HeldOut(const std::vector<PreparedPrompt>& prompts,
                                                int count) {
  return {prompts.begin() + kFit, prompts.begin() + kFit + count};
}

DirectionRef EngineTest::Ref(int layer, int control_draw) {
  DirectionRef ref;
  ref.set_id = set_id();
  ref.layer = layer;
  if (control_draw >= 0)
    ref.control = Control{ControlFamily::kIsotropic, 7, static_cast<uint32_t>(control_draw)};
  return ref;
}

std::shared_ptr<const CompiledIntervention> EngineTest::Compile(const InterventionSpec& spec) {
  std::vector<DirectionStore::Lease> leases;
  auto compiled = engine().Compile(spec, "intervention", &leases);
  if (!compiled.ok()) {
    ADD_FAILURE() << compiled.status();
    return nullptr;
  }
  return *compiled;
}

std::shared_ptr<const CompiledIntervention> EngineTest::Ablate(int layer, int control_draw) {
  OpSpec op;
  op.kind = OpKind::kAblate;
  op.directions = {Ref(layer, control_draw)};
  return Compile({{op}});
}

std::shared_ptr<const CompiledIntervention> EngineTest::Add(int layer, int control_draw) {
  OpSpec op;
  op.kind = OpKind::kAdd;
  op.directions = {Ref(layer, control_draw)};
  return Compile({{op}});
}

EvaluateJob EngineTest::MakeEvaluate(
    std::vector<PreparedPrompt> prompts,
    std::vector<std::shared_ptr<const CompiledIntervention>> arms) {
  EvaluateJob job;
  std::vector<int> all(prompts.size());
  std::iota(all.begin(), all.end(), 0);
  job.prompts = std::move(prompts);
  for (auto& intervention : arms) job.arms.push_back({"arm", std::move(intervention), all});
  job.decode.max_new_tokens = 24;
  job.readout = *FindReadout("post-1");
  job.scores = true;
  job.refusal_token_ids = engine().facts().refusal_token_ids;
  return job;
}

std::shared_ptr<EvaluateCollector> EngineTest::Run(EvaluateJob job) {
  auto sink = std::make_shared<EvaluateCollector>();
  absl::Status submitted = engine().Submit(std::move(job), std::make_shared<CallControl>(), sink);
  if (!submitted.ok()) {
    ADD_FAILURE() << submitted;
    return sink;
  }
  sink->done.WaitForNotification();
  EXPECT_TRUE(sink->result.ok()) << sink->result.status();
  return sink;
}

}  // namespace steer
