// Export and import: a file in chunks, with its digest.
#include <algorithm>
#include <memory>
#include <utility>

#include "common/digest.h"
#include "common/status_macros.h"
#include "server/rpc/handlers.h"
#include "server/rpc/prepare.h"
#include "server/rpc/translate.h"
#include "server/rpc/validate.h"
#include "server/steering/direction_check.h"
#include "server/steering/direction_file.h"

namespace steer {
namespace {

constexpr size_t kChunkBytes = size_t{1} << 20;

absl::StatusOr<std::string> ExportedFile(Call& call, const v1::ExportDirectionRequest& request) {
  DirectionStore& store = call.engine().store();
  STEER_ASSIGN_OR_RETURN(const StoredSet stored, store.Get(request.set_id()));
  if (request.has_direction()) {
    DirectionRef ref = FromProto(request.direction());
    ref.set_id = request.set_id();
    absl::StatusOr<ResolvedDirection> direction = ResolveDirection(*stored.set, ref);
    if (!direction.ok()) return InField(direction.status(), "direction");
    return SerializeDirection(*direction, ref);
  }
  if (!stored.has_states || request.without_states()) {
    return SerializeDirectionSet(*stored.set, false);
  }
  STEER_ASSIGN_OR_RETURN(const std::shared_ptr<const DirectionSet> whole,
                         store.GetWithStates(request.set_id()));
  return SerializeDirectionSet(*whole, true);
}

// Receives the chunks; the rest happens on the edge pool once the last has come.
class ImportCall final : public grpc::ServerReadReactor<v1::ImportDirectionRequest> {
 public:
  static ImportCall* Make(std::shared_ptr<Call> call, v1::ImportDirectionResponse* response) {
    std::shared_ptr<ImportCall> reactor(new ImportCall(std::move(call), response));
    reactor->self_ = reactor;
    if (absl::Status status = reactor->call_->Start(0, /*transfer=*/true); !status.ok()) {
      reactor->End(std::move(status));
    } else {
      reactor->StartRead(&reactor->chunk_);
    }
    return reactor.get();
  }

 private:
  ImportCall(std::shared_ptr<Call> call, v1::ImportDirectionResponse* response)
      : call_(std::move(call)), response_(response) {}

  void OnReadDone(bool ok) override {
    if (!ok) {
      call_->state().pool.Run([self = self_] {
        absl::Status status = self->call_->Check();
        if (status.ok()) {
          status = Guarded([&] {
            return ImportDirection(*self->call_, self->bytes_, self->sha256_, self->response_);
          });
        }
        self->End(std::move(status));
      });
      return;
    }
    if (absl::Status status = Append(); !status.ok()) return End(std::move(status));
    StartRead(&chunk_);
  }

  absl::Status Append() {
    STEER_RETURN_IF_ERROR(call_->Check());
    ViolationList violations;
    if (chunk_.chunk().size() > kChunkBytes) {
      violations.Add("chunk", "has ", chunk_.chunk().size(), " bytes; at most ", kChunkBytes,
                     " are allowed");
    }
    if (!sha256_.empty()) violations.Add("sha256", "came before the last message");
    sha256_ = chunk_.sha256();
    if (!sha256_.empty() && !IsSha256Hex(sha256_)) {
      violations.Add("sha256", "is not 64 lower-case hex digits");
    }
    const int64_t limit = call_->state().options.max_import_bytes;
    if (static_cast<int64_t>(bytes_.size() + chunk_.chunk().size()) > limit) {
      violations.Add("chunk", "the file has more than ", limit,
                     " bytes (Limits.max_import_bytes); export it without its states");
    }
    STEER_RETURN_IF_ERROR(violations.ToStatus());
    bytes_ += chunk_.chunk();
    return absl::OkStatus();
  }

  void End(absl::Status status) { Finish(call_->Complete(std::move(status))); }
  void OnCancel() override { call_->ClientGone(); }
  void OnDone() override {
    call_->Detach();
    std::shared_ptr<ImportCall> last = std::move(self_);
  }

