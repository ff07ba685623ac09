// Transfers of the fake service, the calls that a run does not use, and its errors. A whole set
// without states travels as its message; anything else as one small direction file.
#include "common/digest.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "tests/client/api/fake_service.h"

namespace steer {

grpc::Status DetailedStatus(grpc::StatusCode code, const std::string& message,
                            const std::string& reason, double retry_seconds,
                            const std::vector<std::pair<std::string, std::string>>& violations) {
  google::rpc::Status details;
  details.set_code(code);
  details.set_message(message);
  google::rpc::ErrorInfo info;
  info.set_reason(reason);
  info.set_domain("steer");
  details.add_details()->PackFrom(info);
  if (retry_seconds >= 0) {
    google::rpc::RetryInfo retry;
    retry.mutable_retry_delay()->set_nanos(static_cast<int>(retry_seconds * 1e9));
    details.add_details()->PackFrom(retry);
  }
  if (!violations.empty()) {
    google::rpc::BadRequest bad;
    for (const auto& [field, description] : violations) {
      auto* v = bad.add_field_violations();
      v->set_field(field);
      v->set_description(description);
    }
    details.add_details()->PackFrom(bad);
  }
  return grpc::Status(code, message, details.SerializeAsString());
}

grpc::Status FakeService::ListDirections(grpc::ServerContext*,
                                         const v1::ListDirectionsRequest* request,
                                         v1::ListDirectionsResponse* response) {
  absl::MutexLock lock(&mutex_);
  // One set a page, so that clients must turn pages.
  auto it = request->page_token().empty() ? sets_.begin() : sets_.find(request->page_token());
  if (it == sets_.end()) return grpc::Status::OK;
  *response->add_sets() = it->second;
  if (++it != sets_.end()) response->set_next_page_token(it->first);
  return grpc::Status::OK;
}

grpc::Status FakeService::DeleteDirection(grpc::ServerContext*,
                                          const v1::DeleteDirectionRequest* request,
                                          v1::DeleteDirectionResponse*) {
  absl::MutexLock lock(&mutex_);
  if (sets_.erase(request->set_id()) > 0) return grpc::Status::OK;
  return DetailedStatus(grpc::StatusCode::NOT_FOUND, "no such set", "SET_NOT_FOUND");
}

grpc::Status FakeService::ExportDirection(grpc::ServerContext*,
                                          const v1::ExportDirectionRequest* request,
                                          grpc::ServerWriter<v1::ExportDirectionResponse>* writer) {
  if (grpc::Status refused = Refusal("ExportDirection"); !refused.ok()) return refused;
  if (request->without_states()) {
    absl::MutexLock lock(&mutex_);
    auto it = sets_.find(request->set_id());
    if (it == sets_.end())
      return DetailedStatus(grpc::StatusCode::NOT_FOUND, "no such set", "SET_NOT_FOUND");
    v1::DirectionSet set = it->second;
    set.set_has_states(false);
    v1::ExportDirectionResponse whole;
    whole.set_chunk(set.SerializeAsString());
    whole.set_total_bytes(static_cast<int64_t>(whole.chunk().size()));
    whole.set_sha256(Sha256Hex(whole.chunk()));
    writer->Write(whole);
    return grpc::Status::OK;
  }
  const float values[3] = {0.1f, -2.5f, 3e-7f};
  std::string header = R"({"direction":{"dtype":"F32","shape":[3],"data_offsets":[0,12]}})";
  std::string file(8, '\0');
  file[0] = static_cast<char>(header.size());
  file += header;
  file.append(reinterpret_cast<const char*>(values), sizeof(values));
  v1::ExportDirectionResponse first, second;
  first.set_total_bytes(static_cast<int64_t>(file.size()));
  first.set_chunk(file.substr(0, 20));
  writer->Write(first);
  second.set_chunk(file.substr(20));
  second.set_sha256(Sha256Hex(file));
  writer->Write(second);
  return grpc::Status::OK;
}

grpc::Status FakeService::ImportDirection(grpc::ServerContext*,
                                          grpc::ServerReader<v1::ImportDirectionRequest>* reader,
                                          v1::ImportDirectionResponse* response) {
  if (grpc::Status refused = Refusal("ImportDirection"); !refused.ok()) return refused;
  std::string file, sha256;
  v1::ImportDirectionRequest message;
  while (reader->Read(&message)) {
    file += message.chunk();
    if (!message.sha256().empty()) sha256 = message.sha256();
  }
  if (Sha256Hex(file) != sha256)
    return DetailedStatus(grpc::StatusCode::DATA_LOSS, "damaged", "DIGEST_MISMATCH");
  v1::DirectionSet set;
  if (set.ParseFromString(file) && IsSha256Hex(set.set_id())) {
    if (set.model_fingerprint() != behaviour.model_fingerprint)
      return DetailedStatus(grpc::StatusCode::FAILED_PRECONDITION, "another", "MODEL_MISMATCH");
    set.set_imported(true);
    absl::MutexLock lock(&mutex_);
    ++import_calls_;
    sets_[set.set_id()] = set;
    *response->mutable_set() = set;
    return grpc::Status::OK;
  }
  response->mutable_set()->set_set_id(sha256);
  response->mutable_set()->set_imported(true);
  return grpc::Status::OK;
}

grpc::Status FakeService::Generate(grpc::ServerContext*, const v1::GenerateRequest* request,
                                   grpc::ServerWriter<v1::GenerateResponse>* writer) {
  v1::GenerateResponse message;
  bool edited = request->intervention().ops_size() > 0;
  if (!edited) {
    for (const char* piece : {"slithy ", "toves"}) {
      message.set_text(piece);
      writer->Write(message);
    }
  }
  message.mutable_result()->set_text_withheld(edited);
  message.mutable_result()->set_generated_tokens(2);
  message.mutable_result()->set_finish_reason(v1::FINISH_REASON_END_OF_TURN);
  writer->Write(message);
  return grpc::Status::OK;
}

}  // namespace steer
