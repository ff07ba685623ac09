// Files read whole, mapped, or written so that a crash leaves the old bytes or the new ones, never
// a mixture.
#ifndef STEER_COMMON_FILES_H_
#define STEER_COMMON_FILES_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace steer {

// Errors name the path. NOT_FOUND, PERMISSION_DENIED, FAILED_PRECONDITION for a directory,
// RESOURCE_EXHAUSTED beyond max_bytes.
absl::StatusOr<std::string> ReadFile(const std::string& path, int64_t max_bytes = int64_t{1} << 30);

// Writes path + ".tmp.<pid>.<n>", fsyncs, renames over path, fsyncs the folder. On error nothing of
// it remains. RESOURCE_EXHAUSTED when the disk is full. `failpoint`, if not empty, names failpoints
// "<failpoint>.before_rename" and "<failpoint>.after_rename".
absl::Status WriteFileAtomically(const std::string& path, absl::string_view bytes,
                                 absl::string_view failpoint = "");

// mkdir -p.
absl::Status MakeFolders(const std::string& path);

// fsync of a folder, so that a rename in it survives a power loss.
absl::Status SyncFolder(const std::string& path);

// A read-only mapping of a whole file. Thread-safe after Open; bytes() is valid for the object's
// lifetime.
class MappedFile {
 public:
  // Errors as ReadFile. An empty file maps to an empty view.
  static absl::StatusOr<std::shared_ptr<const MappedFile>> Open(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  absl::string_view bytes() const { return {data_, size_}; }
  bool Holds(absl::string_view part) const;
  // Gives the memory of a part of bytes() back: whole pages inside it leave this process, and are
  // read again when they are touched. Nothing happens if the mapping does not hold the part.
  void Release(absl::string_view part) const;
  // Tells the kernel that the file will be read from beginning to end.
  void ExpectSequentialReads() const;

 private:
  MappedFile(const char* data, size_t size) : data_(data), size_(size) {}
  const char* data_;
  size_t size_;
};

}  // namespace steer

#endif  // STEER_COMMON_FILES_H_
