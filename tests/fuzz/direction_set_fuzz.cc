// server/steering: the file that ImportDirection takes. An input that starts with '{' is a set's facts, up to the first line end, and bytes for
// its tensors; digests are put in here. Any other input is a file as it stands.
#include "server/steering/direction_set.h"

#include <cmath>
#include <cstring>

#include "common/digest.h"
#include "common/json.h"
#include "server/steering/direction_check.h"
#include "server/steering/direction_set_file.h"
#include "server/steering/direction_set_json.h"
#include "server/steering/subspace.h"
#include "server/weights/safetensors.h"
#include "tests/fuzz/check.h"

namespace {

// Larger sets only take longer.
constexpr int64_t kMaxSide = 8;

void CheckFile(absl::string_view bytes) {
  const auto set = steer::DeserializeDirectionSet(bytes, "in.set");
  if (!set.ok()) return steer::fuzz::CheckRefusal(set.status(), "in.set: ");
  FUZZ_CHECK(steer::CheckDirectionSet(*set).ok());
  const auto written = steer::SerializeDirectionSet(*set, true);
  FUZZ_CHECK(written.ok());
  const auto again = steer::DeserializeDirectionSet(*written, "again");
  FUZZ_CHECK(again.ok());
  FUZZ_CHECK(steer::DirectionSetFacts(*again) == steer::DirectionSetFacts(*set));
  FUZZ_CHECK(again->directions == set->directions && again->states == set->states);
}

// `count` values from the bytes, over and over.
std::vector<float> Values(absl::string_view bytes, int64_t count) {
  std::vector<float> values(static_cast<size_t>(count), 0.5f);
  for (size_t i = 0; i < values.size() && bytes.size() >= 4; ++i)
    std::memcpy(&values[i], bytes.data() + i * 4 % (bytes.size() - 3), 4);
  return values;
}

// Facts as they are, true digest over them, tensors of the shapes that the facts may or may not ask for.
void TryFacts(const std::string& facts, const steer::DirectionSet& set) {
  const int64_t positions = static_cast<int64_t>(set.positions.size());
  const int64_t sites = 2 * set.layers + 1;
  std::map<std::string, steer::TensorView> tensors;
  tensors["directions"] = steer::Float32View(set.directions, {positions, set.layers, set.hidden});
  for (const char* name : {"harmful_means", "harmless_means"})
    tensors[name] = steer::Float32View(set.harmful_means, {positions, sites, set.hidden});
  for (const char* name : {"harmful_mean_norms", "harmless_mean_norms"})
    tensors[name] = steer::Float32View(set.harmful_mean_norms, {positions, sites});
  const auto file = steer::SerializeSafetensors(
      tensors,
      {{"steer_direction_set", facts}, {"steer_direction_set_sha256", steer::Sha256Hex(facts)}});
  if (file.ok()) CheckFile(*file);
}

void TrySealed(absl::string_view facts_text, absl::string_view bytes) {
  const auto facts = steer::ParseJson(facts_text);
  steer::DirectionSet set;
  if (!facts.ok() || !steer::ReadDirectionSetFacts(*facts, &set).ok()) {
    set = steer::DirectionSet();
    set.positions = {-1};
    set.layers = set.hidden = 1;
  }
  const bool header = steer::CheckDirectionSetHeader(set).ok();
  if (set.positions.size() > kMaxSide || set.layers < 0 || set.layers > kMaxSide ||
      set.hidden < 0 || set.hidden > kMaxSide)
    return;
  const int64_t positions = static_cast<int64_t>(set.positions.size());
  const int64_t sites = 2 * set.layers + 1;
  set.directions = Values(bytes, positions * set.layers * set.hidden);
  set.harmful_means = set.harmless_means = Values(bytes, positions * sites * set.hidden);
  set.harmful_mean_norms = set.harmless_mean_norms = Values("", positions * sites);
  TryFacts(std::string(facts_text), set);
  if (!header || static_cast<int64_t>(set.reports.size()) != positions * set.layers) return;
  // The numbers that no mutation could find.
  for (size_t i = 0; i < set.reports.size(); ++i) {
    const size_t layers = static_cast<size_t>(set.layers);
    const auto direction = set.Direction(i / layers, static_cast<int64_t>(i % layers));
    set.reports[i].norm = steer::Norm(direction);
    set.reports[i].direction_digest = steer::DirectionDigest(direction);
  }
  set.content_digest = steer::ContentDigest(set);
  const auto file = steer::SerializeDirectionSet(set, true);
  FUZZ_CHECK(file.ok() == steer::CheckDirectionSet(set).ok());
  if (!file.ok()) return;
  CheckFile(*file);
  FUZZ_CHECK(steer::DeserializeDirectionSet(*file, "own").ok());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view input = steer::fuzz::Text(data, size);
  if (input.empty() || input[0] != '{') {
    CheckFile(input);
    return 0;
  }
  const size_t end = std::min(input.find('\n'), input.size());
  TrySealed(input.substr(0, end), input.substr(std::min(end + 1, size)));
  return 0;
}
