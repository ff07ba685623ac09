// A SteerService in this process with planted rates, and ways to misbehave. Outcomes depend on the
// prompt and the intervention alone, so every run against it must come to the same numbers.
#ifndef STEER_TESTS_CLIENT_API_FAKE_SERVICE_H_
#define STEER_TESTS_CLIENT_API_FAKE_SERVICE_H_

#include <grpcpp/grpcpp.h>

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "steer/v1/steer_service.grpc.pb.h"

namespace steer {

// Word that marks a prompt of the harmful class for the fake; made up, as all its prompts are.
inline constexpr char kHarmfulWord[] = "vorpal";

struct FakeBehaviour {
  int layers = 6;
  int best_layer = 3;
  std::set<int> unusable_layers = {0};
  double baseline_refusal = 0.95;  // of harmful prompts
  std::string model_fingerprint = std::string(64, 'a');
  std::string numeric_fingerprint = std::string(64, 'b');
  v1::Limits limits;         // filled by the constructor
  bool round_robin = false;  // rows of all arms interleaved, as a batching engine sends them
  int row_milliseconds = 0;
  // The first `broken_streams` Evaluate calls end with UNAVAILABLE after `break_after` outcomes.
  int broken_streams = 0;
  int break_after = 0;
  // Called on what is sent; may change anything.
  std::function<void(v1::ArmResult*)> edit_receipt;
  std::function<void(v1::Outcome*)> edit_outcome;
  std::function<void(v1::DirectionSet*)> edit_set;
  // A status other than OK refuses the Evaluate call.
  std::function<grpc::Status(const v1::EvaluateRequest&)> refuse_evaluate;
  // The same for other calls, by their name: "GetModel", "FitDirection", "GetDirection", "ExportDirection", "ImportDirection".
  std::function<grpc::Status(const std::string&)> refuse;
  std::function<void(v1::GetDirectionResponse*)> edit_direction;
  // Errors that GetModel answers with, first to last, before it works.
  std::vector<grpc::Status> model_errors;
};

class FakeService : public v1::SteerService::Service {
 public:
  FakeService();
  // Starts listening on a free port of the loopback.
  void Start();
  // Stops; Start may follow, on the same port.
  void Stop();
  ~FakeService() override { Stop(); }
  std::string address() const;

  // Change only while no call runs.
  FakeBehaviour behaviour;
  // What came, in order.
  std::vector<v1::EvaluateRequest> evaluate_requests() const;
  int fit_calls() const;
  int import_calls() const;
  // Forgets every direction set, as a server whose store was wiped.
  void ForgetSets();

  grpc::Status GetModel(grpc::ServerContext*, const v1::GetModelRequest*,
                        v1::GetModelResponse*) override;
  grpc::Status Tokenize(grpc::ServerContext*, const v1::TokenizeRequest*,
                        v1::TokenizeResponse*) override;
  grpc::Status FitDirection(grpc::ServerContext*, const v1::FitDirectionRequest*,
                            grpc::ServerWriter<v1::FitDirectionResponse>*) override;
  grpc::Status GetDirection(grpc::ServerContext*, const v1::GetDirectionRequest*,
                            v1::GetDirectionResponse*) override;
  grpc::Status ListDirections(grpc::ServerContext*, const v1::ListDirectionsRequest*,
                              v1::ListDirectionsResponse*) override;
  grpc::Status DeleteDirection(grpc::ServerContext*, const v1::DeleteDirectionRequest*,
                               v1::DeleteDirectionResponse*) override;
  grpc::Status ExportDirection(grpc::ServerContext*, const v1::ExportDirectionRequest*,
                               grpc::ServerWriter<v1::ExportDirectionResponse>*) override;
  grpc::Status ImportDirection(grpc::ServerContext*,
                               grpc::ServerReader<v1::ImportDirectionRequest>*,
                               v1::ImportDirectionResponse*) override;
  grpc::Status Generate(grpc::ServerContext*, const v1::GenerateRequest*,
                        grpc::ServerWriter<v1::GenerateResponse>*) override;
  grpc::Status Evaluate(grpc::ServerContext*, const v1::EvaluateRequest*,
                        grpc::ServerWriter<v1::EvaluateResponse>*) override;

 private:
  grpc::Status Refusal(const char* call) const {
    return behaviour.refuse ? behaviour.refuse(call) : grpc::Status::OK;
  }
  v1::Outcome OutcomeOf(const v1::EvaluateRequest& request, int arm, int prompt) const;
  v1::ArmResult ResultOf(const v1::EvaluateRequest& request, int arm,
                         const std::vector<v1::Outcome>& rows) const;

  mutable absl::Mutex mutex_;
  std::map<std::string, v1::DirectionSet> sets_ ABSL_GUARDED_BY(mutex_);
  std::vector<v1::EvaluateRequest> evaluate_requests_ ABSL_GUARDED_BY(mutex_);
  int fit_calls_ ABSL_GUARDED_BY(mutex_) = 0;
  int import_calls_ ABSL_GUARDED_BY(mutex_) = 0;
  int model_calls_ ABSL_GUARDED_BY(mutex_) = 0;
  std::unique_ptr<grpc::Server> server_;
  int port_ = 0;
};

// A grpc::Status with google.rpc details, as steerd sends it.
grpc::Status DetailedStatus(
    grpc::StatusCode code, const std::string& message, const std::string& reason,
    double retry_seconds = -1,
    const std::vector<std::pair<std::string, std::string>>& violations = {});

}  // namespace steer

#endif  // STEER_TESTS_CLIENT_API_FAKE_SERVICE_H_
