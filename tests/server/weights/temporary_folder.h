// A folder of its own for each test, and files in it.
#ifndef STEER_TESTS_SERVER_WEIGHTS_TEMPORARY_FOLDER_H_
#define STEER_TESTS_SERVER_WEIGHTS_TEMPORARY_FOLDER_H_

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <string>

#include "common/files.h"

namespace steer {

class TemporaryFolder : public testing::Test {
 protected:
  TemporaryFolder() {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "steer_weights_XXXXXX").string();
    root_ = mkdtemp(pattern.data()) == nullptr ? "" : std::filesystem::canonical(pattern).string();
  }
  ~TemporaryFolder() override { std::filesystem::remove_all(root_); }

  std::string At(const std::string& path) const { return root_ + "/" + path; }
  // Makes folders on the way.
  void Write(const std::string& path, const std::string& bytes) const {
    ASSERT_TRUE(MakeFolders(std::filesystem::path(At(path)).parent_path().string()).ok());
    ASSERT_TRUE(WriteFileAtomically(At(path), bytes).ok());
  }
  void Link(const std::string& path, const std::string& target) const {
    ASSERT_TRUE(MakeFolders(std::filesystem::path(At(path)).parent_path().string()).ok());
    std::filesystem::remove(At(path));
    std::filesystem::create_symlink(target, At(path));
  }

  std::string root_;
};

}  // namespace steer

#endif  // STEER_TESTS_SERVER_WEIGHTS_TEMPORARY_FOLDER_H_
