#include <set>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "gtest/gtest.h"
#include "server/weights/fingerprint.h"
#include "server/weights/safetensors.h"
#include "tests/threads/crowd.h"

namespace steer {
namespace {

// Waiting threads and hashing ones; twice the same, and stopped early where nobody waits.
TEST(WeightsThreads, AFingerprintIsTheSameHoweverItIsShared) {
  constexpr int kTensors = 60;
  std::vector<std::vector<float>> values(kTensors);
  std::map<std::string, TensorView> tensors;
  for (int i = 0; i < kTensors; ++i) {
    values[i].assign(static_cast<size_t>(1000 + i), static_cast<float>(i));
    tensors[absl::StrCat("t", i)] = Float32View(values[i], {1000 + i});
  }
  const std::map<std::string, std::string> files = {{"config.json", "{}"}};
  std::string first;
  for (int round = 0; round < 20; ++round) {
    absl::Mutex mutex;
    size_t pieces = 0;
    const Fingerprint fingerprint(files, tensors, [&](absl::string_view) {
      absl::MutexLock lock(&mutex);
      ++pieces;
    });
    if (round % 4 == 3) continue;  // ends at once
    Crowd(4, [&](int) { EXPECT_EQ(fingerprint.Hex().size(), 64u); });
    if (first.empty()) first = fingerprint.Hex();
    EXPECT_EQ(fingerprint.Hex(), first);
    absl::MutexLock lock(&mutex);
    EXPECT_EQ(pieces, static_cast<size_t>(kTensors));
  }
}

}  // namespace
}  // namespace steer
