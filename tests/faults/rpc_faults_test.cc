// Faults of single calls, between a client of our own and the real server: cancelled, repeated, too late, read slowly, malformed. After
// each the server holds nothing of them and gives the answers of before.
#include <grpcpp/grpcpp.h>

#include <future>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/api/channel.h"
#include "client/api/client.h"
#include "common/files.h"
#include "steer/v1/steer_service.grpc.pb.h"
#include "tests/faults/harness.h"
#include "tests/integration/leftovers.h"

namespace steer {
namespace {

class RpcFaults : public FaultHarness {
 protected:
  void SetUp() override {
    FaultHarness::SetUp();
    ChannelOptions channel;
    channel.server = scenario().address();
    stub_ = v1::SteerService::NewStub(*OpenChannel(channel));
    grpc::ClientContext context;
    context.set_wait_for_ready(true);
    ASSERT_TRUE(stub_->GetModel(&context, {}, &model_).ok());
  }
  // `rows` rows with whole windows, so that each takes its time.
  v1::EvaluateRequest Request(int rows, const std::string& id = NewRequestId()) const {
    v1::EvaluateRequest request;
    request.set_request_id(id);
    request.set_expected_model_fingerprint(model_.model_fingerprint());
    request.set_purpose(v1::PURPOSE_EXPLORE);
    request.set_readout("post-1");
    request.set_decode_full_window(true);
    request.mutable_decoding()->set_max_new_tokens(32);
    v1::Arm* arm = request.add_arms();
    arm->set_name("baseline");
    for (int i = 0; i < rows; ++i) {
      request.add_prompts()->set_user(absl::StrCat("Zqcanarypromptb round ladrel ", i));
      arm->add_prompts(i);
    }
    return request;
  }
  // What came, without what differs from call to call; the end in *status.
  std::string Read(grpc::ClientReader<v1::EvaluateResponse>* reader, grpc::Status* status) {
    std::string text;
    for (v1::EvaluateResponse message; reader->Read(&message);) {
      if (message.has_outcome()) text += message.outcome().SerializeAsString();
    }
    *status = reader->Finish();
    return text;
  }
  double Rows() const { return scenario().Metric("steer_rows_total{kind=\"evaluate\"}"); }
  // No call and no row is left, and rows are not computed any more.
  void ExpectNothingIsHeld() {
    const auto idle = [] {
      return scenario().Metric("steer_requests_in_flight{method=\"Evaluate\"}") == 0 &&
             scenario().Metric("steer_requests_in_flight{method=\"Generate\"}") == 0 &&
             scenario().Metric("steer_rows_running") == 0 &&
             scenario().Metric("steer_rows_waiting") == 0 &&
             scenario().Metric("steer_kv_tokens_used") == 0;
    };
    const absl::Time end = absl::Now() + absl::Seconds(30);
    while (!idle() && absl::Now() < end) absl::SleepFor(absl::Milliseconds(20));
    EXPECT_TRUE(idle()) << scenario().MetricsPage();
  }

