// One measurement for telemetry_cost.py: tokens a second of Evaluate calls, with metrics, audit log
// and receipts (telemetry_full), or without any of the three (telemetry_bare: no observer, no log,
// and an edit kernel that counts edits and computes neither dose nor residual).
//   telemetry_full [--model FOLDER] [--calls N] [--prompts N]
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/synchronization/notification.h"
#include "common/files.h"
#include "common/json.h"
#include "common/status_macros.h"
#include "server/engine/engine.h"
#include "server/planted/planted_model.h"
#include "server/telemetry/audit_log.h"
#include "server/telemetry/metrics.h"

namespace steer {
namespace {

#ifdef STEER_BARE
constexpr bool kFull = false;
#else
constexpr bool kFull = true;
#endif
constexpr int kFit = 32;

struct Options {
  std::string model;
  int calls = 4, prompts = 48;
};

struct FitEnd : FitSink {
  void OnProgress(int64_t, int64_t) override {}
  void OnDone(absl::StatusOr<FitResult> r) override {
    result = std::move(r);
    done.Notify();
  }
  absl::StatusOr<FitResult> result = absl::UnknownError("not done");
  absl::Notification done;
};
struct EvaluateEnd : EvaluateSink {
  void OnProgress(int64_t, int64_t) override {}
  void OnOutcome(const RowOutcome&) override {}
  void OnArmDone(int, const ReceiptCounts&) override {}
  void OnDone(absl::StatusOr<ReceiptCounts> r) override {
    result = std::move(r);
    done.Notify();
  }
  absl::StatusOr<ReceiptCounts> result = absl::UnknownError("not done");
  absl::Notification done;
};

class Bench {
 public:
  explicit Bench(Options options) : options_(std::move(options)) {
    std::string pattern = (std::filesystem::temp_directory_path() / "steer_bench_XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
  }
  ~Bench() {
    engine_.reset();
    job_.leases.clear();
    store_.reset();
    std::filesystem::remove_all(folder_);
  }

  // Tokens a second.
  absl::StatusOr<double> Run() {
    STEER_RETURN_IF_ERROR(Prepare());
    STEER_RETURN_IF_ERROR(Call().status());  // warms up
    int64_t tokens = 0;
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < options_.calls; ++i) {
      STEER_ASSIGN_OR_RETURN(const int64_t more, Call());
      tokens += more;
    }
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    return static_cast<double>(tokens) / took.count();
  }

 private:
  absl::Status Prepare() {
    STEER_ASSIGN_OR_RETURN(const auto files, planted::MakePlantedModel("default", 0));
    if (options_.model.empty()) {
      options_.model = folder_ + "/model";
      STEER_RETURN_IF_ERROR(planted::WritePlantedFolder(files, options_.model, false).status());
    }
    std::vector<std::string> warnings;
    STEER_ASSIGN_OR_RETURN(store_, DirectionStore::Open(folder_ + "/directions", &warnings));
    if (kFull) {
      metrics_ = std::make_unique<Metrics>("steer.v1.SteerService", kMethods, BuildWords{"bench"});
      STEER_ASSIGN_OR_RETURN(audit_, AuditLog::Open(folder_ + "/audit.jsonl"));
    }
    EngineOptions options;
    options.model_folder = options_.model;
    options.dtype = "float32";
    options.measure_rates = false;
    STEER_ASSIGN_OR_RETURN(engine_, Engine::Create(options, store_.get(), metrics_.get()));
    FitJob fit;
    STEER_RETURN_IF_ERROR(Read(files, "harmful.jsonl", &fit.harmful));
    STEER_RETURN_IF_ERROR(Read(files, "harmless.jsonl", &fit.harmless));
    auto sink = std::make_shared<FitEnd>();
    STEER_RETURN_IF_ERROR(engine_->Submit(std::move(fit), std::make_shared<CallControl>(), sink));
    sink->done.WaitForNotification();
    STEER_RETURN_IF_ERROR(sink->result.status());
    return MakeJob(sink->result->stored.set->set_id);
  }

