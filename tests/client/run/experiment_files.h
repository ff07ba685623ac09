// A small experiment for tests: made-up prompts with words that must never reach an output, and a
// plan over them.
#ifndef STEER_TESTS_CLIENT_RUN_EXPERIMENT_FILES_H_
#define STEER_TESTS_CLIENT_RUN_EXPERIMENT_FILES_H_

#include <string>

namespace steer {

// Occurs in every prompt of both classes, once each; no output may hold it.
inline constexpr char kCanary[] = "borogove";

// A fresh folder, removed with its contents at the end.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

// Writes harmful.txt, harmless.txt and plan.yaml: seeds 0 and 1, splits 8/6/10, scores and quality
// on.
void WriteExperimentFiles(const std::string& folder, int control_draws = 1);

std::string ReadAll(const std::string& path);  // empty if it cannot be read
void WriteAll(const std::string& path, const std::string& bytes);

}  // namespace steer

#endif  // STEER_TESTS_CLIENT_RUN_EXPERIMENT_FILES_H_
