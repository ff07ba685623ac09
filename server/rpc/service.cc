#include "server/rpc/service.h"

#include "server/rpc/handlers.h"

namespace steer {

absl::Span<const MethodName> ServiceMethods() {
  static constexpr MethodName kMethods[] = {
      {"GetModel", CallKind::kUnary},
      {"Tokenize", CallKind::kUnary},
      {"FitDirection", CallKind::kServerStream},
      {"GetDirection", CallKind::kUnary},
      {"ListDirections", CallKind::kUnary},
      {"DeleteDirection", CallKind::kUnary},
      {"ExportDirection", CallKind::kServerStream},
      {"ImportDirection", CallKind::kClientStream},
      {"Generate", CallKind::kServerStream},
      {"Evaluate", CallKind::kServerStream},
  };
  return kMethods;
}

grpc::ServerUnaryReactor* SteerServiceImpl::GetModel(grpc::CallbackServerContext* context,
                                                     const v1::GetModelRequest* request,
                                                     v1::GetModelResponse* response) {
  return RunUnary(state_, "GetModel", context, request, response, HandleGetModel);
}

grpc::ServerUnaryReactor* SteerServiceImpl::Tokenize(grpc::CallbackServerContext* context,
                                                     const v1::TokenizeRequest* request,
                                                     v1::TokenizeResponse* response) {
  return RunUnary(state_, "Tokenize", context, request, response, HandleTokenize);
}

grpc::ServerWriteReactor<v1::FitDirectionResponse>* SteerServiceImpl::FitDirection(
    grpc::CallbackServerContext* context, const v1::FitDirectionRequest* request) {
  return RunStream<v1::FitDirectionRequest, v1::FitDirectionResponse>(
      state_, "FitDirection", false, MergeFit, context, request, HandleFitDirection);
}

grpc::ServerUnaryReactor* SteerServiceImpl::GetDirection(grpc::CallbackServerContext* context,
                                                         const v1::GetDirectionRequest* request,
                                                         v1::GetDirectionResponse* response) {
  return RunUnary(state_, "GetDirection", context, request, response, HandleGetDirection);
}

grpc::ServerUnaryReactor* SteerServiceImpl::ListDirections(grpc::CallbackServerContext* context,
                                                           const v1::ListDirectionsRequest* request,
                                                           v1::ListDirectionsResponse* response) {
  return RunUnary(state_, "ListDirections", context, request, response, HandleListDirections);
}

grpc::ServerUnaryReactor* SteerServiceImpl::DeleteDirection(
    grpc::CallbackServerContext* context, const v1::DeleteDirectionRequest* request,
    v1::DeleteDirectionResponse* response) {
  return RunUnary(state_, "DeleteDirection", context, request, response, HandleDeleteDirection);
}

grpc::ServerWriteReactor<v1::ExportDirectionResponse>* SteerServiceImpl::ExportDirection(
    grpc::CallbackServerContext* context, const v1::ExportDirectionRequest* request) {
  return RunStream<v1::ExportDirectionRequest, v1::ExportDirectionResponse>(
      state_, "ExportDirection", true, nullptr, context, request, HandleExportDirection);
}

grpc::ServerReadReactor<v1::ImportDirectionRequest>* SteerServiceImpl::ImportDirection(
    grpc::CallbackServerContext* context, v1::ImportDirectionResponse* response) {
  return RunImport(state_, context, response);
}

grpc::ServerWriteReactor<v1::GenerateResponse>* SteerServiceImpl::Generate(
    grpc::CallbackServerContext* context, const v1::GenerateRequest* request) {
  return RunStream<v1::GenerateRequest, v1::GenerateResponse>(
      state_, "Generate", false, MergeGenerate, context, request, HandleGenerate);
}

grpc::ServerWriteReactor<v1::EvaluateResponse>* SteerServiceImpl::Evaluate(
    grpc::CallbackServerContext* context, const v1::EvaluateRequest* request) {
  return RunStream<v1::EvaluateRequest, v1::EvaluateResponse>(
      state_, "Evaluate", false, MergeEvaluate, context, request, HandleEvaluate);
}

}  // namespace steer