  std::unique_ptr<v1::SteerService::Stub> stub_;
  v1::GetModelResponse model_;
};

TEST_F(RpcFaults, StreamIsCancelled) {
  const double before = Rows();
  grpc::ClientContext context;
  auto reader = stub_->Evaluate(&context, Request(400));
  v1::EvaluateResponse message;
  while (reader->Read(&message) && !message.has_outcome()) continue;
  absl::SleepFor(absl::Milliseconds(100) * Uniform());
  context.TryCancel();
  grpc::Status status;
  Read(reader.get(), &status);
  EXPECT_EQ(status.error_code(), grpc::CANCELLED);
  ExpectNothingIsHeld();
  EXPECT_LT(Rows() - before, 400) << "it ran to its end";
}

TEST_F(RpcFaults, ManyAreCancelledAtOnce) {
  std::vector<std::future<void>> calls;
  for (int i = 0; i < 12; ++i) {
    const absl::Duration after = absl::Milliseconds(200) * Uniform();
    calls.push_back(std::async(std::launch::async, [this, after] {
      grpc::ClientContext context;
      auto reader = stub_->Evaluate(&context, Request(100));
      absl::SleepFor(after);
      context.TryCancel();
      grpc::Status status;
      Read(reader.get(), &status);
      EXPECT_TRUE(status.error_code() == grpc::CANCELLED || status.ok()) << status.error_code();
    }));
  }
  for (auto& call : calls) call.get();
  ExpectNothingIsHeld();
}

TEST_F(RpcFaults, RequestComesTwice) {
  const v1::EvaluateRequest request = Request(60);
  const double before = Rows();
  const auto once = [&] {
    grpc::ClientContext context;
    grpc::Status status;
    std::string text = Read(stub_->Evaluate(&context, request).get(), &status);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return text;
  };
  auto beside = std::async(std::launch::async, once);
  const std::string first = once();
  EXPECT_EQ(beside.get(), first);
  EXPECT_EQ(once(), first);  // when all is over
  EXPECT_EQ(Rows() - before, 60) << "it was run more than once";
  // The id alone does not get the answer.
  v1::EvaluateRequest other = Request(59, request.request_id());
  grpc::ClientContext context;
  grpc::Status status;
  Read(stub_->Evaluate(&context, other).get(), &status);
  EXPECT_EQ(status.error_code(), grpc::ALREADY_EXISTS) << status.error_message();
  ExpectNothingIsHeld();
}

TEST_F(RpcFaults, DeadlinePasses) {
  for (const int milliseconds : {0, 1, 30, 30 + static_cast<int>(200 * Uniform())}) {
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(absl::Now() + absl::Milliseconds(milliseconds)));
    grpc::Status status;
    Read(stub_->Evaluate(&context, Request(400)).get(), &status);
    EXPECT_EQ(status.error_code(), grpc::DEADLINE_EXCEEDED) << status.error_message();
  }
  ExpectNothingIsHeld();
}

TEST_F(RpcFaults, ReaderIsSlow) {
  const v1::EvaluateRequest request = Request(100);
  const double before = Rows();
  grpc::ClientContext context, again;
  auto slow = stub_->Evaluate(&context, request);
  // All has been computed, and others are answered meanwhile.
  const absl::Time end = absl::Now() + absl::Seconds(60);
  while (Rows() - before < 100 && absl::Now() < end) absl::SleepFor(absl::Milliseconds(10));
  EXPECT_EQ(Rows() - before, 100);
  EXPECT_EQ(Answer(), clean_answer());
  grpc::Status status;
  const std::string slowly = Read(slow.get(), &status);
  EXPECT_TRUE(status.ok()) << status.error_message();
  v1::EvaluateRequest same = request;
  same.set_request_id(NewRequestId());
  EXPECT_EQ(Read(stub_->Evaluate(&again, same).get(), &status).size(), slowly.size());
  ExpectNothingIsHeld();
}

TEST_F(RpcFaults, RequestIsMalformed) {
  v1::EvaluateRequest bad = Request(2);
  bad.mutable_prompts(1)->set_user("Zqcanaryprompta \xff\xfe");
  v1::EvaluateRequest large = Request(1);
  large.mutable_prompts(0)->set_user(std::string(40000, 'a') + "zqcanary");
  v1::EvaluateRequest foreign = Request(1);
  foreign.set_expected_model_fingerprint("zqcanary");
  // What is no message at all is answered by gRPC's callback API, in this way.
  const std::pair<const v1::EvaluateRequest&, grpc::StatusCode> cases[] = {
      {bad, grpc::UNIMPLEMENTED},
      {large, grpc::INVALID_ARGUMENT},
      {foreign, grpc::FAILED_PRECONDITION}};
  for (const auto& [request, code] : cases) {
    grpc::ClientContext context;
    grpc::Status status;
    Read(stub_->Evaluate(&context, request).get(), &status);
    EXPECT_EQ(status.error_code(), code) << status.error_message();
  }
  ExpectNothingIsHeld();
}

// What every test of the harness relies on.
TEST_F(RpcFaults, ASearchForTextFindsWhatIsThere) {
  const auto found = [] {
    int searched = 0;
    return FilesThatHold(scenario().folder(), {kMarkSought}, {scenario().model()}, &searched);
  };
  EXPECT_TRUE(found().empty());
  const std::string planted = scenario().Path("planted.bin");
  ASSERT_TRUE(WriteFileAtomically(planted, std::string("\0\xff of ZQCANaryAnswer\0", 22)).ok());
  EXPECT_EQ(found(), std::vector<std::string>{planted});
  ASSERT_TRUE(WriteFileAtomically(planted, "nothing").ok());
  EXPECT_TRUE(found().empty());
  // A model that says what is marked, so that there is something to be found.
  const CommandResult said = scenario().Ctl(
      {"generate", "--prompt", "Zqcanaryprompta the bavorn", "--max-new-tokens", "24"});
  const CommandResult more = scenario().Ctl(
      {"generate", "--prompt", "Zqcanarypromptb my baunda", "--max-new-tokens", "24"});
  EXPECT_TRUE(absl::StrContains(said.out + more.out, kMarkStem)) << said.out << more.out;
  EXPECT_FALSE(found().empty());
  // That was the caller's own standard output.
  for (const std::string& path : found()) {
    EXPECT_TRUE(absl::StrContains(path, "/ctl-")) << path;
    ASSERT_TRUE(WriteFileAtomically(path, "").ok());
  }
}

}  // namespace
}  // namespace steer
