// What a server may send instead of what the contract says, message by message, and how the client
// takes it.
#include <grpcpp/grpcpp.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "client/api/channel.h"
#include "client/api/client.h"
#include "client/api/status.h"
#include "common/errors.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "gtest/gtest.h"
#include "tests/client/api/fake_service.h"
#include "tests/support/loopback.h"

namespace steer {
namespace {

// One call's messages and its end.
template <typename Message>
struct Scripted {
  std::vector<Message> messages;
  grpc::Status end = grpc::Status::OK;
};

// Each call of a method gets the next script; the last one again and again.
class ScriptedService : public FakeService {
 public:
  std::vector<Scripted<v1::EvaluateResponse>> evaluate;
  std::vector<Scripted<v1::FitDirectionResponse>> fit;
  int tokenized_more = 0;

  // Requests of Evaluate since the last call of this, in order.
  std::vector<v1::EvaluateRequest> TakeAsked() {
    absl::MutexLock lock(&mutex_);
    return std::exchange(asked_, {});
  }

  grpc::Status Evaluate(grpc::ServerContext*, const v1::EvaluateRequest* request,
                        grpc::ServerWriter<v1::EvaluateResponse>* writer) override {
    absl::MutexLock lock(&mutex_);
    asked_.push_back(*request);
    return Play(evaluate[std::min(asked_.size(), evaluate.size()) - 1], writer);
  }
  grpc::Status FitDirection(grpc::ServerContext*, const v1::FitDirectionRequest* request,
                            grpc::ServerWriter<v1::FitDirectionResponse>* writer) override {
    EXPECT_TRUE(request->validate_only());
    return Play(fit[0], writer);
  }
  grpc::Status Tokenize(grpc::ServerContext* context, const v1::TokenizeRequest* request,
                        v1::TokenizeResponse* response) override {
    for (int i = 0; i < tokenized_more; ++i) response->add_prompts();
    return FakeService::Tokenize(context, request, response);
  }

