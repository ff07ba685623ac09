// steer-planted: writes a synthetic checkpoint whose refusal is known in closed form, with its
// prompts and its truth.
#include <cstdint>
#include <cstdio>
#include <exception>
#include <string>

#include "CLI/CLI.hpp"
#include "absl/status/status.h"
#include "absl/strings/str_join.h"
#include "server/planted/planted_model.h"
#include "server/planted/spec.h"

namespace {

int Fail(const absl::Status& status) {
  std::fprintf(stderr, "steer-planted: %s\n", std::string(status.message()).c_str());
  return 1;
}

int Run(int argc, char** argv) {
  std::vector<std::string> names;
  for (const auto& spec : steer::planted::PlantedSpecs()) names.push_back(spec.name);
  std::string variant = "default";
  uint64_t seed = 0;
  std::string out;
  bool force = false;
  CLI::App app{
      "Writes a planted model: a Llama checkpoint in Hugging Face format, built in closed form,\n"
      "two classes of synthetic prompts and the truth about it."};
  app.name("steer-planted");
  app.add_option("--variant", variant, "One of: " + absl::StrJoin(names, ", "))
      ->capture_default_str();
  app.add_option("--seed", seed, "Seed of words, noise, prompts and basis")->capture_default_str();
  app.add_option("--out", out, "Folder to write; left alone if it holds this model already")
      ->required();
  app.add_flag("--force", force, "Replace another planted model in the folder");
  CLI11_PARSE(app, argc, argv);

  const auto files = steer::planted::MakePlantedModel(variant, seed);
  if (!files.ok()) return Fail(files.status());
  const auto state = steer::planted::WritePlantedFolder(*files, out, force);
  if (!state.ok()) return Fail(state.status());
  const bool written = *state == steer::planted::FolderState::kWritten;
  std::printf("%s: planted model \"%s\", seed %llu, %s\n", out.c_str(), variant.c_str(),
              static_cast<unsigned long long>(seed), written ? "written" : "unchanged");
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return Run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "steer-planted: %s\n", error.what());
    return 1;
  }
}
