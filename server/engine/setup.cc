#include "server/engine/setup.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/errors.h"
#include "common/numeric_fingerprint.h"
#include "common/status_macros.h"
#include "server/engine/memory_plan.h"
#include "server/readout/readout.h"
#include "server/readout/scores.h"
#include "server/weights/checkpoint.h"

namespace steer {
namespace {

absl::Status CheckOptions(const EngineOptions& o) {
  ViolationList violations;
  auto at_least = [&](const char* flag, int64_t value, int64_t least) {
    if (value < least) violations.Add(flag, "is ", value, ", must be at least ", least);
  };
  if (o.device != "cpu" && o.device != "cuda")
    violations.Add("--device", "is \"", o.device, "\"; cpu and cuda are built");
  if (o.dtype != "float32" && o.dtype != "bfloat16" && o.dtype != "auto") {
    violations.Add("--dtype", "is \"", o.dtype, "\"; float32, bfloat16 and auto are built");
  }
  at_least("--threads", o.threads, 0);
  at_least("--decode-rows", o.decode_rows, 1);
  at_least("--prefill-tokens", o.prefill_tokens, 1);
  at_least("--max-context-tokens", o.max_context_tokens, 2);
  at_least("--kv-tokens", o.kv_tokens, 0);
  at_least("--max-new-tokens", o.max_new_tokens, 1);
  if (o.decode_rows > 4096)
    violations.Add("--decode-rows", "is ", o.decode_rows, ", must be at most 4096");
  if (o.prefill_tokens > 65536)
    violations.Add("--prefill-tokens", "is ", o.prefill_tokens, ", must be at most 65536");
  return violations.ToStatus();
}

// bfloat16 pays only where the processor multiplies it itself; elsewhere libtorch emulates it,
// slower than float32.
std::string AutoType(const std::string& device) {
  if (device == "cuda") return "bfloat16";
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512bf16")) return "bfloat16";
#endif
  return "float32";
}

void FillDefaults(const ModelConfig& config, EngineOptions* o) {
  o->max_context_tokens =
      static_cast<int32_t>(std::min<int64_t>(o->max_context_tokens, config.max_context));
  o->max_new_tokens = std::min(o->max_new_tokens, o->max_context_tokens - 1);
  if (o->kv_tokens == 0)
    o->kv_tokens = std::min<int64_t>(int64_t{o->decode_rows} * o->max_context_tokens, 65536);
  // One row always fits, and so does a whole prefill step.
  o->kv_tokens =
      std::max<int64_t>({o->kv_tokens, int64_t{o->max_context_tokens}, int64_t{o->prefill_tokens}});
}

// An arena that the server chose is made smaller where that is enough.
absl::Status Preflight(const ModelConfig& config, bool arena_is_ours, EngineOptions* o,
                       ModelFacts* facts) {
  const bool cuda = o->device == "cuda";
  const int64_t total = cuda ? o->device_memory : HostMemoryLimit();
  int64_t limit = total;
  std::string source = cuda ? "the device's memory" : "the memory of this machine or container";
  if (!o->memory_limit.empty()) {
    STEER_ASSIGN_OR_RETURN(limit, ParseMemoryLimit(o->memory_limit, total));
    source = "--memory-limit";
  }
  MemoryShape shape{.element_bytes = o->dtype == "bfloat16" ? 2 : 4,
                    .kv_tokens = o->kv_tokens,
                    .decode_rows = o->decode_rows,
                    .prefill_tokens = o->prefill_tokens,
                    .max_context_tokens = o->max_context_tokens,
                    .cuda = cuda};
  if (limit > 0) {
    const int64_t arena = LargestArena(config, shape, limit);
    const int64_t least = std::max<int64_t>(o->max_context_tokens, o->prefill_tokens);
    if (arena_is_ours && arena >= least) shape.kv_tokens = std::min(shape.kv_tokens, arena);
    STEER_RETURN_IF_ERROR(CheckFits(config, shape, limit, source));
    o->kv_tokens = shape.kv_tokens;
  }
  const MemoryPlan plan = PlanMemory(config, shape);
  facts->weights_bytes = plan.weights;
  facts->kv_arena_bytes = plan.kv_arena;
  facts->work_bytes = plan.work;
  facts->memory_limit_bytes = limit;
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<const Tokenizer>> LoadTokenizer(const std::string& folder) {
  auto tokenizer = Tokenizer::Load(folder);
  if (!absl::IsNotFound(tokenizer.status())) return tokenizer;
  // Checkpoints of before 2023 may have the slow tokenizer's files alone.
  return absl::NotFoundError(absl::StrCat(
      folder, " has no tokenizer.json; where it has the files of a slow tokenizer, transformers ",
      "writes one: AutoTokenizer.from_pretrained(OLD).save_pretrained(NEW)"));
}

std::vector<std::pair<std::string, std::string>> Facts(const EngineOptions& o,
                                                       const DecoderOptions& decoder) {
  auto facts = NumericFacts(decoder);
  facts.emplace_back("steer", STEER_VERSION);
  facts.emplace_back("compiler", __VERSION__);
  facts.emplace_back("decode_rows", absl::StrCat(o.decode_rows));
  facts.emplace_back("prefill_tokens", absl::StrCat(o.prefill_tokens));
  std::sort(facts.begin(), facts.end());
  return facts;
}

absl::Status Measure(Stepper& stepper, const EngineOptions& options, ModelFacts* facts) {
  for (bool prefill : {true, false}) {
    STEER_RETURN_IF_ERROR(stepper.WarmUp(prefill));
    if (!options.measure_rates) continue;
    absl::Time start = absl::Now();
    int steps = 0;
    do {
      STEER_RETURN_IF_ERROR(stepper.WarmUp(prefill));
      ++steps;
    } while (absl::Now() - start < absl::Milliseconds(100));
    double rate = steps / absl::ToDoubleSeconds(absl::Now() - start);
    (prefill ? facts->prefill_tokens_per_second : facts->decode_steps_per_second) =
        prefill ? rate * options.prefill_tokens : rate;
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<LoadedEngine> LoadEngine(EngineOptions options, EngineObserver* observer) {
  STEER_RETURN_IF_ERROR(CheckOptions(options));
  if (options.threads == 0)
    options.threads = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  at::set_num_threads(options.threads);
  if (options.dtype == "auto") options.dtype = AutoType(options.device);

  LoadedEngine engine;
  // Let go at the end: nothing that serves lies in its mapping.
  STEER_ASSIGN_OR_RETURN(const std::shared_ptr<const Checkpoint> checkpoint,
                         Checkpoint::Open(options.model_folder));
  STEER_ASSIGN_OR_RETURN(ModelConfig config, ParseModelConfig(checkpoint->config()));
  const bool arena_is_ours = options.kv_tokens == 0;
  FillDefaults(config, &options);
  STEER_RETURN_IF_ERROR(Preflight(config, arena_is_ours, &options, &engine.facts));
  STEER_ASSIGN_OR_RETURN(auto tokenizer, LoadTokenizer(options.model_folder));
  STEER_ASSIGN_OR_RETURN(auto chat_template, ChatTemplate::Load(options.model_folder));
  STEER_ASSIGN_OR_RETURN(GenerationDefaults defaults,
                         ReadGenerationDefaults(*checkpoint, config.vocabulary));
  DecoderOptions decoder_options{options.device, options.dtype, options.kv_tokens};
  STEER_ASSIGN_OR_RETURN(engine.decoder, Decoder::Load(*checkpoint, decoder_options));
  engine.frontend = std::make_unique<Frontend>(tokenizer, chat_template, config.vocabulary,
                                               options.max_context_tokens);
  // One Generate row of any length starts whatever fills the rest, where there is a rest.
  const int64_t reserved =
      options.kv_tokens >= 4 * options.max_context_tokens ? options.max_context_tokens : 0;
  engine.shape = {options.decode_rows, options.prefill_tokens, options.kv_tokens, reserved};
  engine.stepper = std::make_unique<Stepper>(engine.decoder.get(), engine.shape,
                                             options.device == "cpu", observer);
  engine.stepper->set_fault(options.step_fault);

  ModelFacts& facts = engine.facts;
  facts.name =
      options.model_name.empty()
          ? std::filesystem::path(options.model_folder).lexically_normal().filename().string()
          : options.model_name;
  if (facts.name.empty())
    facts.name = std::filesystem::path(options.model_folder)
                     .lexically_normal()
                     .parent_path()
                     .filename()
                     .string();
  facts.family = config.family;
  facts.device = options.device;
  facts.dtype = options.dtype;
  facts.layers = config.layers;
  facts.hidden = config.hidden;
  facts.vocabulary = config.vocabulary;
  facts.parameters = engine.decoder->parameters();
  facts.model_fingerprint = checkpoint->fingerprint();
  facts.numeric_facts = Facts(options, decoder_options);
  facts.numeric_fingerprint =
      NumericFingerprint({facts.numeric_facts.begin(), facts.numeric_facts.end()});
  facts.end_of_turn = defaults.end_of_turn;
  facts.suggested_repetition_penalty = defaults.repetition_penalty;
  facts.chat_template_digest = chat_template->digest();
  const auto post = FindReadout("post-1");  // one of this build
  STEER_ASSIGN_OR_RETURN(facts.refusal_token_ids,
                         RefusalTokenIds(*tokenizer, *chat_template, (*post)->phrases()));
  STEER_RETURN_IF_ERROR(Measure(*engine.stepper, options, &facts));
  engine.options = std::move(options);
  return engine;
}

}  // namespace steer
