// Each limit takes what has its very size and refuses one more. Limits of connections are in
// connection_limits_test.cc, those of calls in limits_test.cc and admission_test.cc, those of
// fields in validate_test.cc.
#include <future>

#include "common/digest.h"
#include "server/steering/direction_set.h"
#include "tests/server/rpc/service_fixture.h"

namespace steer {
namespace {

class ExactLimitsTest : public ServiceFixture {
 protected:
  void RestartWith(const std::function<void(ServiceOptions*)>& change) {
    RpcServerOptions options = Defaults();
    change(&options.service);
    Restart(options);
  }
  grpc::Status Import(const std::string& file) {
    grpc::ClientContext context;
    v1::ImportDirectionResponse response;
    auto writer = stub_->ImportDirection(&context, &response);
    v1::ImportDirectionRequest message;
    message.set_chunk(file);
    message.set_sha256(Sha256Hex(file));
    writer->Write(message);
    writer->WritesDone();
    return writer->Finish();
  }
  static std::string FileOf(char digit) {
    return *SerializeDirectionSet(MakeFakeSet(std::string(64, digit), {}, false), false);
  }
  grpc::Status FitStatus(const v1::FitDirectionRequest& request) {
    grpc::Status status;
    Fit(request, &status);
    return status;
  }
  grpc::Status EvaluateStatus(int prompts) {
    v1::EvaluateRequest request = EvaluateRequestOf(prompts);
    request.set_request_id(FreshUuid());
    grpc::Status status;
    Evaluate(request, &status);
    return status;
  }
};

TEST_F(ExactLimitsTest, MessageSize) {
  v1::TokenizeRequest request;
  request.add_prompts()->set_user(std::string(100, 'x'));
  RestartWith([&](ServiceOptions* o) {
    o->max_request_bytes = static_cast<int64_t>(request.ByteSizeLong());
  });
  v1::TokenizeResponse response;
  grpc::ClientContext fits, over;
  const grpc::Status taken = stub_->Tokenize(&fits, request, &response);
  EXPECT_TRUE(taken.ok()) << taken.error_message();
  request.mutable_prompts(0)->set_user(std::string(101, 'x'));
  EXPECT_EQ(ErrorOf(stub_->Tokenize(&over, request, &response)).reason, "REQUEST_TOO_LARGE");
}

// 2 tokens of the template, what the prompt has (one a byte) and the window, in 200.
TEST_F(ExactLimitsTest, TokensOfARow) {
  grpc::Status status;
  Generate(GenerateRequestOf(std::string(200 - 2 - 8, 'x')), &status);
  EXPECT_TRUE(status.ok()) << status.error_message();
  Generate(GenerateRequestOf(std::string(200 - 2 - 8 + 1, 'x')), &status);
  EXPECT_EQ(status.error_code(), grpc::INVALID_ARGUMENT);
  EXPECT_EQ(FieldsOf(status), "prompt.user");
}

// Evaluations of two prompts need 16 tokens each.
TEST_F(ExactLimitsTest, TokensAndBytesOfAllCalls) {
  const int64_t bytes = static_cast<int64_t>(EvaluateRequestOf(2).ByteSizeLong());
  for (const bool tokens : {true, false}) {
    for (const int64_t less : {0, 1}) {
      RestartWith([&](ServiceOptions* o) {
        (tokens ? o->queue_tokens : o->queue_bytes) = 2 * (tokens ? 16 : bytes) - less;
      });
      engine_->Block(true);
      const int before = engine_->jobs_submitted(), ended = engine_->jobs_ended();
      grpc::ClientContext context;
      v1::EvaluateRequest request = EvaluateRequestOf(2);
      request.set_request_id(FreshUuid());
      auto held = stub_->Evaluate(&context, request);
      ASSERT_TRUE(WaitFor([&] { return engine_->jobs_submitted() == before + 1; }));
      auto second = std::async(std::launch::async, [&] { return EvaluateStatus(2); });
      if (less == 0) {
        EXPECT_TRUE(WaitFor([&] { return engine_->jobs_submitted() == before + 2; }));
      } else {
        const RpcError error = ErrorOf(second.get());
        EXPECT_EQ(error.reason, tokens ? "QUEUE_TOKENS" : "QUEUE_BYTES");
        EXPECT_GT(error.retry_seconds, 0);
      }
      engine_->Block(false);
      grpc::Status status;
      ReadAll(held.get(), &status);
      EXPECT_TRUE(status.ok()) << status.error_message();
      if (less == 0) {
        status = second.get();
        EXPECT_TRUE(status.ok()) << status.error_message();
      }
      EXPECT_TRUE(WaitFor([&] { return engine_->jobs_ended() == ended + 2 - less; }));
    }
  }
}

TEST_F(ExactLimitsTest, BytesOfAnImport) {
  const std::string file = FileOf('c');
  const auto limit = [&](int64_t bytes) {
    RestartWith([bytes](ServiceOptions* o) { o->max_import_bytes = bytes; });
  };
  limit(static_cast<int64_t>(file.size()) - 1);
  EXPECT_EQ(FieldsOf(Import(file)), "chunk");
  EXPECT_FALSE(store_->Get(std::string(64, 'c')).ok());
  limit(static_cast<int64_t>(file.size()));
  const grpc::Status taken = Import(file);
  EXPECT_TRUE(taken.ok()) << taken.error_message();
}

TEST_F(ExactLimitsTest, StoredDirections) {
  store_->set_max_sets(3);
  PutSet('1');
  EXPECT_TRUE(Import(FileOf('2')).ok());
  const v1::FitDirectionRequest request = FitRequest();
  EXPECT_TRUE(FitStatus(request).ok());
  // The fourth, in every way that one can come.
  v1::FitDirectionRequest another = FitRequest();
  another.set_request_id(kOtherUuid);
  another.mutable_harmful(0)->set_user("how to peel an orange");
  v1::FitDirectionRequest asked = another;
  asked.set_validate_only(true);
  const int jobs = engine_->jobs_submitted();
  for (const grpc::Status& status : {FitStatus(another), FitStatus(asked), Import(FileOf('3'))}) {
    const RpcError error = ErrorOf(status);
    EXPECT_EQ(error.code, grpc::RESOURCE_EXHAUSTED) << error.message;
    EXPECT_EQ(error.reason, "TOO_MANY_DIRECTIONS");
    EXPECT_NE(error.message.find("--max-directions"), std::string::npos);
    EXPECT_EQ(error.retry_seconds, 0) << "waiting makes no room";
  }
  EXPECT_EQ(engine_->jobs_submitted(), jobs) << "a fit ran for nothing";
  // What is there is found, and comes in again, as before.
  v1::FitDirectionRequest same = request;
  same.set_request_id(FreshUuid());
  EXPECT_TRUE(FitStatus(same).ok());
  EXPECT_TRUE(Import(FileOf('2')).ok());
  ASSERT_TRUE(store_->Delete(std::string(64, '1')).ok());
  EXPECT_TRUE(FitStatus(another).ok());
}

}  // namespace
}  // namespace steer
