// A fake service that refuses the calls that a test names, and whose answers a test may edit.
#ifndef STEER_TESTS_CLIENT_COMMANDS_EDITED_SERVICE_H_
#define STEER_TESTS_CLIENT_COMMANDS_EDITED_SERVICE_H_

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/optional.h"
#include "tests/client/api/fake_service.h"

namespace steer {

// Change its fields only while no call runs.
class EditedService : public FakeService {
 public:
  std::map<std::string, grpc::Status> refused;  // by method: "ListDirections"
  std::function<void(v1::GetModelResponse*)> edit_model;
  // What Generate answers, in place of the fake's.
  std::vector<std::string> pieces;
  absl::optional<v1::GenerateResult> generated;

  // The last of each.
  v1::GenerateRequest generate_request() const {
    absl::MutexLock lock(&last_mutex_);
    return generate_request_;
  }
  v1::TokenizeRequest tokenize_request() const {
    absl::MutexLock lock(&last_mutex_);
    return tokenize_request_;
  }
  // Of an answer that no retry would change.
  void Refuse(const std::string& method) {
    refused[method] =
        DetailedStatus(grpc::StatusCode::PERMISSION_DENIED, "not for you", "NOT_ALLOWED");
  }

  grpc::Status GetModel(grpc::ServerContext* context, const v1::GetModelRequest* request,
                        v1::GetModelResponse* response) override {
    if (!Status("GetModel").ok()) return Status("GetModel");
    const grpc::Status status = FakeService::GetModel(context, request, response);
    if (edit_model) edit_model(response);
    return status;
  }
  grpc::Status Tokenize(grpc::ServerContext* context, const v1::TokenizeRequest* request,
                        v1::TokenizeResponse* response) override {
    {
      absl::MutexLock lock(&last_mutex_);
      tokenize_request_ = *request;
    }
    if (!Status("Tokenize").ok()) return Status("Tokenize");
    return FakeService::Tokenize(context, request, response);
  }
  grpc::Status FitDirection(grpc::ServerContext* context, const v1::FitDirectionRequest* request,
                            grpc::ServerWriter<v1::FitDirectionResponse>* writer) override {
    if (!Status("FitDirection").ok()) return Status("FitDirection");
    return FakeService::FitDirection(context, request, writer);
  }
  grpc::Status ListDirections(grpc::ServerContext* context,
                              const v1::ListDirectionsRequest* request,
                              v1::ListDirectionsResponse* response) override {
    if (!Status("ListDirections").ok()) return Status("ListDirections");
    return FakeService::ListDirections(context, request, response);
  }
  grpc::Status Generate(grpc::ServerContext* context, const v1::GenerateRequest* request,
                        grpc::ServerWriter<v1::GenerateResponse>* writer) override {
    {
      absl::MutexLock lock(&last_mutex_);
      generate_request_ = *request;
    }
    if (!Status("Generate").ok()) return Status("Generate");
    if (!generated) return FakeService::Generate(context, request, writer);
    v1::GenerateResponse message;
    for (const std::string& piece : pieces) {
      message.set_text(piece);
      writer->Write(message);
    }
    *message.mutable_result() = *generated;
    writer->Write(message);
    return grpc::Status::OK;
  }

 private:
  grpc::Status Status(const std::string& method) const {
    const auto it = refused.find(method);
    return it == refused.end() ? grpc::Status::OK : it->second;
  }

  mutable absl::Mutex last_mutex_;
  v1::GenerateRequest generate_request_ ABSL_GUARDED_BY(last_mutex_);
  v1::TokenizeRequest tokenize_request_ ABSL_GUARDED_BY(last_mutex_);
};

}  // namespace steer

#endif  // STEER_TESTS_CLIENT_COMMANDS_EDITED_SERVICE_H_
