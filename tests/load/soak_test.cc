// Very many calls of all kinds, well-formed and not, cut off and not, from several callers: every one ends as its kind must, the same
// question has the same answer throughout, the server is ready all the time, and at the end it holds no more memory, descriptors or
// threads than when it had warmed up. STEER_SOAK_REQUESTS (1000 here, 100,000 in the tier "soak"), STEER_SOAK_SEED.
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <deque>
#include <map>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include <gmock/gmock.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "client/api/channel.h"
#include "client/api/client.h"
#include "common/errors.h"
#include "steer/v1/steer_service.grpc.pb.h"
#include "tests/integration/scenario.h"
#include "tests/load/watch.h"

namespace steer {
namespace {

constexpr int kCallers = 4;
constexpr int kMaxSets = 40;

struct Outcomes : OutcomeSink {
  absl::Status OnOutcome(const v1::Outcome& outcome) override {
    absl::StrAppend(&digests, outcome.token_digest(), outcome.refused(), " ");
    return absl::OkStatus();
  }
  absl::Status OnArm(const v1::ArmResult&) override { return absl::OkStatus(); }
  std::string digests;
};

// What the callers share.
class Ledger {
 public:
  void Count(const std::string& kind) {
    absl::MutexLock lock(&mutex_);
    ++kinds_[kind];
  }
  void Wrong(const std::string& what) {
    absl::MutexLock lock(&mutex_);
    if (wrong_.size() < 20) wrong_.push_back(what);
  }
  // The first answer to a question is the one that all later ones must equal.
  void Answer(int question, const std::string& answer) {
    absl::MutexLock lock(&mutex_);
    const auto [first, is_new] = answers_.emplace(question, answer);
    if (!is_new && first->second != answer && wrong_.size() < 20)
      wrong_.push_back(absl::StrCat("question ", question, " has another answer"));
  }
  // A set of one's own comes out as the oldest once there are many, to be deleted.
  std::string Put(const std::string& set_id) {
    absl::MutexLock lock(&mutex_);
    sets_.push_back(set_id);
    if (sets_.size() <= kMaxSets) return "";
    const std::string oldest = sets_.front();
    sets_.pop_front();
    return oldest;
  }
  std::map<std::string, int64_t> kinds() const {
    absl::MutexLock lock(&mutex_);
    return kinds_;
  }
  std::vector<std::string> wrong() const {
    absl::MutexLock lock(&mutex_);
    return wrong_;
  }

 private:
  mutable absl::Mutex mutex_;
  std::map<std::string, int64_t> kinds_ ABSL_GUARDED_BY(mutex_);
  std::map<int, std::string> answers_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> wrong_ ABSL_GUARDED_BY(mutex_);
  std::deque<std::string> sets_ ABSL_GUARDED_BY(mutex_);
};

class Caller {
 public:
  Caller(const std::string& server, const v1::GetModelResponse& model, uint64_t seed,
         Ledger* ledger)
      : model_(model), random_(seed), ledger_(*ledger) {
    ChannelOptions channel;
    channel.server = server;
    ClientOptions options;
    options.patience = absl::Minutes(2);
    client_ = std::make_unique<Client>(*OpenChannel(channel), options);
    stub_ = v1::SteerService::NewStub(*OpenChannel(channel));
  }

  void One() {
    const int kind = Draw(100);
    if (kind < 20) {
      Expect("GetModel", client_->GetModel().status(), absl::StatusCode::kOk);
    } else if (kind < 45) {
      v1::TokenizeRequest request;
      for (int i = Draw(4); i >= 0; --i) request.add_prompts()->set_user(Text(Draw(1000)));
      Expect("Tokenize", client_->Tokenize(request).status(), absl::StatusCode::kOk);
    } else if (kind < 53) {
      Fit("FitDirection, cached", 0);
    } else if (kind < 56) {
      Fit("FitDirection, new", 1 + Draw(1 << 30));
    } else if (kind < 72) {
      Evaluate();
    } else if (kind < 80) {
      Generate();
    } else if (kind < 87) {
      Cancelled();
    } else if (kind < 95) {
      Invalid();
    } else {
      Move();
    }
  }

