// The SHA-256 that names a checkpoint, taken on threads of its own while the rest is loaded. No
// torch.
#ifndef STEER_SERVER_WEIGHTS_FINGERPRINT_H_
#define STEER_SERVER_WEIGHTS_FINGERPRINT_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "common/digest.h"
#include "server/weights/safetensors.h"

namespace steer {

// Bytes of a tensor that are hashed as one piece.
inline constexpr int64_t kFingerprintPieceBytes = int64_t{16} << 20;

// The fingerprint is a contract: locks, direction sets and receipts carry it. It is the SHA-256
// (Sha256::Field of common/digest.h: lengths first) of
//   "steer checkpoint 2", the number of text files, and each one's name and bytes, by name;
//   the number of tensors, and each one's name, type ("BF16"), rank, dimensions and, for each 16 MiB
//   of its bytes in order, the SHA-256 of that piece in hexadecimal, by name.
// Single and sharded files agree, and nothing but names and bytes counts: no path, no time. Pieces
// let several cores hash at once; one core alone may be slower than the disk.
//
// Thread-safe after construction.
class Fingerprint {
 public:
  // Starts to hash. What the tensors view must outlive this. `done_with`, if not null, is called
  // with every piece that has been hashed, from any thread.
  Fingerprint(const std::map<std::string, std::string>& text_files,
              const std::map<std::string, TensorView>& tensors,
              std::function<void(absl::string_view)> done_with);
  // Stops early where nobody waits for the result.
  ~Fingerprint();
  Fingerprint(const Fingerprint&) = delete;
  Fingerprint& operator=(const Fingerprint&) = delete;

  // 64 hex digits; waits until they are there.
  const std::string& Hex() const;

 private:
  void HashPieces();
  void Finish();

  const std::function<void(absl::string_view)> done_with_;
  const std::map<std::string, TensorView>& tensors_;
  Sha256 hash_;                              // of the text files; the last thread adds the tensors
  std::vector<absl::string_view> pieces_;    // of all tensors, in order
  std::vector<std::string> digests_;         // of each piece
  std::atomic<size_t> next_{0}, hashed_{0};  // pieces taken and done
  std::atomic<bool> stop_{false};
  mutable absl::Mutex mutex_;
  std::string hex_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::thread> threads_;  // last: they use all of the above
};

}  // namespace steer

#endif  // STEER_SERVER_WEIGHTS_FINGERPRINT_H_
