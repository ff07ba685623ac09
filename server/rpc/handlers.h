// One function an RPC; each runs on the edge pool, inside the wrappers of reactors.h.
#ifndef STEER_SERVER_RPC_HANDLERS_H_
#define STEER_SERVER_RPC_HANDLERS_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/rpc/reactors.h"
#include "steer/v1/steer_service.pb.h"

namespace steer {

absl::Status HandleGetModel(Call& call, const v1::GetModelRequest& request,
                            v1::GetModelResponse* response);
absl::Status HandleTokenize(Call& call, const v1::TokenizeRequest& request,
                            v1::TokenizeResponse* response);
absl::Status HandleGetDirection(Call& call, const v1::GetDirectionRequest& request,
                                v1::GetDirectionResponse* response);
absl::Status HandleListDirections(Call& call, const v1::ListDirectionsRequest& request,
                                  v1::ListDirectionsResponse* response);
absl::Status HandleDeleteDirection(Call& call, const v1::DeleteDirectionRequest& request,
                                   v1::DeleteDirectionResponse* response);

// After OK the stream's Done has been or will be called.
absl::Status HandleExportDirection(
    const std::shared_ptr<StreamCall<v1::ExportDirectionResponse>>& stream,
    const v1::ExportDirectionRequest& request);
absl::Status HandleFitDirection(const std::shared_ptr<StreamCall<v1::FitDirectionResponse>>& stream,
                                const v1::FitDirectionRequest& request);
absl::Status HandleGenerate(const std::shared_ptr<StreamCall<v1::GenerateResponse>>& stream,
                            const v1::GenerateRequest& request);
absl::Status HandleEvaluate(const std::shared_ptr<StreamCall<v1::EvaluateResponse>>& stream,
                            const v1::EvaluateRequest& request);

// How waiting messages merge: progress replaces progress, text extends text.
bool MergeFit(v1::FitDirectionResponse& last, v1::FitDirectionResponse& next);
bool MergeGenerate(v1::GenerateResponse& last, v1::GenerateResponse& next);
bool MergeEvaluate(v1::EvaluateResponse& last, v1::EvaluateResponse& next);

// Stores the bytes of an exported set.
absl::Status ImportDirection(Call& call, const std::string& bytes, const std::string& sha256,
                             v1::ImportDirectionResponse* response);
grpc::ServerReadReactor<v1::ImportDirectionRequest>* RunImport(
    ServiceState* state, grpc::CallbackServerContext* context,
    v1::ImportDirectionResponse* response);

}  // namespace steer

#endif  // STEER_SERVER_RPC_HANDLERS_H_