 private:
  template <typename Message>
  static grpc::Status Play(const Scripted<Message>& script, grpc::ServerWriter<Message>* writer) {
    for (const Message& message : script.messages) writer->Write(message);
    return script.end;
  }
  absl::Mutex mutex_;
  std::vector<v1::EvaluateRequest> asked_ ABSL_GUARDED_BY(mutex_);
};

v1::EvaluateResponse Row(int arm, int prompt, int64_t sequence) {
  v1::EvaluateResponse message;
  message.mutable_outcome()->set_arm(arm);
  message.mutable_outcome()->set_prompt(prompt);
  message.mutable_outcome()->set_sequence(sequence);
  return message;
}

v1::EvaluateResponse ResultOf(int arm, const std::string& name) {
  v1::EvaluateResponse message;
  message.mutable_arm_result()->set_arm(arm);
  message.mutable_arm_result()->set_name(name);
  return message;
}

v1::EvaluateResponse Closing() {
  v1::EvaluateResponse message;
  message.mutable_summary()->set_outcomes(4);
  return message;
}

v1::EvaluateResponse Progressing() {
  v1::EvaluateResponse message;
  message.mutable_progress()->set_rows_done(1);
  return message;
}

// Two prompts under "arm-0" and "arm-1".
v1::EvaluateRequest TwoByTwo() {
  v1::EvaluateRequest request;
  for (const char* text : {"slithy", "toves"}) request.add_prompts()->set_user(text);
  for (const char* name : {"arm-0", "arm-1"}) {
    v1::Arm* arm = request.add_arms();
    arm->set_name(name);
    arm->add_prompts(0);
    arm->add_prompts(1);
  }
  return request;
}

// Hears of rows and results alone.
class Counter : public OutcomeSink {
 public:
  absl::Status OnOutcome(const v1::Outcome&) override {
    ++rows;
    return absl::OkStatus();
  }
  absl::Status OnArm(const v1::ArmResult&) override {
    ++results;
    return absl::OkStatus();
  }
  int rows = 0;
  int results = 0;
};

class Answers : public ::testing::Test {
 protected:
  std::unique_ptr<Client> Start() {
    service_.Start();
    ChannelOptions channel;
    channel.server = service_.address();
    ClientOptions options;
    options.retry.initial = absl::Milliseconds(5);
    options.patience = absl::Seconds(5);
    return std::make_unique<Client>(*OpenChannel(channel), options);
  }
  ScriptedService service_;
  Counter counter_;
};

const grpc::Status kBroken(grpc::StatusCode::UNAVAILABLE, "the stream broke");

TEST_F(Answers, AStreamThatContradictsTheContractIsRefused) {
  const std::vector<std::pair<std::vector<v1::EvaluateResponse>, std::string>> cases = {
      {{Row(-1, 0, 0)}, "an outcome names an unknown arm"},
      {{Row(2, 0, 0)}, "an outcome names an unknown arm"},
      {{Row(0, 5, 0)}, "an outcome of arm arm-0 names prompt 5, which is not its own"},
      {{Row(0, 0, 1)}, "outcomes are out of sequence"},
      {{Row(0, 0, 0), Row(0, 0, 1)}, "a row of arm arm-0 came twice"},
      {{Row(0, 0, 0), Row(0, 1, 1), ResultOf(0, "arm-0"), Row(0, 0, 2)},
       "a row of arm arm-0 came twice"},
      {{ResultOf(-1, "arm-0")}, "a result names an unknown arm"},
      {{ResultOf(2, "arm-0")}, "a result names an unknown arm"},
      {{ResultOf(1, "arm-0")}, "a result names an unknown arm"},
      {{Row(0, 0, 0), ResultOf(0, "arm-0")}, "arm arm-0 was closed before its last row"},
      {{Progressing(), Row(0, 0, 0)}, "Evaluate ended without a summary"},
      {{Row(0, 0, 0), Closing()}, "Evaluate ended before every arm was complete"}};
  service_.evaluate = {{}};
  const auto client = Start();
  for (const auto& [messages, said] : cases) {
    service_.evaluate = {{messages}};
    Counter counter;
    const absl::Status status =
        client->Evaluate(TwoByTwo(), Unfinished::kRestart, &counter).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << said;
    EXPECT_EQ(ReasonOf(status), "PROTOCOL") << said;
    EXPECT_EQ(status.message(), "the server broke the contract: " + said);
    EXPECT_EQ(service_.TakeAsked().size(), 1u) << "it would only break it again";
  }
}

TEST_F(Answers, RowsThatTheCallerHoldsAreNotAskedForAgain) {
  service_.evaluate = {{{Row(0, 1, 0)}, kBroken},
                       {{Row(0, 1, 0), ResultOf(0, "arm-0"), Row(1, 0, 1), Row(1, 1, 2),
                         ResultOf(1, "arm-1"), Closing()}}};
  v1::EvaluateRequest request = TwoByTwo();
  for (int arm : {0, -1, 9}) {  // of arms that are none, nothing can be held
    v1::HeldRow* held = request.add_held();
    held->set_arm(arm);
    held->set_prompt(0);
  }
  const auto summary = Start()->Evaluate(request, Unfinished::kRestart, &counter_);
  ASSERT_TRUE(summary.ok()) << summary.status();
  EXPECT_EQ(counter_.rows, 1 + 3);
  EXPECT_EQ(counter_.results, 2);
  const std::vector<v1::EvaluateRequest> asked = service_.TakeAsked();
  ASSERT_EQ(asked.size(), 2u);
  for (const v1::EvaluateRequest& missing : asked) {
    ASSERT_EQ(missing.held_size(), 1);
    EXPECT_EQ(missing.held(0).arm(), 0);
    EXPECT_EQ(missing.held(0).prompt(), 0);
  }
}

TEST_F(Answers, WhereRowsAreHeldALostSummaryIsNoReasonToAskAgain) {
  service_.evaluate = {{{Row(0, 0, 0), Row(0, 1, 1), Row(1, 0, 2), Row(1, 1, 3)}, kBroken}};
  const auto summary = Start()->Evaluate(TwoByTwo(), Unfinished::kHold, &counter_);
  ASSERT_TRUE(summary.ok()) << summary.status();
  EXPECT_EQ(counter_.rows, 4);
  EXPECT_EQ(service_.TakeAsked().size(), 1u);
}

TEST_F(Answers, AValidationHasACostOrAReason) {
  v1::EvaluateResponse cost;
  cost.mutable_cost()->set_rows(4);
  v1::FitDirectionResponse fit_cost, fit_progress;
  fit_cost.mutable_cost()->set_rows(7);
  fit_progress.mutable_progress()->set_rows_done(1);
  service_.evaluate = {{{cost, Progressing()}}};
  service_.fit = {{{fit_cost, fit_progress}}};
  const auto client = Start();
  EXPECT_EQ(client->EvaluateCost(TwoByTwo())->rows(), 4);
  EXPECT_TRUE(service_.TakeAsked().at(0).validate_only());
  EXPECT_EQ(client->FitCost(v1::FitDirectionRequest())->rows(), 7);

  service_.evaluate = {{}};
  service_.fit = {{}};
  for (const absl::Status& status : {client->EvaluateCost(TwoByTwo()).status(),
                                     client->FitCost(v1::FitDirectionRequest()).status()}) {
    EXPECT_EQ(ReasonOf(status), "PROTOCOL");
    EXPECT_TRUE(absl::StrContains(status.message(), "answered without a cost")) << status;
  }
  const grpc::Status invalid =
      DetailedStatus(grpc::StatusCode::INVALID_ARGUMENT, "two wrong", "INVALID_REQUEST");
  service_.evaluate = {{{cost}, invalid}};
  service_.fit = {{{fit_cost}, invalid}};
  EXPECT_EQ(ReasonOf(client->EvaluateCost(TwoByTwo()).status()), "INVALID_REQUEST");
  EXPECT_EQ(ReasonOf(client->FitCost(v1::FitDirectionRequest()).status()), "INVALID_REQUEST");
}

TEST_F(Answers, TokenizeAnswersEachPromptOnce) {
  v1::TokenizeRequest request;
  request.add_prompts()->set_user("slithy toves");
  const auto client = Start();
  EXPECT_TRUE(client->Tokenize(request).ok());
  service_.tokenized_more = 1;
  const absl::Status status = client->Tokenize(request).status();
  EXPECT_EQ(ReasonOf(status), "PROTOCOL");
  EXPECT_TRUE(absl::StrContains(status.message(), "another number of prompts")) << status;
  service_.Stop();
  EXPECT_EQ(client->Tokenize(request).status().code(), absl::StatusCode::kUnavailable);
}

// A server of another make may add details that we do not know, or that are not what they say.
TEST(FromGrpc, TakesOfTheDetailsWhatItCanRead) {
  google::rpc::Status details;
  for (const char* type : {"ErrorInfo", "RetryInfo", "BadRequest", "Help"}) {
    google::protobuf::Any* any = details.add_details();
    any->set_type_url(absl::StrCat("type.googleapis.com/google.rpc.", type));
    any->set_value("\xff\xff garbage");
  }
  absl::Status status =
      FromGrpc(grpc::Status(grpc::StatusCode::NOT_FOUND, "gone", details.SerializeAsString()));
  EXPECT_EQ(status, absl::NotFoundError("gone"));

  google::rpc::RetryInfo retry;
  retry.mutable_retry_delay()->set_seconds(2);
  details.add_details()->PackFrom(retry);
  status =
      FromGrpc(grpc::Status(grpc::StatusCode::UNAVAILABLE, "loading", details.SerializeAsString()));
  EXPECT_EQ(ReasonOf(status), "");
  EXPECT_EQ(RetryDelayOf(status), absl::Seconds(2));
}

TEST(Channel, ASocketOfTheFileSystemIsAnAddress) {
  ChannelOptions options;
  options.server = "unix:/nonexistent/socket";
  EXPECT_TRUE(OpenChannel(options).ok());
  options.server = "unix:";
  const absl::Status status = OpenChannel(options).status();
  EXPECT_EQ(ReasonOf(status), "INVALID_ADDRESS") << status;
}

// A listener that accepts and never says a word, and a server that does.
class Silence : public ::testing::Test {
 protected:
  Silence() : listener_(ListenAnywhere(&port_)) {
    service_.Start();
    silent_.server = absl::StrCat("127.0.0.1:", port_);
    sound_.server = service_.address();
    options_.patience = absl::Seconds(30);
    options_.retry.initial = absl::Milliseconds(5);
  }
  ~Silence() override { close(listener_); }