 private:
  int Draw(int below) { return std::uniform_int_distribution<int>(0, below - 1)(random_); }
  static std::string Text(int number) {
    return absl::StrCat("Explain round ladrel ", number, " near the bavorn");
  }
  void Expect(const std::string& kind, const absl::Status& status, absl::StatusCode code) {
    ledger_.Count(kind);
    if (status.code() != code) ledger_.Wrong(absl::StrCat(kind, ": ", status.ToString()));
  }
  v1::EvaluateRequest Question(int number, int new_tokens) const {
    v1::EvaluateRequest request;
    request.set_request_id(NewRequestId());
    request.set_expected_model_fingerprint(model_.model_fingerprint());
    request.set_purpose(v1::PURPOSE_EXPLORE);
    request.set_readout("post-1");
    request.set_decode_full_window(true);
    request.mutable_decoding()->set_max_new_tokens(new_tokens);
    v1::Arm* arm = request.add_arms();
    arm->set_name("baseline");
    for (int i = 0; i <= number % 3; ++i) {
      request.add_prompts()->set_user(Text(number * 3 + i));
      arm->add_prompts(i);
    }
    return request;
  }
  absl::StatusOr<v1::FitDirectionResult> FitOf(int number) {
    v1::FitDirectionRequest request;
    request.set_request_id(NewRequestId());
    request.set_expected_model_fingerprint(model_.model_fingerprint());
    for (int i = 0; i < 2; ++i) {
      request.add_harmful()->set_user(absl::StrCat("Draw old zotosk ", number, " ", i));
      request.add_harmless()->set_user(absl::StrCat("List new melp ", number, " ", i));
    }
    return client_->FitDirection(request, nullptr);
  }
  void Fit(const std::string& kind, int number) {
    auto fitted = FitOf(number);
    Expect(kind, fitted.status(), absl::StatusCode::kOk);
    if (!fitted.ok() || number == 0) return;
    const std::string oldest = ledger_.Put(fitted->set().set_id());
    if (!oldest.empty())
      Expect("DeleteDirection", client_->DeleteDirection(oldest), absl::StatusCode::kOk);
  }
  void Evaluate() {
    const int number = Draw(12);
    Outcomes sink;
    Expect("Evaluate", client_->Evaluate(Question(number, 4), Unfinished::kHold, &sink).status(),
           absl::StatusCode::kOk);
    // One stream brings a call's rows in the order in which they end, which batch mates decide.
    std::vector<std::string> rows = absl::StrSplit(sink.digests, ' ');
    std::sort(rows.begin(), rows.end());
    ledger_.Answer(number, absl::StrJoin(rows, " "));
  }
  void Generate() {
    v1::GenerateRequest request;
    request.set_request_id(NewRequestId());
    request.set_expected_model_fingerprint(model_.model_fingerprint());
    request.mutable_decoding()->set_max_new_tokens(6);
    const int number = Draw(8);
    request.mutable_prompt()->set_user(Text(number));
    const auto result = client_->Generate(request, nullptr);
    Expect("Generate", result.status(), absl::StatusCode::kOk);
    if (result.ok()) ledger_.Answer(1000 + number, result->token_digest());
  }
  void Cancelled() {
    grpc::ClientContext context;
    auto reader = stub_->Evaluate(&context, Question(Draw(12), 200));
    if (Draw(2) == 0) absl::SleepFor(absl::Milliseconds(Draw(20)));
    context.TryCancel();
    for (v1::EvaluateResponse message; reader->Read(&message);) continue;
    const grpc::Status status = reader->Finish();
    ledger_.Count("Evaluate, cancelled");
    if (!status.ok() && status.error_code() != grpc::CANCELLED &&
        status.error_code() != grpc::RESOURCE_EXHAUSTED)
      ledger_.Wrong(absl::StrCat("cancelled: ", status.error_code(), " ", status.error_message()));
  }
  void Invalid() {
    constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
    Outcomes sink;
    v1::EvaluateRequest evaluate = Question(1, 4);
    const auto run = [&] { return client_->Evaluate(evaluate, Unfinished::kHold, &sink).status(); };
    switch (Draw(6)) {
      case 0:
        evaluate.set_readout("none");
        return Expect("invalid", run(), kInvalid);
      case 1:
        evaluate.set_expected_model_fingerprint("another");
        return Expect("invalid", run(), absl::StatusCode::kFailedPrecondition);
      case 2:
        evaluate.mutable_prompts(0)->set_user(std::string(40000, 'a'));
        return Expect("invalid", run(), kInvalid);
      case 3:
        evaluate.mutable_decoding()->set_max_new_tokens(1 << 20);
        return Expect("invalid", run(), kInvalid);
      case 4:
        return Expect("invalid", client_->DeleteDirection("../x"), kInvalid);
      default:
        return Expect("invalid", client_->DeleteDirection(std::string(64, 'f')),
                      absl::StatusCode::kNotFound);
    }
  }
  // A set that is always there goes out, and comes in.
  void Move() {
    auto fitted = FitOf(0);
    Expect("FitDirection, cached", fitted.status(), absl::StatusCode::kOk);
    if (!fitted.ok()) return;
    v1::ExportDirectionRequest request;
    request.set_set_id(fitted->set().set_id());
    auto file = client_->ExportDirection(request);
    Expect("ExportDirection", file.status(), absl::StatusCode::kOk);
    if (!file.ok()) return;
    Expect("ImportDirection", client_->ImportDirection(*file).status(), absl::StatusCode::kOk);
    file->back() = static_cast<char>(file->back() ^ 1);
    const absl::Status damaged = client_->ImportDirection(*file).status();
    ledger_.Count("ImportDirection, damaged");
    if (damaged.ok()) ledger_.Wrong("a damaged set came in");
  }

