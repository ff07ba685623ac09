// A whole server on a real socket (port 0) over a FakeEngine and a real direction store.
#ifndef STEER_TESTS_SERVER_RPC_SERVICE_FIXTURE_H_
#define STEER_TESTS_SERVER_RPC_SERVICE_FIXTURE_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/errors.h"
#include "google/rpc/error_details.pb.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"
#include "server/rpc/rpc_server.h"
#include "server/rpc/service.h"
#include "server/telemetry/audit_log.h"
#include "server/telemetry/metrics.h"
#include "steer/v1/steer_service.grpc.pb.h"
#include "tests/server/rpc/fake_engine.h"

namespace steer {

inline constexpr char kUuid[] = "123e4567-e89b-42d3-a456-426614174000";
inline constexpr char kOtherUuid[] = "00000000-0000-4000-8000-000000000001";

// Another id at each call.
std::string FreshUuid();

// Details of an error as a client sees them.
struct RpcError {
  grpc::StatusCode code = grpc::StatusCode::OK;
  std::string message;
  std::string reason;
  std::string domain;
  double retry_seconds = 0;
  std::vector<Violation> violations;
};
RpcError ErrorOf(const grpc::Status& status);
// Fields of the violations, joined by spaces.
std::string FieldsOf(const grpc::Status& status);

// Requests that are valid as they are, over `prompts` prompts named "prompt <i>".
v1::FitDirectionRequest FitRequest();
v1::GenerateRequest GenerateRequestOf(const std::string& user);
v1::EvaluateRequest EvaluateRequestOf(int prompts);
v1::Intervention AblateWith(const std::string& set_id, bool control = false);
v1::Intervention AddWith(const std::string& set_id, bool control = false);

// Waits at most 20 s.
bool WaitFor(const std::function<bool()>& condition);

class ServiceFixture : public ::testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;
  // Stops what runs and starts anew over the same store. `serve` false leaves it loading.
  void Restart(RpcServerOptions options, bool serve = true);
  RpcServerOptions Defaults() const;
  std::shared_ptr<grpc::Channel> Connect() const;
  // A set in the store, fitted on prompts "fitted 0" and "fitted 1".
  std::string PutSet(char digit, bool with_states = false);
  std::string AuditText() const;

  // All messages of a stream; `status` gets its end.
  template <class Response>
  static std::vector<Response> ReadAll(grpc::ClientReader<Response>* reader, grpc::Status* status) {
    std::vector<Response> messages;
    for (Response message; reader->Read(&message);) messages.push_back(message);
    *status = reader->Finish();
    return messages;
  }
  std::vector<v1::EvaluateResponse> Evaluate(const v1::EvaluateRequest& request,
                                             grpc::Status* status);
  std::vector<v1::GenerateResponse> Generate(const v1::GenerateRequest& request,
                                             grpc::Status* status);
  std::vector<v1::FitDirectionResponse> Fit(const v1::FitDirectionRequest& request,
                                            grpc::Status* status);

  std::string folder_;
  std::unique_ptr<DirectionStore> store_;
  std::unique_ptr<Metrics> metrics_;
  std::unique_ptr<AuditLog> audit_;
  std::unique_ptr<FakeEngine> engine_;
  std::unique_ptr<RpcServer> server_;
  std::unique_ptr<v1::SteerService::Stub> stub_;
};

}  // namespace steer

#endif  // STEER_TESTS_SERVER_RPC_SERVICE_FIXTURE_H_
