// Age, idleness and streams of connections, and the size of headers.
#include <set>

#include "tests/server/rpc/service_fixture.h"

namespace steer {
namespace {

class ConnectionLimitsTest : public ServiceFixture {
 protected:
  // The peers in the audit log: one a connection.
  std::set<std::string> Peers() {
    std::set<std::string> peers;
    const std::string text = AuditText();
    for (size_t at = text.find("\"peer\":"); at != std::string::npos;
         at = text.find("\"peer\":", at + 1)) {
      peers.insert(text.substr(at, text.find(',', at) - at));
    }
    return peers;
  }
  bool GetModel(v1::SteerService::Stub* stub) {
    grpc::ClientContext context;
    v1::GetModelResponse model;
    return stub->GetModel(&context, {}, &model).ok();
  }
};

TEST_F(ConnectionLimitsTest, AnOldConnectionIsReplacedAndItsCallGoesOn) {
  RpcServerOptions options = Defaults();
  options.max_connection_age = absl::Milliseconds(300);
  Restart(options);
  engine_->Block(true);
  grpc::ClientContext context;
  auto reader = stub_->Generate(&context, GenerateRequestOf("a"));
  ASSERT_TRUE(WaitFor([&] { return engine_->jobs_submitted() == 1; }));
  EXPECT_TRUE(GetModel(stub_.get()));
  EXPECT_TRUE(WaitFor([&] {
    EXPECT_TRUE(GetModel(stub_.get()));
    return Peers().size() >= 2;
  }));
  engine_->Block(false);
  grpc::Status status;
  const auto messages = ReadAll(reader.get(), &status);
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_FALSE(messages.empty());
}

TEST_F(ConnectionLimitsTest, WithoutALimitAConnectionStays) {
  RpcServerOptions options = Defaults();
  options.max_connection_age = absl::ZeroDuration();
  options.max_connection_idle = absl::ZeroDuration();
  Restart(options);
  for (int i = 0; i < 8; ++i) {
    EXPECT_TRUE(GetModel(stub_.get()));
    absl::SleepFor(absl::Milliseconds(100));
  }
  EXPECT_EQ(Peers().size(), 1u);
}

TEST_F(ConnectionLimitsTest, AnIdleConnectionIsClosed) {
  RpcServerOptions options = Defaults();
  options.max_connection_idle = absl::Milliseconds(200);
  Restart(options);
  const auto channel = Connect();
  const auto stub = v1::SteerService::NewStub(channel);
  EXPECT_TRUE(GetModel(stub.get()));
  EXPECT_EQ(channel->GetState(false), GRPC_CHANNEL_READY);
  EXPECT_TRUE(WaitFor([&] { return channel->GetState(false) != GRPC_CHANNEL_READY; }));
  EXPECT_TRUE(GetModel(stub.get()));
  EXPECT_EQ(Peers().size(), 2u);
}

// Streams beyond the limit of a connection wait in the client; they reach the server, to be refused
// by admission with a reason, as soon as others end.
TEST_F(ConnectionLimitsTest, StreamsOfOneConnection) {
  RpcServerOptions options = Defaults();
  options.service.max_concurrent_calls = 2;
  Restart(options);
  engine_->Block(true);
  constexpr int kCalls = 2 + 64 + 10;
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
  std::vector<std::unique_ptr<grpc::ClientReader<v1::GenerateResponse>>> readers;
  for (int i = 0; i < kCalls; ++i) {
    contexts.push_back(std::make_unique<grpc::ClientContext>());
    contexts.back()->set_deadline(absl::ToChronoTime(absl::Now() + absl::Seconds(20)));
    readers.push_back(stub_->Generate(contexts.back().get(), GenerateRequestOf("a")));
    // The first two have the slots before others come: streams of one connection reach handlers in any order.
    if (i == 1) {
      ASSERT_TRUE(WaitFor([&] { return engine_->jobs_submitted() == 2; }));
    }
  }
  int refused = 0;
  for (int i = 2; i < kCalls; ++i) {
    grpc::Status status;
    ReadAll(readers[i].get(), &status);
    refused += ErrorOf(status).reason == "TOO_MANY_CALLS";
  }
  EXPECT_EQ(refused, kCalls - 2);
  engine_->Block(false);
  for (int i = 0; i < 2; ++i) {
    grpc::Status status;
    ReadAll(readers[i].get(), &status);
    EXPECT_TRUE(status.ok());
  }
}

TEST_F(ConnectionLimitsTest, HeadersAreBounded) {
  grpc::ClientContext context;
  context.AddMetadata("x-large", std::string(64 << 10, 'a'));
  v1::GetModelResponse model;
  EXPECT_EQ(stub_->GetModel(&context, {}, &model).error_code(), grpc::RESOURCE_EXHAUSTED);
  // gRPC may give up the connection with it; the server answers on the next one.
  EXPECT_TRUE(WaitFor([&] { return GetModel(stub_.get()); }));
}

}  // namespace
}  // namespace steer
