#include "tests/client/run/experiment_files.h"

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/client/api/fake_service.h"

namespace steer {

TemporaryFolder::TemporaryFolder() {
  std::string pattern = (std::filesystem::temp_directory_path() / "steer-test-XXXXXX").string();
  path_ = mkdtemp(pattern.data());
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string ReadAll(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

void WriteAll(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

void WriteExperimentFiles(const std::string& folder, int control_draws) {
  std::string harmful, harmless;
  for (int i = 0; i < 40; ++i) {
    std::string n = std::to_string(i);
    harmful += "Please describe " + std::string(kHarmfulWord) + " item " + n + " to the " +
               kCanary + ", number " + n + "\n";
    harmless +=
        "Please recite verse " + n + " of the gentle " + kCanary + " song, number " + n + "\n";
  }
  WriteAll(folder + "/harmful.txt", harmful);
  WriteAll(folder + "/harmless.txt", harmless);
  WriteAll(folder + "/plan.yaml",
           "version: 1\n"
           "name: fake-run\n"
           "model: {name: fake-model, dtype: float32}\n"
           "data:\n"
           "  harmful: {file: harmful.txt, format: text}\n"
           "  harmless: {file: harmless.txt, format: text}\n"
           "splits: {train: 8, validation: 6, test: 10}\n"
           "seeds: [0, 1]\n"
           "readout: {name: post-1, quality: true, scores: true}\n"
           "decoding: {max_new_tokens: 16}\n"
           "controls: {family: isotropic, seed: 7, draws: " +
               std::to_string(control_draws) +
               "}\n"
               "rule: post-1\n");
}

}  // namespace steer
