// steer.v1.SteerService on gRPC's callback API: names each RPC's shape and handler, nothing else.
#ifndef STEER_SERVER_RPC_SERVICE_H_
#define STEER_SERVER_RPC_SERVICE_H_

#include "server/rpc/service_state.h"
#include "steer/v1/steer_service.grpc.pb.h"

namespace steer {

class SteerServiceImpl final : public v1::SteerService::CallbackService {
 public:
  explicit SteerServiceImpl(ServiceState* state) : state_(state) {}

  grpc::ServerUnaryReactor* GetModel(grpc::CallbackServerContext* context,
                                     const v1::GetModelRequest* request,
                                     v1::GetModelResponse* response) override;
  grpc::ServerUnaryReactor* Tokenize(grpc::CallbackServerContext* context,
                                     const v1::TokenizeRequest* request,
                                     v1::TokenizeResponse* response) override;
  grpc::ServerWriteReactor<v1::FitDirectionResponse>* FitDirection(
      grpc::CallbackServerContext* context, const v1::FitDirectionRequest* request) override;
  grpc::ServerUnaryReactor* GetDirection(grpc::CallbackServerContext* context,
                                         const v1::GetDirectionRequest* request,
                                         v1::GetDirectionResponse* response) override;
  grpc::ServerUnaryReactor* ListDirections(grpc::CallbackServerContext* context,
                                           const v1::ListDirectionsRequest* request,
                                           v1::ListDirectionsResponse* response) override;
  grpc::ServerUnaryReactor* DeleteDirection(grpc::CallbackServerContext* context,
                                            const v1::DeleteDirectionRequest* request,
                                            v1::DeleteDirectionResponse* response) override;
  grpc::ServerWriteReactor<v1::ExportDirectionResponse>* ExportDirection(
      grpc::CallbackServerContext* context, const v1::ExportDirectionRequest* request) override;
  grpc::ServerReadReactor<v1::ImportDirectionRequest>* ImportDirection(
      grpc::CallbackServerContext* context, v1::ImportDirectionResponse* response) override;
  grpc::ServerWriteReactor<v1::GenerateResponse>* Generate(
      grpc::CallbackServerContext* context, const v1::GenerateRequest* request) override;
  grpc::ServerWriteReactor<v1::EvaluateResponse>* Evaluate(
      grpc::CallbackServerContext* context, const v1::EvaluateRequest* request) override;

 private:
  ServiceState* const state_;
};

// For telemetry.
absl::Span<const MethodName> ServiceMethods();

}  // namespace steer

#endif  // STEER_SERVER_RPC_SERVICE_H_
