// Temporary folders for the tests of the store.
#ifndef STEER_TESTS_SERVER_STEERING_STORE_FIXTURES_H_
#define STEER_TESTS_SERVER_STEERING_STORE_FIXTURES_H_

#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <system_error>
#include <vector>

#include "server/steering/direction_store.h"

namespace steer {

class TempFolder {
 public:
  TempFolder() {
    std::string pattern = testing::TempDir() + "/steer_store_XXXXXX";
    path_ = mkdtemp(pattern.data());
  }
  ~TempFolder() {
    std::error_code error;
    std::filesystem::remove_all(path_, error);
  }
  const std::string& path() const { return path_; }
  std::vector<std::string> Files() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(path_)) {
      if (entry.path().filename() != ".lock") names.push_back(entry.path().filename().string());
    }
    std::sort(names.begin(), names.end());
    return names;
  }

 private:
  std::string path_;
};

// Opens without warnings, or fails the test.
inline std::unique_ptr<DirectionStore> OpenStore(const std::string& folder) {
  std::vector<std::string> warnings;
  auto store = DirectionStore::Open(folder, &warnings);
  EXPECT_TRUE(store.ok()) << store.status();
  EXPECT_TRUE(warnings.empty()) << warnings[0];
  return store.ok() ? *std::move(store) : nullptr;
}

}  // namespace steer

#endif  // STEER_TESTS_SERVER_STEERING_STORE_FIXTURES_H_