  const v1::GetModelResponse& model_;
  std::mt19937_64 random_;
  Ledger& ledger_;
  std::unique_ptr<Client> client_;
  std::unique_ptr<v1::SteerService::Stub> stub_;
};

class Soak : public testing::Test {
 protected:
  // What is left when nobody is connected any more.
  struct Held {
    int descriptors, threads;
    int64_t resident;
  };
  Held Idle() {
    // Connections of callers that are gone end a little later.
    const pid_t pid = scenario_.server().pid();
    Held held = {Descriptors(pid), Threads(pid), ResidentBytes(pid)};
    const absl::Time end = absl::Now() + absl::Seconds(20);
    for (int same = 0; same < 10 && absl::Now() < end;) {
      absl::SleepFor(absl::Milliseconds(100));
      const Held now = {Descriptors(pid), Threads(pid), ResidentBytes(pid)};
      same = now.descriptors == held.descriptors && now.threads == held.threads ? same + 1 : 0;
      held = now;
    }
    return held;
  }
  void Run(int64_t requests, uint64_t seed) {
    std::atomic<int64_t> left{requests};
    std::vector<std::thread> callers;
    for (int i = 0; i < kCallers; ++i) {
      callers.emplace_back([&, i] {
        Caller caller(scenario_.address(), model_, seed * 100 + static_cast<uint64_t>(i), &ledger_);
        while (--left >= 0) caller.One();
      });
    }
    for (std::thread& caller : callers) caller.join();
  }

