#include <grpcpp/grpcpp.h>
#include <unistd.h>

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/api/channel.h"
#include "client/api/client.h"
#include "client/api/retry.h"
#include "client/api/status.h"
#include "common/errors.h"
#include "gtest/gtest.h"
#include "tests/client/api/fake_service.h"
#include "tests/support/loopback.h"

namespace steer {
namespace {

ClientOptions Impatient() {
  ClientOptions options;
  options.patience = absl::Seconds(1);
  options.retry.initial = absl::Milliseconds(10);
  options.retry.max = absl::Milliseconds(50);
  return options;
}

std::unique_ptr<Client> Connect(const FakeService& service, ClientOptions options) {
  ChannelOptions channel;
  channel.server = service.address();
  return std::make_unique<Client>(*OpenChannel(channel), std::move(options));
}

TEST(FromGrpc, CarriesReasonViolationsAndRetryDelay) {
  absl::Status status =
      FromGrpc(DetailedStatus(grpc::StatusCode::INVALID_ARGUMENT, "two wrong", "INVALID_REQUEST",
                              1.5, {{"arms[0].name", "is empty"}, {"readout", "is unknown"}}));
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(), "two wrong");
  EXPECT_EQ(ReasonOf(status), "INVALID_REQUEST");
  ASSERT_EQ(ViolationsOf(status).size(), 2u);
  EXPECT_EQ(ViolationsOf(status)[1].field, "readout");
}

TEST(FromGrpc, SurvivesDetailsThatDoNotParse) {
  absl::Status status =
      FromGrpc(grpc::Status(grpc::StatusCode::NOT_FOUND, "gone", "\xff\xff garbage"));
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(status.message(), "gone");
  EXPECT_EQ(ReasonOf(status), "");
}

TEST(Retry, TellsOverloadFromOversize) {
  EXPECT_TRUE(IsRetryable(absl::UnavailableError("x")));
  EXPECT_FALSE(IsRetryable(absl::ResourceExhaustedError("Received message larger than max")));
  EXPECT_TRUE(IsRetryable(WithRetryDelay(absl::ResourceExhaustedError("full"), absl::Seconds(1))));
  EXPECT_FALSE(IsRetryable(absl::InternalError("x")));
}

TEST(Retry, WaitGrowsIsBoundedAndHonoursTheServer) {
  RetryPolicy policy;
  absl::Status status = absl::UnavailableError("x");
  EXPECT_EQ(RetryWait(policy, 1, status, 0.5), absl::Milliseconds(200));
  EXPECT_EQ(RetryWait(policy, 3, status, 0.5), absl::Milliseconds(800));
  EXPECT_EQ(RetryWait(policy, 60, status, 0.5), absl::Seconds(5));
  EXPECT_EQ(RetryWait(policy, 1, status, 0.0), absl::Milliseconds(160));
  absl::Status asked = WithRetryDelay(absl::UnavailableError("x"), absl::Seconds(7));
  EXPECT_GE(RetryWait(policy, 1, asked, 0.0), absl::Seconds(7));
  EXPECT_LE(RetryWait(policy, 1, WithRetryDelay(status, absl::Hours(9)), 0.0), absl::Minutes(1));
}

TEST(Channel, RefusesBadAddressesAndHalfATls) {
  for (const char* bad :
       {"", "localhost", "localhost:", "localhost:0", "localhost:70000", ":50051", "a b:1"}) {
    ChannelOptions options;
    options.server = bad;
    EXPECT_EQ(OpenChannel(options).status().code(), absl::StatusCode::kInvalidArgument) << bad;
  }
  ChannelOptions half;
  half.certificate_file = "/nonexistent.pem";
  EXPECT_EQ(OpenChannel(half).status().code(), absl::StatusCode::kInvalidArgument);
  half.key_file = "/nonexistent.pem";
  EXPECT_EQ(OpenChannel(half).status().code(), absl::StatusCode::kNotFound);
}

TEST(Client, WaitsOutAServerThatIsFull) {
  FakeService service;
  grpc::Status full =
      DetailedStatus(grpc::StatusCode::RESOURCE_EXHAUSTED, "full", "QUEUE_FULL", 0.02);
  service.behaviour.model_errors = {full, full,
                                    grpc::Status(grpc::StatusCode::UNAVAILABLE, "loading")};
  service.Start();
  ClientOptions options = Impatient();
  int retries = 0;
  options.on_retry = [&](absl::string_view method, const absl::Status&) {
    EXPECT_EQ(method, "GetModel");
    ++retries;
  };
  auto model = Connect(service, options)->GetModel();
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(retries, 3);
}

TEST(Client, DoesNotRepeatWhatCannotSucceed) {
  FakeService service;
  service.behaviour.model_errors = {
      grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "message larger than max")};
  service.Start();
  auto client = Connect(service, Impatient());
  EXPECT_EQ(client->GetModel().status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(client->GetModel().ok());
}

TEST(Client, GivesUpWhenPatienceIsSpentAndSaysThatItWaits) {
  FakeService service;
  service.Start();
  std::string address = service.address();
  service.Stop();
  ChannelOptions channel;
  channel.server = address;
  ClientOptions options = Impatient();
  int waits = 0;
  options.on_waiting = [&](const absl::Status& why, absl::Duration) {
    EXPECT_EQ(why.code(), absl::StatusCode::kUnavailable);
    ++waits;
  };
  Client client(*OpenChannel(channel), options);
  absl::Time start = absl::Now();
  EXPECT_EQ(client.GetModel().status().code(), absl::StatusCode::kUnavailable);
  EXPECT_GT(waits, 3);
  EXPECT_LT(absl::Now() - start, absl::Seconds(20));
}

TEST(Client, FindsAServerThatComesBack) {
  FakeService service;
  service.Start();
  service.Stop();
  ClientOptions options = Impatient();
  options.patience = absl::Seconds(30);
  bool started = false;
  options.on_waiting = [&](const absl::Status&, absl::Duration) {
    if (!std::exchange(started, true)) service.Start();
  };
  auto model = Connect(service, options)->GetModel();
  EXPECT_TRUE(model.ok()) << model.status();
}

// Waits double, and the one that would go beyond it is cut: else a patience of 2 s would end after 1.5 s here.
TEST(Client, PatienceIsUsedToItsEnd) {
  FakeService service;
  service.Start();
  service.Stop();
  ClientOptions options;
  options.patience = absl::Seconds(2);
  options.retry = {absl::Milliseconds(500), absl::Seconds(5), 0};
  absl::Duration waited;
  int waits = 0;
  options.on_waiting = [&](const absl::Status&, absl::Duration so_far) {
    ++waits;
    waited = so_far;
  };
  const absl::Time start = absl::Now();
  EXPECT_TRUE(absl::IsUnavailable(Connect(service, options)->GetModel().status()));
  EXPECT_EQ(waits, 3);  // 0.5 s, 1 s, and what is left
  EXPECT_GE(waited, absl::Milliseconds(1500));
  EXPECT_GE(absl::Now() - start, absl::Milliseconds(1900));
}

// The kernel accepts its connections and nobody ever says a word on them.
TEST(Client, LeavesAConnectionOnWhichNobodySpeaks) {
  FakeService service;
  service.Start();
  ChannelOptions silent, sound;
  int port = 0;
  const int listener = ListenAnywhere(&port);
  silent.server = absl::StrCat("127.0.0.1:", port);
  sound.server = service.address();
  ClientOptions options = Impatient();
  options.patience = absl::Seconds(30);
  options.stall = absl::Milliseconds(300);
  int reopened = 0;
  options.reopen = [&] {
    // The first time there is none to be had.
    return ++reopened == 1 ? absl::InternalError("no files") : OpenChannel(sound);
  };
  Client client(*OpenChannel(silent), options);
  EXPECT_TRUE(client.GetModel().ok());
  EXPECT_EQ(reopened, 2);
  // What answers is kept, whatever it answers.
  service.behaviour.model_errors = {
      grpc::Status(grpc::StatusCode::UNAVAILABLE, "loading"),
      DetailedStatus(grpc::StatusCode::DEADLINE_EXCEEDED, "too short", "DEADLINE_TOO_SHORT")};
  EXPECT_TRUE(client.GetModel().ok());
  EXPECT_EQ(reopened, 2);
  close(listener);
}

TEST(Client, StopEndsTheWait) {
  FakeService service;
  service.Start();
  service.Stop();
  ClientOptions options = Impatient();
  options.patience = absl::Hours(1);
  options.stop = [start = absl::Now()] { return absl::Now() - start > absl::Milliseconds(300); };
  EXPECT_EQ(Connect(service, options)->GetModel().status().code(), absl::StatusCode::kCancelled);
}

TEST(Client, TransfersCheckTheirDigest) {
  FakeService service;
  service.Start();
  auto client = Connect(service, Impatient());
  auto file = client->ExportDirection(v1::ExportDirectionRequest());
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_GT(file->size(), 20u);
  // More than one chunk on the way back.
  std::string big(3'000'000, 'x');
  auto set = client->ImportDirection(big);
  ASSERT_TRUE(set.ok()) << set.status();
  EXPECT_TRUE(set->imported());
}

TEST(RequestId, IsAVersion4Uuid) {
  std::string id = NewRequestId();
  ASSERT_EQ(id.size(), 36u);
  EXPECT_EQ(id[14], '4');
  EXPECT_NE(std::string("89ab").find(id[19]), std::string::npos);
  EXPECT_NE(id, NewRequestId());
}

}  // namespace
}  // namespace steer
