// Fit, Generate and the transfers of direction sets.
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/api/client.h"
#include "client/api/client_impl.h"
#include "client/api/status.h"
#include "common/digest.h"
#include "common/errors.h"
#include "common/status_macros.h"

namespace steer {
namespace {

constexpr size_t kChunkBytes = 1 << 20;  // the contract's limit

}  // namespace

absl::StatusOr<v1::FitDirectionResult> Client::FitDirection(const v1::FitDirectionRequest& request,
                                                            const Progress& progress) {
  v1::FitDirectionResult result;
  STEER_RETURN_IF_ERROR(impl_->Retrying("FitDirection", [&](bool* alive) {
    Attempt attempt(impl_.get(), impl_->options.long_deadline);
    auto stream = attempt.stub()->FitDirection(attempt.context(), request);
    v1::FitDirectionResponse message;
    bool done = false;
    while (stream->Read(&message)) {
      attempt.Touch();
      *alive = true;
      if (message.has_progress() && progress) {
        progress(message.progress().rows_done(), message.progress().rows_total());
      }
      if (message.has_result()) {
        result = std::move(*message.mutable_result());
        done = true;
      }
    }
    STEER_RETURN_IF_ERROR(attempt.Result(stream->Finish()));
    return done ? absl::OkStatus() : ProtocolError("FitDirection ended without a result");
  }));
  return result;
}

absl::StatusOr<v1::Cost> Client::FitCost(v1::FitDirectionRequest request) {
  request.set_validate_only(true);
  v1::Cost cost;
  STEER_RETURN_IF_ERROR(impl_->Retrying("FitDirection", [&](bool*) {
    Attempt attempt(impl_.get(), impl_->options.deadline);
    auto stream = attempt.stub()->FitDirection(attempt.context(), request);
    v1::FitDirectionResponse message;
    bool done = false;
    while (stream->Read(&message)) {
      done = done || message.has_cost();
      if (message.has_cost()) cost = message.cost();
    }
    STEER_RETURN_IF_ERROR(attempt.Result(stream->Finish()));
    return done ? absl::OkStatus() : ProtocolError("validate_only was answered without a cost");
  }));
  return cost;
}

absl::StatusOr<v1::GenerateResult> Client::Generate(
    const v1::GenerateRequest& request, const std::function<void(absl::string_view)>& text) {
  v1::GenerateResult result;
  bool begun = false;
  STEER_RETURN_IF_ERROR(impl_->Retrying("Generate", [&](bool* alive) -> absl::Status {
    Attempt attempt(impl_.get(), impl_->options.long_deadline);
    auto stream = attempt.stub()->Generate(attempt.context(), request);
    v1::GenerateResponse message;
    bool done = false;
    while (stream->Read(&message)) {
      attempt.Touch();
      *alive = true;
      if (!message.text().empty()) {
        begun = true;
        if (text) text(message.text());
      }
      if (message.has_result()) {
        result = std::move(*message.mutable_result());
        done = true;
      }
    }
    absl::Status status = attempt.Result(stream->Finish());
    if (!status.ok() && begun) {
      // Text that was shown cannot be taken back; a second attempt would print it twice.
      return absl::AbortedError(absl::StrCat("the stream broke in the middle: ", status.message()));
    }
    STEER_RETURN_IF_ERROR(status);
    return done ? absl::OkStatus() : ProtocolError("Generate ended without a result");
  }));
  return result;
}

absl::StatusOr<std::string> Client::ExportDirection(const v1::ExportDirectionRequest& request) {
  std::string file;
  STEER_RETURN_IF_ERROR(impl_->Retrying("ExportDirection", [&](bool*) -> absl::Status {
    Attempt attempt(impl_.get(), impl_->options.long_deadline);
    auto stream = attempt.stub()->ExportDirection(attempt.context(), request);
    v1::ExportDirectionResponse message;
    std::string sha256;
    int64_t total = 0;
    file.clear();
    while (stream->Read(&message)) {
      attempt.Touch();
      file.append(message.chunk());
      if (message.total_bytes() != 0) total = message.total_bytes();
      if (!message.sha256().empty()) sha256 = message.sha256();
    }
    STEER_RETURN_IF_ERROR(attempt.Result(stream->Finish()));
    if (static_cast<int64_t>(file.size()) != total || Sha256Hex(file) != sha256) {
      return absl::DataLossError(absl::StrCat("the exported file arrived damaged: ", file.size(),
                                              " of ", total, " bytes; try again"));
    }
    return absl::OkStatus();
  }));
  return file;
}

absl::StatusOr<v1::DirectionSet> Client::ImportDirection(absl::string_view file) {
  v1::ImportDirectionResponse response;
  const std::string sha256 = Sha256Hex(file);
  STEER_RETURN_IF_ERROR(impl_->Retrying("ImportDirection", [&](bool*) {
    Attempt attempt(impl_.get(), impl_->options.long_deadline);
    response.Clear();
    auto writer = attempt.stub()->ImportDirection(attempt.context(), &response);
    for (size_t at = 0; at == 0 || at < file.size(); at += kChunkBytes) {
      absl::string_view chunk = file.substr(at, kChunkBytes);
      v1::ImportDirectionRequest message;
      message.set_chunk(chunk.data(), chunk.size());
      if (at + chunk.size() >= file.size()) message.set_sha256(sha256);
      if (!writer->Write(message)) break;  // Finish says why
      attempt.Touch();
    }
    writer->WritesDone();
    return attempt.Result(writer->Finish());
  }));
  return response.set();
}

}  // namespace steer
