#include "server/weights/fingerprint.h"

#include <algorithm>
#include <utility>

namespace steer {
namespace {

// More do not help: eight cores hash faster than any disk reads.
constexpr size_t kMaxThreads = 8;

size_t PiecesOf(const TensorView& view) {
  return (view.bytes.size() + kFingerprintPieceBytes - 1) / kFingerprintPieceBytes;
}

}  // namespace

Fingerprint::Fingerprint(const std::map<std::string, std::string>& text_files,
                         const std::map<std::string, TensorView>& tensors,
                         std::function<void(absl::string_view)> done_with)
    : done_with_(std::move(done_with)), tensors_(tensors) {
  hash_.Field("steer checkpoint 2").Field(uint64_t{text_files.size()});
  for (const auto& [name, bytes] : text_files) hash_.Field(name).Field(bytes);
  for (const auto& [name, view] : tensors) {
    for (size_t i = 0; i < PiecesOf(view); ++i) {
      pieces_.push_back(view.bytes.substr(i * kFingerprintPieceBytes, kFingerprintPieceBytes));
    }
  }
  digests_.resize(pieces_.size());
  const size_t cores = std::max(1u, std::thread::hardware_concurrency());
  const size_t threads = std::clamp<size_t>(pieces_.size(), 1, std::min(cores, kMaxThreads));
  for (size_t i = 0; i < threads; ++i) threads_.emplace_back([this] { HashPieces(); });
}

Fingerprint::~Fingerprint() {
  stop_ = true;
  for (std::thread& thread : threads_) thread.join();
}

const std::string& Fingerprint::Hex() const {
  absl::MutexLock lock(&mutex_);
  const auto there = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return !hex_.empty(); };
  mutex_.Await(absl::Condition(&there));
  return hex_;  // written once
}

void Fingerprint::HashPieces() {
  while (!stop_) {
    const size_t i = next_++;
    if (i >= pieces_.size()) {
      if (pieces_.empty()) Finish();  // there is one thread then
      return;
    }
    digests_[i] = Sha256Hex(pieces_[i]);
    if (done_with_ != nullptr) done_with_(pieces_[i]);
    if (++hashed_ == pieces_.size()) Finish();
  }
}

void Fingerprint::Finish() {
  auto digest = digests_.begin();
  hash_.Field(uint64_t{tensors_.size()});
  for (const auto& [name, view] : tensors_) {
    hash_.Field(name).Field(TensorTypeName(view.type)).Field(uint64_t{view.shape.size()});
    for (int64_t dimension : view.shape) hash_.Field(static_cast<uint64_t>(dimension));
    for (size_t i = 0; i < PiecesOf(view); ++i) hash_.Field(*digest++);
  }
  absl::MutexLock lock(&mutex_);
  hex_ = hash_.Hex();
}

}  // namespace steer