  FakeService service_;
  ChannelOptions silent_, sound_;
  ClientOptions options_;
  int port_ = 0;
  const int listener_;
};

TEST_F(Silence, ADeadlineThatPassesWithoutAWordLeavesTheConnection) {
  options_.deadline = absl::Milliseconds(300);
  int reopened = 0;
  std::vector<std::string> waited;
  options_.reopen = [&] {
    ++reopened;
    return OpenChannel(sound_);
  };
  options_.on_waiting = [&](const absl::Status& why, absl::Duration) {
    waited.emplace_back(why.message());
  };
  Client client(*OpenChannel(silent_), options_);
  EXPECT_TRUE(client.GetModel().ok());
  EXPECT_EQ(reopened, 1);
  EXPECT_EQ(waited, std::vector<std::string>{"no answer within 300ms"});
}

TEST_F(Silence, CallsThatEndInItTogetherOpenOneConnection) {
  options_.stall = absl::Milliseconds(300);
  absl::Mutex mutex;
  int reopened = 0;
  absl::Notification replaced;
  std::unique_ptr<Client> client;
  std::thread late;
  options_.reopen = [&] {
    mutex.Lock();
    const int n = ++reopened;
    mutex.Unlock();
    if (n == 1) {
      // Slow: the connection that it brings comes when there is another one already.
      replaced.WaitForNotificationWithTimeout(absl::Seconds(20));
    } else if (n == 2) {
      // A call that begins on the silent connection, and notices after it was left.
      late = std::thread([&] { EXPECT_TRUE(client->GetModel().ok()); });
      absl::SleepFor(absl::Milliseconds(100));
    }
    return OpenChannel(sound_);
  };
  client = std::make_unique<Client>(*OpenChannel(silent_), options_);
  std::atomic<int> ended{0};
  const auto call = [&] {
    EXPECT_TRUE(client->GetModel().ok());
    if (ended++ > 0) return;
    late.join();
    replaced.Notify();
  };
  std::thread one(call), other(call);
  one.join();
  other.join();
  absl::MutexLock lock(&mutex);
  EXPECT_EQ(reopened, 2);
}

}  // namespace
}  // namespace steer