  const std::shared_ptr<Call> call_;
  v1::ImportDirectionResponse* const response_;
  std::shared_ptr<ImportCall> self_;
  v1::ImportDirectionRequest chunk_;
  std::string bytes_;
  std::string sha256_;
};

}  // namespace

absl::Status HandleExportDirection(
    const std::shared_ptr<StreamCall<v1::ExportDirectionResponse>>& stream,
    const v1::ExportDirectionRequest& request) {
  Call& call = stream->call();
  ViolationList violations;
  Validate(request, BoundsOf(call.engine()), &violations);
  STEER_RETURN_IF_ERROR(violations.ToStatus());
  call.audit().set_id = request.set_id();
  STEER_ASSIGN_OR_RETURN(std::string bytes, ExportedFile(call, request));
  call.audit().counts["bytes"] = static_cast<int64_t>(bytes.size());
  // Chunks are cut as the reader takes them: the queue never holds the file a second time.
  struct Cursor {
    std::string bytes;
    std::string sha256;
    size_t sent = 0;
  };
  auto cursor = std::make_shared<Cursor>();
  cursor->sha256 = Sha256Hex(bytes);
  cursor->bytes = std::move(bytes);
  stream->Done(absl::OkStatus(), [cursor](v1::ExportDirectionResponse* out) {
    const size_t total = cursor->bytes.size();
    if (cursor->sent == total) return false;
    if (cursor->sent == 0) out->set_total_bytes(static_cast<int64_t>(total));
    const size_t size = std::min(kChunkBytes, total - cursor->sent);
    out->set_chunk(cursor->bytes.substr(cursor->sent, size));
    cursor->sent += size;
    if (cursor->sent == total) out->set_sha256(cursor->sha256);
    return true;
  });
  return absl::OkStatus();
}

absl::Status ImportDirection(Call& call, const std::string& bytes, const std::string& sha256,
                             v1::ImportDirectionResponse* response) {
  call.audit().counts["bytes"] = static_cast<int64_t>(bytes.size());
  ViolationList violations;
  if (bytes.empty()) violations.Add("chunk", "is missing; the file is empty");
  if (sha256.empty()) violations.Add("sha256", "is missing in the last message");
  STEER_RETURN_IF_ERROR(violations.ToStatus());
  if (Sha256Hex(bytes) != sha256) {
    return MakeError(absl::StatusCode::kDataLoss, "FILE_DIGEST_MISMATCH",
                     "the bytes received do not have the SHA-256 named; send the file again");
  }
  absl::StatusOr<DirectionSet> set = DeserializeDirectionSet(bytes, "imported file");
  if (!set.ok()) return InField(set.status(), "chunk");
  const ModelFacts& facts = call.engine().facts();
  STEER_RETURN_IF_ERROR(CheckSetModel(*set, facts.name, facts.model_fingerprint));
  if (set->layers != facts.layers || set->hidden != facts.hidden) {
    return MakeError(
        absl::StatusCode::kFailedPrecondition, "MODEL_MISMATCH",
        absl::StrCat("the set names the loaded model but has ", set->layers, " layers of width ",
                     set->hidden, ", the model ", facts.layers, " of ", facts.hidden));
  }
  set->imported = true;
  call.audit().set_id = set->set_id;
  DirectionStore& store = call.engine().store();
  STEER_RETURN_IF_ERROR(store.Put(*set));
  STEER_ASSIGN_OR_RETURN(const StoredSet stored, store.Get(set->set_id));
  *response->mutable_set() = ToProto(stored);
  return absl::OkStatus();
}

grpc::ServerReadReactor<v1::ImportDirectionRequest>* RunImport(
    ServiceState* state, grpc::CallbackServerContext* context,
    v1::ImportDirectionResponse* response) {
  return ImportCall::Make(std::make_shared<Call>(state, "ImportDirection", context), response);
}

}  // namespace steer