  Scenario scenario_{"default"};
  v1::GetModelResponse model_;
  Ledger ledger_;
};

TEST_F(Soak, MixedCallsLeaveNothingBehind) {
  const int64_t requests = FromEnvironment("STEER_SOAK_REQUESTS", 1000);
  const auto seed = static_cast<uint64_t>(FromEnvironment("STEER_SOAK_SEED", 1));
  const bool whole = requests >= 20000;
  ASSERT_TRUE(scenario_.StartServer(
      {}, {"--threads", "1", "--decode-rows", "4", "--prefill-tokens", "64", "--kv-tokens", "4096",
           "--audit-log", scenario_.Path("audit.jsonl")}))
      << scenario_.server_log();
  {
    ChannelOptions channel;
    channel.server = scenario_.address();
    const auto model = Client(*OpenChannel(channel), ClientOptions()).GetModel();
    ASSERT_TRUE(model.ok()) << model.status();
    model_ = *model;
  }
  // For calls that may be repeated the last 1024 replies and 4096 request ids of each kind are kept, and until they are, memory grows
  // as it should: the rarest kind, Generate at 8 of 100, has its ids after some 52,000 requests.
  const int64_t warm = whole ? requests * 11 / 20 : requests / 5;
  Run(warm, seed);
  const Held before = Idle();
  const pid_t pid = scenario_.server().pid();
  Watch memory([pid] { return static_cast<double>(ResidentBytes(pid)); },
               whole ? absl::Seconds(1) : absl::Milliseconds(50));
  Watch ready([this] { return scenario_.Metric("steer_ready"); }, absl::Seconds(1));
  const absl::Time begin = absl::Now();
  Run(requests - warm, seed + 1);
  const double seconds = absl::ToDoubleSeconds(absl::Now() - begin);
  const std::vector<Sample> second_half = memory.samples(seconds / 2);
  const double slope = SlopeOf(second_half);
  const Held after = Idle();

  std::string kinds;
  for (const auto& [kind, count] : ledger_.kinds())
    absl::StrAppend(&kinds, "  ", kind, ": ", count, "\n");
  std::printf(
      "soak: %lld requests, the last %lld in %.0f s; resident %.1f -> %.1f MB, second half %+.3f "
      "MB an hour (%+.3f MB in all); "
      "descriptors %d -> %d, threads %d -> %d\n%s",
      static_cast<long long>(requests), static_cast<long long>(requests - warm), seconds,
      static_cast<double>(before.resident) / 1e6, static_cast<double>(after.resident) / 1e6,
      slope * 3600 / 1e6, slope * seconds / 2 / 1e6, before.descriptors, after.descriptors,
      before.threads, after.threads, kinds.c_str());
  EXPECT_THAT(ledger_.wrong(), testing::IsEmpty());
  for (const Sample& sample : ready.samples())
    EXPECT_EQ(sample.value, 1) << "at " << sample.seconds << " s";
  EXPECT_LE(after.descriptors, before.descriptors);
  // gRPC's timers and executor take another thread where all of theirs are at work, and keep it; the
  // short form's warm-up need not have met that.
  EXPECT_LE(after.threads, before.threads + (whole ? 0 : 2));
  EXPECT_EQ(scenario_.Metric("steer_rows_running"), 0);
  EXPECT_EQ(scenario_.Metric("steer_kv_tokens_used"), 0);
  ASSERT_GE(second_half.size(), 2u);
  // Of the second half; the short form is too short to tell a slope from the allocator's steps.
  EXPECT_LT(slope * seconds / 2, (whole ? 0.01 : 0.05) * static_cast<double>(before.resident));
  for (absl::string_view line : absl::StrSplit(scenario_.MetricsPage(), '\n')) {
    if (!absl::StartsWith(line, "grpc_server_handled_total{")) continue;
    if (!absl::StrContains(line, "\"Unknown\"") && !absl::StrContains(line, "\"Internal\""))
      continue;
    EXPECT_TRUE(absl::EndsWith(line, " 0")) << line;
  }
}

}  // namespace
}  // namespace steer
