// Four causes end a call (the client cancels, its deadline passes, its connection breaks, the server drains) while its
// rows wait, read their prompts, decode, or are fitted. A real engine on a planted checkpoint behind a real socket; its
// thread is held after a step until the cause has arrived, so what follows is counted in steps, not in time.
#include <algorithm>
#include <atomic>
#include <filesystem>
#include <thread>
#include <utility>

#include <gmock/gmock.h>
#include <stdlib.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/json.h"
#include "server/planted/planted_model.h"
#include "tests/faults/proxy.h"
#include "tests/server/rpc/service_fixture.h"
#include "tests/server/rpc/watched_engine.h"

namespace steer {
namespace {

enum class Cause { kCancel, kDeadline, kDisconnect, kDrain };
enum class Phase { kQueue, kPrefill, kDecode };

using Case = std::tuple<RowKind, Phase, Cause>;

class CancellationTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    std::string pattern = (std::filesystem::temp_directory_path() / "steer_cancel_XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    auto files = planted::MakePlantedModel("default", 0);
    ASSERT_TRUE(files.ok()) << files.status();
    ASSERT_TRUE(planted::WritePlantedFolder(*files, folder_ + "/model", false).ok());
    std::vector<std::string> warnings;
    store_ = *DirectionStore::Open(folder_ + "/directions", &warnings);
    EngineOptions options;
    options.model_folder = folder_ + "/model";
    options.dtype = "float32";
    options.threads = 1;
    // Small shapes: many steps a call.
    options.decode_rows = 2;
    options.prefill_tokens = 8;
    options.max_context_tokens = 256;
    options.measure_rates = false;
    gate_ = new Gate;
    auto engine = Engine::Create(options, store_.get(), gate_);
    ASSERT_TRUE(engine.ok()) << engine.status();
    engine_ = std::make_unique<WatchedEngine>(*std::move(engine));
    for (const absl::string_view line :
         absl::StrSplit(files->at("harmful.jsonl"), '\n', absl::SkipEmpty())) {
      prompts_.push_back((*ParseJson(line))["prompt"]);
    }
  }
  static void TearDownTestSuite() {
    engine_.reset();
    store_.reset();
    delete std::exchange(gate_, nullptr);
    std::filesystem::remove_all(folder_);
  }

  void SetUp() override {
    metrics_ = std::make_unique<Metrics>(kServiceName, ServiceMethods(), BuildWords{"test"});
    RpcServerOptions options;
    options.listen.address = "127.0.0.1:0";
    options.watch_period = absl::Milliseconds(20);
    auto server = RpcServer::Start(options, metrics_.get(), nullptr);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    server_->Serve(engine_.get());
    proxy_ = std::make_unique<Proxy>(server_->port());
    engine_->Forget();
  }
  void TearDown() override {
    gate_->Open();
    server_ = nullptr;
    proxy_ = nullptr;
  }

  // A connection of its own, through the proxy.
  std::unique_ptr<v1::SteerService::Stub> Connect() const {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return v1::SteerService::NewStub(grpc::CreateCustomChannel(
        absl::StrCat("127.0.0.1:", proxy_->port()), grpc::InsecureChannelCredentials(), arguments));
  }

  // Makes a call of the kind and reads it to its end. Each asks for something new, so that no set
  // or reply is kept of it.
  grpc::Status Make(RowKind kind, grpc::ClientContext* context) const {
    static std::atomic<size_t> made{0};
    const size_t first = made.fetch_add(8);
    const auto prompt = [&](size_t i) { return prompts_[(first + i) % prompts_.size()]; };
    const std::string& fingerprint = engine_->facts().model_fingerprint;
    const auto stub = Connect();
    if (kind == RowKind::kGenerate) {
      v1::GenerateRequest request = GenerateRequestOf(prompt(0));
      request.set_request_id(FreshUuid());
      request.set_expected_model_fingerprint(fingerprint);
      request.mutable_decoding()->set_max_new_tokens(32);
      return Read(stub->Generate(context, request).get());
    }
    if (kind == RowKind::kEvaluate) {
      v1::EvaluateRequest request = EvaluateRequestOf(6);
      request.set_request_id(FreshUuid());
      request.set_expected_model_fingerprint(fingerprint);
      request.set_decode_full_window(true);
      request.mutable_decoding()->set_max_new_tokens(32);
      for (int i = 0; i < 6; ++i) request.mutable_prompts(i)->set_user(prompt(i));
      return Read(stub->Evaluate(context, request).get());
    }
    v1::FitDirectionRequest request;
    request.set_request_id(FreshUuid());
    request.set_expected_model_fingerprint(fingerprint);
    for (size_t i = 0; i < 4; ++i) {
      request.add_harmful()->set_user(prompt(i));
      request.add_harmless()->set_user(prompt(i + 4));
    }
    return Read(stub->FitDirection(context, request).get());
  }