  // The first kFit prompts; those that follow go to the evaluation.
  template <typename Files>
  absl::Status Read(const Files& files, const std::string& name,
                    std::vector<PreparedPrompt>* prompts) {
    for (absl::string_view line : absl::StrSplit(files.at(name), '\n', absl::SkipEmpty())) {
      STEER_ASSIGN_OR_RETURN(const Json json, ParseJson(line));
      STEER_ASSIGN_OR_RETURN(auto prompt, engine_->Prepare(json["prompt"], absl::nullopt));
      const bool fit = prompts->size() < kFit;
      if (!fit && static_cast<int>(job_.prompts.size()) >= options_.prompts) break;
      (fit ? *prompts : job_.prompts).push_back(std::move(prompt));
    }
    return absl::OkStatus();
  }

  // The post's arms: nothing, ablated everywhere, added at one layer, each with controls.
  absl::Status MakeJob(const std::string& set_id) {
    for (int arm = 0; arm < 7; ++arm) {
      EvaluateArm a;
      for (size_t i = 0; i < job_.prompts.size(); ++i) a.prompts.push_back(static_cast<int>(i));
      if (arm > 0) {
        OpSpec op;
        op.kind = arm % 2 == 1 ? OpKind::kAblate : OpKind::kAdd;
        DirectionRef ref;
        ref.set_id = set_id;
        ref.layer = static_cast<int>(engine_->facts().layers / 2);
        if (arm > 2)
          ref.control = Control{ControlFamily::kIsotropic, 7, static_cast<uint32_t>(arm)};
        op.directions.push_back(ref);
        STEER_ASSIGN_OR_RETURN(a.intervention, engine_->Compile({{op}}, "arm", &job_.leases));
      }
      job_.arms.push_back(std::move(a));
    }
    STEER_ASSIGN_OR_RETURN(job_.readout, FindReadout("post-1"));
    job_.decode.max_new_tokens = 24;
    job_.decode_full_window = true;
    job_.scores = true;
    job_.refusal_token_ids = engine_->facts().refusal_token_ids;
    return absl::OkStatus();
  }

  absl::StatusOr<int64_t> Call() {
    const absl::Time start = absl::Now();
    if (metrics_ != nullptr) metrics_->CallStarted("Evaluate");
    EvaluateJob job;
    job.prompts = job_.prompts;
    job.arms = job_.arms;
    job.decode = job_.decode;
    job.readout = job_.readout;
    job.decode_full_window = job_.decode_full_window;
    job.scores = job_.scores;
    job.refusal_token_ids = job_.refusal_token_ids;
    auto sink = std::make_shared<EvaluateEnd>();
    STEER_RETURN_IF_ERROR(engine_->Submit(std::move(job), std::make_shared<CallControl>(), sink));
    sink->done.WaitForNotification();
    STEER_RETURN_IF_ERROR(sink->result.status());
    if (metrics_ != nullptr) {
      metrics_->CallHandled("Evaluate", absl::StatusCode::kOk, absl::Now() - start);
      AuditRecord record;
      record.time = start;
      record.method = "Evaluate";
      record.code = "OK";
      record.counts["rows"] = sink->result->rows;
      audit_->Write(record);
    }
    return sink->result->tokens;
  }

  static constexpr MethodName kMethods[] = {{"Evaluate", CallKind::kServerStream}};
  Options options_;
  std::string folder_;
  std::unique_ptr<DirectionStore> store_;
  std::unique_ptr<Metrics> metrics_;
  std::unique_ptr<AuditLog> audit_;
  std::unique_ptr<Engine> engine_;
  EvaluateJob job_;
};

int Main(int argc, char** argv) {
  Options options;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string flag = argv[i];
    bool known = flag == "--model";
    if (known) options.model = argv[i + 1];
    if (flag == "--calls") known = absl::SimpleAtoi(argv[i + 1], &options.calls);
    if (flag == "--prompts") known = absl::SimpleAtoi(argv[i + 1], &options.prompts);
    if (!known) {
      std::fprintf(stderr, "%s: bad flag %s\n", argv[0], argv[i]);
      return 2;
    }
  }
  const absl::StatusOr<double> rate = Bench(options).Run();
  if (!rate.ok()) {
    std::fprintf(stderr, "%s: %s\n", argv[0], std::string(rate.status().message()).c_str());
    return 1;
  }
  std::printf("%.3f\n", *rate);
  return 0;
}

}  // namespace
}  // namespace steer

int main(int argc, char** argv) { return steer::Main(argc, argv); }
