#include <cstring>

#include "common/digest.h"
#include "common/json.h"
#include "tests/server/rpc/service_fixture.h"

namespace steer {
namespace {

class TransferTest : public ServiceFixture {
 protected:
  grpc::Status Export(const v1::ExportDirectionRequest& request, std::string* file) {
    grpc::ClientContext context;
    auto reader = stub_->ExportDirection(&context, request);
    grpc::Status status;
    const auto messages = ReadAll(reader.get(), &status);
    file->clear();
    for (const auto& m : messages) {
      EXPECT_LE(m.chunk().size(), size_t{1} << 20);
      *file += m.chunk();
    }
    if (status.ok()) {
      EXPECT_EQ(messages.front().total_bytes(), static_cast<int64_t>(file->size()));
      EXPECT_EQ(messages.back().sha256(), Sha256Hex(*file));
      for (size_t i = 0; i + 1 < messages.size(); ++i) EXPECT_EQ(messages[i].sha256(), "");
    }
    return status;
  }
  grpc::Status Import(const std::string& file, const std::string& sha256, size_t chunk_bytes,
                      v1::ImportDirectionResponse* response) {
    grpc::ClientContext context;
    auto writer = stub_->ImportDirection(&context, response);
    for (size_t sent = 0; sent < file.size(); sent += chunk_bytes) {
      v1::ImportDirectionRequest message;
      message.set_chunk(file.substr(sent, chunk_bytes));
      if (sent + chunk_bytes >= file.size()) message.set_sha256(sha256);
      if (!writer->Write(message)) break;
    }
    writer->WritesDone();
    return writer->Finish();
  }
  grpc::Status Import(const std::string& file) {
    v1::ImportDirectionResponse response;
    return Import(file, Sha256Hex(file), 1000, &response);
  }
};

TEST_F(TransferTest, AnExportedSetComesBack) {
  v1::ExportDirectionRequest request;
  request.set_set_id(PutSet('a', true));
  std::string with_states, without_states;
  ASSERT_TRUE(Export(request, &with_states).ok());
  request.set_without_states(true);
  ASSERT_TRUE(Export(request, &without_states).ok());
  EXPECT_LT(without_states.size(), with_states.size());
  const std::string content = store_->Get(request.set_id())->set->content_digest;
  ASSERT_TRUE(store_->Delete(request.set_id()).ok());
  v1::ImportDirectionResponse response;
  ASSERT_TRUE(Import(with_states, Sha256Hex(with_states), 100, &response).ok());
  EXPECT_EQ(response.set().set_id(), request.set_id());
  EXPECT_EQ(response.set().content_digest(), content);
  EXPECT_TRUE(response.set().imported());
  EXPECT_TRUE(response.set().has_states());
}

TEST_F(TransferTest, ALargeSetTravelsInChunks) {
  DirectionSet set = MakeFakeSet(std::string(64, 'd'), {}, false);
  set.harmful_prompts = 50000;
  set.states.assign(50002 * 2 * 4, 0.5f);  // 1.6 MB
  set.content_digest = ContentDigest(set);
  ASSERT_TRUE(store_->Put(set).ok());
  v1::ExportDirectionRequest request;
  request.set_set_id(set.set_id);
  std::string file;
  ASSERT_TRUE(Export(request, &file).ok());
  EXPECT_GT(file.size(), size_t{1} << 20);
  ASSERT_TRUE(store_->Delete(set.set_id).ok());
  v1::ImportDirectionResponse response;
  const grpc::Status status = Import(file, Sha256Hex(file), size_t{1} << 20, &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.set().content_digest(), set.content_digest);
}

TEST_F(TransferTest, OneDirectionIsASafetensorsFile) {
  v1::ExportDirectionRequest request;
  request.set_set_id(PutSet('a'));
  request.mutable_direction()->set_position(-1);
  request.mutable_direction()->set_layer(1);
  std::string file;
  ASSERT_TRUE(Export(request, &file).ok());
  ASSERT_GT(file.size(), 8u);
  uint64_t header_size = 0;
  std::memcpy(&header_size, file.data(), 8);
  ASSERT_EQ(header_size % 8, 0u);
  const auto header = ParseJson(file.substr(8, header_size));
  ASSERT_TRUE(header.ok()) << header.status();
  const Json& tensor = (*header)["direction"];
  EXPECT_EQ(tensor["dtype"], "F32");
  EXPECT_EQ(tensor["shape"], Json::array({4}));
  EXPECT_EQ((*header)["__metadata__"]["layer"], "1");
  EXPECT_EQ((*header)["__metadata__"]["set_id"], request.set_id());
  const float wanted[] = {3, 0, 4, 0};
  ASSERT_EQ(file.size(), 8 + header_size + sizeof(wanted));
  EXPECT_EQ(std::memcmp(file.data() + 8 + header_size, wanted, sizeof(wanted)), 0);
  v1::Control* control = request.mutable_direction()->mutable_control();
  control->set_family(v1::CONTROL_FAMILY_ISOTROPIC);
  control->set_seed(12);
  control->set_draw(3);
  ASSERT_TRUE(Export(request, &file).ok());
  std::memcpy(&header_size, file.data(), 8);
  EXPECT_EQ((*ParseJson(file.substr(8, header_size)))["__metadata__"]["control_seed"], "12");
  EXPECT_NE(std::memcmp(file.data() + 8 + header_size, wanted, sizeof(wanted)), 0);
}

TEST_F(TransferTest, ExportErrors) {
  v1::ExportDirectionRequest request;
  std::string file;
  EXPECT_EQ(FieldsOf(Export(request, &file)), "set_id");
  request.set_set_id(std::string(64, 'b'));
  EXPECT_EQ(Export(request, &file).error_code(), grpc::NOT_FOUND);
  request.set_set_id(PutSet('a'));
  request.mutable_direction()->set_position(-1);
  EXPECT_EQ(ErrorOf(Export(request, &file)).reason, "DIRECTION_UNUSABLE");
}

TEST_F(TransferTest, ImportErrors) {
  v1::ExportDirectionRequest request;
  request.set_set_id(PutSet('a'));
  std::string file;
  ASSERT_TRUE(Export(request, &file).ok());
  ASSERT_TRUE(store_->Delete(request.set_id()).ok());
  v1::ImportDirectionResponse response;
  EXPECT_EQ(FieldsOf(Import("", "", 10, &response)), "chunk sha256");
  EXPECT_EQ(FieldsOf(Import(file, "", 1000, &response)), "sha256");
  EXPECT_EQ(FieldsOf(Import(file, "zz", 1000, &response)), "sha256");
  grpc::Status status = Import(file, Sha256Hex("other"), 1000, &response);
  EXPECT_EQ(ErrorOf(status).code, grpc::DATA_LOSS);
  EXPECT_EQ(ErrorOf(status).reason, "FILE_DIGEST_MISMATCH");
  EXPECT_FALSE(Import(file.substr(0, file.size() - 1)).ok());
  EXPECT_EQ(FieldsOf(Import("no safetensors at all")), "chunk");
  std::string flipped = file;
  flipped[flipped.size() - 3] ^= 1;
  EXPECT_FALSE(Import(flipped).ok());
  EXPECT_EQ(FieldsOf(Import(std::string((2 << 20) + 1, 'x'), "", (2 << 20) + 1, &response)),
            "chunk");
  EXPECT_FALSE(store_->Get(request.set_id()).ok());
  grpc::ClientContext context;
  auto writer = stub_->ImportDirection(&context, &response);
  v1::ImportDirectionRequest message;
  message.set_chunk(file);
  message.set_sha256(Sha256Hex(file));
  ASSERT_TRUE(writer->Write(message));
  writer->Write(message);
  writer->WritesDone();
  status = writer->Finish();
  EXPECT_EQ(FieldsOf(status), "sha256");
  EXPECT_EQ(ErrorOf(status).violations[0].description, "came before the last message");

  DirectionSet foreign = MakeFakeSet(std::string(64, 'e'), {}, false);
  foreign.model_fingerprint = "another model";
  foreign.content_digest = ContentDigest(foreign);
  status = Import(*SerializeDirectionSet(foreign, false));
  EXPECT_EQ(ErrorOf(status).code, grpc::FAILED_PRECONDITION);
  EXPECT_EQ(ErrorOf(status).reason, "MODEL_MISMATCH");
  EXPECT_NE(status.error_message().find(foreign.model_fingerprint), std::string::npos);
  EXPECT_NE(status.error_message().find(kFakeModel), std::string::npos);
  EXPECT_FALSE(store_->Get(foreign.set_id).ok());

  // The same model's name on another shape is damage or a forgery.
  DirectionSet narrow = MakeFakeSet(std::string(64, 'e'), {}, false);
  narrow.hidden = 2;
  narrow.directions = {0, 0, 3, 4};
  narrow.harmful_means.resize(5 * 2);
  narrow.harmless_means.resize(5 * 2);
  for (int layer = 0; layer < 2; ++layer) {
    narrow.reports[layer].direction_digest = DirectionDigest(narrow.Direction(0, layer));
  }
  narrow.content_digest = ContentDigest(narrow);
  status = Import(*SerializeDirectionSet(narrow, false));
  EXPECT_EQ(ErrorOf(status).reason, "MODEL_MISMATCH") << status.error_message();
  EXPECT_NE(status.error_message().find("2 layers of width 2, the model 2 of 4"),
            std::string::npos);
  DirectionSet low = MakeFakeSet(std::string(64, 'e'), {}, false);
  low.layers = 1;
  low.directions.resize(4);
  low.harmful_means.resize(3 * 4);
  low.harmless_means.resize(3 * 4);
  low.harmful_mean_norms.resize(3);
  low.harmless_mean_norms.resize(3);
  low.reports.resize(1);
  low.content_digest = ContentDigest(low);
  status = Import(*SerializeDirectionSet(low, false));
  EXPECT_EQ(ErrorOf(status).reason, "MODEL_MISMATCH") << status.error_message();
  EXPECT_NE(status.error_message().find("1 layers of width 4"), std::string::npos);
}

// The numbers of a set are what they are: a server with another processor may use them, and says in
// its receipts which one it was.
TEST_F(TransferTest, ASetOfOtherNumericsComesInAndKeepsItsFingerprint) {
  DirectionSet set = MakeFakeSet(std::string(64, 'e'), {}, false);
  set.numeric_fingerprint = "another machine";
  set.content_digest = ContentDigest(set);
  const std::string file = *SerializeDirectionSet(set, false);
  v1::ImportDirectionResponse response;
  const grpc::Status status = Import(file, Sha256Hex(file), 1000, &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.set().numeric_fingerprint(), "another machine");
}

TEST_F(TransferTest, ImportIsBoundedInBytesAndInNumber) {
  RpcServerOptions options = Defaults();
  options.service.max_import_bytes = 2000;
  options.service.max_transfers = 1;
  Restart(options);
  v1::ImportDirectionResponse response;
  EXPECT_EQ(FieldsOf(Import(std::string(2001, 'x'), "", 700, &response)), "chunk");
  grpc::ClientContext context;
  auto open = stub_->ImportDirection(&context, &response);
  v1::ImportDirectionRequest chunk;
  chunk.set_chunk("x");
  ASSERT_TRUE(open->Write(chunk));
  ASSERT_TRUE(WaitFor([&] {
    return metrics_->Text().find("steer_requests_in_flight{method=\"ImportDirection\"} 1\n") !=
           std::string::npos;
  }));
  // The call is counted just before it gets its slot; losing that race is not what is tested.
  absl::SleepFor(absl::Milliseconds(50));
  const RpcError error = ErrorOf(Import("y"));
  EXPECT_EQ(error.reason, "TOO_MANY_TRANSFERS");
  EXPECT_EQ(error.code, grpc::RESOURCE_EXHAUSTED);
  EXPECT_GT(error.retry_seconds, 0);
  context.TryCancel();
  EXPECT_EQ(open->Finish().error_code(), grpc::CANCELLED);
}

TEST_F(TransferTest, AnImportThatIsLateEndsAtItsNextChunk) {
  RpcServerOptions options = Defaults();
  options.service.max_call = absl::Milliseconds(50);
  Restart(options);
  v1::ImportDirectionResponse response;
  grpc::ClientContext context;
  auto writer = stub_->ImportDirection(&context, &response);
  v1::ImportDirectionRequest chunk;
  chunk.set_chunk("x");
  ASSERT_TRUE(writer->Write(chunk));
  absl::SleepFor(absl::Milliseconds(200));
  writer->Write(chunk);
  const grpc::Status status = writer->Finish();
  EXPECT_EQ(status.error_code(), grpc::DEADLINE_EXCEEDED) << status.error_message();
}

}  // namespace
}  // namespace steer