  template <typename Response>
  static grpc::Status Read(grpc::ClientReader<Response>* reader) {
    Response response;
    while (reader->Read(&response)) {
    }
    return reader->Finish();
  }

  static std::string folder_;
  static std::unique_ptr<DirectionStore> store_;
  static Gate* gate_;
  static std::unique_ptr<WatchedEngine> engine_;
  static std::vector<std::string> prompts_;
  std::unique_ptr<Metrics> metrics_;
  std::unique_ptr<RpcServer> server_;
  std::unique_ptr<Proxy> proxy_;
};

std::string CancellationTest::folder_;
std::unique_ptr<DirectionStore> CancellationTest::store_;
Gate* CancellationTest::gate_ = nullptr;
std::unique_ptr<WatchedEngine> CancellationTest::engine_;
std::vector<std::string> CancellationTest::prompts_;

// A call in a thread of its own.
struct Running {
  grpc::ClientContext context;
  grpc::Status status;
  std::thread thread;
  std::atomic<bool> ended{false};
  ~Running() {
    if (thread.joinable()) thread.join();
  }
};

StepKind HeldKind(Phase phase) {
  return phase == Phase::kDecode ? StepKind::kDecode : StepKind::kPrefill;
}

class Cancellation : public CancellationTest, public testing::WithParamInterface<Case> {};

TEST_P(Cancellation, StopsWithinAStepAndGivesAllBack) {
  const auto [kind, phase, cause] = GetParam();
  const auto start = [&, kind = kind](RowKind which, absl::Duration deadline) {
    auto call = std::make_unique<Running>();
    call->context.set_deadline(absl::ToChronoTime(absl::Now() + deadline));
    call->thread = std::thread([this, which, call = call.get()] {
      call->status = Make(which, &call->context);
      call->ended = true;
    });
    return call;
  };
  // A call in the queue waits behind one that holds the engine.
  const bool queued = phase == Phase::kQueue;
  const RowKind mate_kind = kind == RowKind::kGenerate ? RowKind::kEvaluate : RowKind::kGenerate;
  const size_t before = queued ? 1 : 0;
  std::unique_ptr<Running> mate, call;
  // A deadline that passes before the moment has come is doubled.
  for (absl::Duration patience = absl::Milliseconds(500);; patience *= 2) {
    ASSERT_LT(patience, absl::Minutes(2)) << "the moment never came";
    ASSERT_TRUE(WaitFor([&] { return gate_->load() <= 0; }));
    engine_->Forget();
    gate_->HoldAfter(HeldKind(phase));
    if (queued) {
      mate = start(mate_kind, absl::Minutes(2));
      ASSERT_TRUE(WaitFor([&] { return gate_->held(); }));
    }
    call = start(kind, cause == Cause::kDeadline ? patience : absl::Minutes(2));
    ASSERT_TRUE(
        WaitFor([&] { return (gate_->held() && engine_->seen().size() > before) || call->ended; }));
    const bool late = engine_->seen().size() == before ||
                      (cause == Cause::kDeadline && call->ended && !gate_->held());
    if (!late) break;
    ASSERT_EQ(cause, Cause::kDeadline) << call->status.error_message();
    gate_->Open();
    call.reset();
    mate.reset();
  }
  const WatchedEngine::Seen seen = engine_->seen().back();
  const int64_t sets = store_->usage().sets;

  std::thread drain;
  switch (cause) {
    case Cause::kCancel:
      call->context.TryCancel();
      break;
    case Cause::kDisconnect:
      proxy_->Set(NetworkFault::kReset);
      break;
    case Cause::kDrain:
      drain = std::thread([this] { server_->Drain(absl::ZeroDuration()); });
      break;
    case Cause::kDeadline:
      break;
  }
  const bool arrived = WaitFor([&] {
    const std::shared_ptr<CallControl> control = seen.control.lock();
    return control == nullptr || control->cancelled || absl::Now() > control->deadline;
  });
  const bool held = gate_->held();
  gate_->Open();
  EXPECT_TRUE(arrived);
  EXPECT_TRUE(held) << "the engine went on before the cause was there";
  call->thread.join();
  if (drain.joinable()) drain.join();
  proxy_->Set(NetworkFault::kNone);

  switch (cause) {
    case Cause::kCancel:
      EXPECT_EQ(call->status.error_code(), grpc::CANCELLED) << call->status.error_message();
      break;
    case Cause::kDeadline:
      EXPECT_EQ(call->status.error_code(), grpc::DEADLINE_EXCEEDED) << call->status.error_message();
      break;
    case Cause::kDisconnect:
      EXPECT_EQ(call->status.error_code(), grpc::UNAVAILABLE) << call->status.error_message();
      break;
    case Cause::kDrain:
      EXPECT_EQ(ErrorOf(call->status).code, grpc::UNAVAILABLE) << call->status.error_message();
      EXPECT_EQ(ErrorOf(call->status).reason, "DRAINING");
      EXPECT_GT(ErrorOf(call->status).retry_seconds, 0);
      break;
  }
  // Its rows, its arena, its prompts and its place among the calls.
  EXPECT_TRUE(WaitFor([&] { return seen.control.expired() && seen.sink.expired(); }));
  if (mate != nullptr) mate->thread.join();
  EXPECT_TRUE(WaitFor([&] { return gate_->load() == 0; })) << gate_->load();
  if (queued) {
    EXPECT_FALSE(gate_->Began(kind)) << "a step ran for a call that had left the queue";
    // A break or a drain ends the other one too; what befalls one call alone does not.
    if (cause == Cause::kCancel || cause == Cause::kDeadline) {
      EXPECT_TRUE(mate->status.ok()) << mate->status.error_message();
    }
  } else {
    EXPECT_LE(gate_->steps(), 1);
  }
  EXPECT_EQ(store_->usage().sets, sets);
}

class LeftAlone : public CancellationTest,
                  public testing::WithParamInterface<std::pair<RowKind, Phase>> {};

// The same calls without a cause take many more steps after the one that they are held at.
TEST_P(LeftAlone, GoesOn) {
  const auto [kind, phase] = GetParam();
  gate_->HoldAfter(HeldKind(phase));
  Running call;
  call.thread = std::thread([&, kind = kind] { call.status = Make(kind, &call.context); });
  ASSERT_TRUE(WaitFor([&] { return gate_->held(); }));
  gate_->Open();
  call.thread.join();
  EXPECT_TRUE(call.status.ok()) << call.status.error_message();
  EXPECT_TRUE(gate_->Began(kind));
  EXPECT_GE(gate_->steps(), 4);
}

INSTANTIATE_TEST_SUITE_P(All, LeftAlone,
                         testing::Values(std::pair(RowKind::kGenerate, Phase::kPrefill),
                                         std::pair(RowKind::kGenerate, Phase::kDecode),
                                         std::pair(RowKind::kEvaluate, Phase::kPrefill),
                                         std::pair(RowKind::kEvaluate, Phase::kDecode),
                                         std::pair(RowKind::kFit, Phase::kPrefill)));

std::vector<Case> Cases() {
  std::vector<Case> cases;
  for (const Cause cause : {Cause::kCancel, Cause::kDeadline, Cause::kDisconnect, Cause::kDrain}) {
    for (const RowKind kind : {RowKind::kGenerate, RowKind::kEvaluate, RowKind::kFit}) {
      for (const Phase phase : {Phase::kQueue, Phase::kPrefill, Phase::kDecode}) {
        if (kind == RowKind::kFit && phase == Phase::kDecode) continue;  // a fit decodes nothing
        cases.emplace_back(kind, phase, cause);
      }
    }
  }
  return cases;
}

std::string NameOf(const testing::TestParamInfo<Case>& info) {
  static const char* const kCauses[] = {"Cancel", "Deadline", "Disconnect", "Drain"};
  static const char* const kPhases[] = {"Queue", "Prefill", "Decode"};
  const auto [kind, phase, cause] = info.param;
  return absl::StrCat(kind == RowKind::kFit        ? "Fit"
                      : kind == RowKind::kEvaluate ? "Evaluate"
                                                   : "Generate",
                      "In", kPhases[static_cast<int>(phase)], "By",
                      kCauses[static_cast<int>(cause)]);
}

INSTANTIATE_TEST_SUITE_P(All, Cancellation, testing::ValuesIn(Cases()), NameOf);

}  // namespace
}  // namespace steer
