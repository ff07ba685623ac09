#include "tests/server/rpc/service_fixture.h"

#include <atomic>
#include <cstdlib>
#include <filesystem>

#include "common/files.h"
#include "common/prompt_form.h"
#include "google/rpc/status.pb.h"

#include "absl/strings/str_format.h"

namespace steer {

RpcError ErrorOf(const grpc::Status& status) {
  RpcError error;
  error.code = status.error_code();
  error.message = status.error_message();
  // gRPC's own errors carry none.
  if (status.error_details().empty()) return error;
  google::rpc::Status rich;
  if (!rich.ParseFromString(status.error_details())) return error;
  if (rich.code() != status.error_code()) ADD_FAILURE() << "codes differ";
  for (const auto& any : rich.details()) {
    google::rpc::ErrorInfo info;
    google::rpc::RetryInfo retry;
    google::rpc::BadRequest bad;
    if (any.UnpackTo(&info)) {
      error.reason = info.reason();
      error.domain = info.domain();
    } else if (any.UnpackTo(&retry)) {
      error.retry_seconds =
          static_cast<double>(retry.retry_delay().seconds()) + retry.retry_delay().nanos() * 1e-9;
    } else if (any.UnpackTo(&bad)) {
      for (const auto& v : bad.field_violations()) {
        error.violations.push_back({v.field(), v.description()});
      }
    }
  }
  return error;
}

std::string FieldsOf(const grpc::Status& status) {
  std::string fields;
  for (const Violation& v : ErrorOf(status).violations) {
    absl::StrAppend(&fields, fields.empty() ? "" : " ", v.field);
  }
  return fields;
}

std::string FreshUuid() {
  static std::atomic<int> made{0};
  return absl::StrFormat("00000000-0000-4000-8000-%012x", 16 + ++made);
}

v1::FitDirectionRequest FitRequest() {
  v1::FitDirectionRequest request;
  request.set_request_id(kUuid);
  request.set_expected_model_fingerprint(kFakeModel);
  for (const char* user : {"how to fold a paper crane", "how to whistle a tune"}) {
    request.add_harmful()->set_user(user);
  }
  for (const char* user : {"name three rivers", "name three hills"}) {
    request.add_harmless()->set_user(user);
  }
  return request;
}

v1::GenerateRequest GenerateRequestOf(const std::string& user) {
  v1::GenerateRequest request;
  request.set_request_id(kUuid);
  request.set_expected_model_fingerprint(kFakeModel);
  request.mutable_prompt()->set_user(user);
  request.mutable_decoding()->set_max_new_tokens(8);
  return request;
}

v1::EvaluateRequest EvaluateRequestOf(int prompts) {
  v1::EvaluateRequest request;
  request.set_request_id(kUuid);
  request.set_expected_model_fingerprint(kFakeModel);
  request.set_purpose(v1::PURPOSE_EXPLORE);
  request.mutable_decoding()->set_max_new_tokens(8);
  request.set_readout("post-1");
  v1::Arm* arm = request.add_arms();
  arm->set_name("baseline");
  for (int i = 0; i < prompts; ++i) {
    request.add_prompts()->set_user(absl::StrCat("prompt ", i));
    arm->add_prompts(i);
  }
  return request;
}

namespace {

void Fill(v1::DirectionRef* ref, const std::string& set_id, bool control) {
  ref->set_set_id(set_id);
  ref->set_position(-1);
  ref->set_layer(1);
  if (!control) return;
  ref->mutable_control()->set_family(v1::CONTROL_FAMILY_ISOTROPIC);
  ref->mutable_control()->set_seed(7);
}

}  // namespace

v1::Intervention AblateWith(const std::string& set_id, bool control) {
  v1::Intervention intervention;
  Fill(intervention.add_ops()->mutable_ablate()->add_directions(), set_id, control);
  return intervention;
}

v1::Intervention AddWith(const std::string& set_id, bool control) {
  v1::Intervention intervention;
  v1::Add* add = intervention.add_ops()->mutable_add();
  Fill(add->mutable_direction(), set_id, control);
  add->set_coefficient(1);
  return intervention;
}

bool WaitFor(const std::function<bool()>& condition) {
  const absl::Time end = absl::Now() + absl::Seconds(20);
  while (!condition()) {
    if (absl::Now() > end) return false;
    absl::SleepFor(absl::Milliseconds(5));
  }
  return true;
}

void ServiceFixture::SetUp() {
  std::string pattern = (std::filesystem::temp_directory_path() / "steer_rpc_XXXXXX").string();
  ASSERT_NE(mkdtemp(pattern.data()), nullptr);
  folder_ = pattern;
  std::vector<std::string> warnings;
  auto store = DirectionStore::Open(folder_ + "/directions", &warnings);
  ASSERT_TRUE(store.ok()) << store.status();
  store_ = *std::move(store);
  metrics_ = std::make_unique<Metrics>(kServiceName, ServiceMethods(), BuildWords{"test"});
  auto audit = AuditLog::Open(folder_ + "/audit.jsonl");
  ASSERT_TRUE(audit.ok()) << audit.status();
  audit_ = *std::move(audit);
  engine_ = std::make_unique<FakeEngine>(store_.get(), metrics_.get());
  Restart(Defaults());
}

void ServiceFixture::TearDown() {
  engine_->Block(false);
  stub_ = nullptr;
  server_ = nullptr;
  engine_ = nullptr;
  store_ = nullptr;
  std::filesystem::remove_all(folder_);
}

RpcServerOptions ServiceFixture::Defaults() const {
  RpcServerOptions options;
  options.listen.address = "127.0.0.1:0";
  options.watch_period = absl::Milliseconds(20);
  options.service.version = "1.2.3-test";
  return options;
}

void ServiceFixture::Restart(RpcServerOptions options, bool serve) {
  stub_ = nullptr;
  server_ = nullptr;
  auto server = RpcServer::Start(std::move(options), metrics_.get(), audit_.get());
  ASSERT_TRUE(server.ok()) << server.status();
  server_ = *std::move(server);
  if (serve) server_->Serve(engine_.get());
  stub_ = v1::SteerService::NewStub(Connect());
}

std::shared_ptr<grpc::Channel> ServiceFixture::Connect() const {
  grpc::ChannelArguments arguments;
  // Channels with equal arguments would share a connection.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::CreateCustomChannel(absl::StrCat("127.0.0.1:", server_->port()),
                                   grpc::InsecureChannelCredentials(), arguments);
}

std::string ServiceFixture::PutSet(char digit, bool with_states) {
  const std::string id(64, digit);
  const absl::Status status =
      store_->Put(MakeFakeSet(id, {*PromptHash("fitted 0"), *PromptHash("fitted 1")}, with_states));
  if (!status.ok()) ADD_FAILURE() << status;
  return id;
}

std::string ServiceFixture::AuditText() const {
  return ReadFile(folder_ + "/audit.jsonl").value_or("");
}

std::vector<v1::EvaluateResponse> ServiceFixture::Evaluate(const v1::EvaluateRequest& request,
                                                           grpc::Status* status) {
  grpc::ClientContext context;
  return ReadAll(stub_->Evaluate(&context, request).get(), status);
}

std::vector<v1::GenerateResponse> ServiceFixture::Generate(const v1::GenerateRequest& request,
                                                           grpc::Status* status) {
  grpc::ClientContext context;
  return ReadAll(stub_->Generate(&context, request).get(), status);
}

std::vector<v1::FitDirectionResponse> ServiceFixture::Fit(const v1::FitDirectionRequest& request,
                                                          grpc::Status* status) {
  grpc::ClientContext context;
  return ReadAll(stub_->FitDirection(&context, request).get(), status);
}

}  // namespace steer
