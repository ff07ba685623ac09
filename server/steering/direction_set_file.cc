#include "server/steering/direction_set_file.h"

#include <cstring>
#include <map>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/digest.h"
#include "common/errors.h"
#include "common/json.h"
#include "common/set_digest.h"
#include "common/status_macros.h"
#include "server/steering/direction_check.h"
#include "server/steering/direction_set_json.h"

namespace steer {
namespace {

struct NamedTensor {
  const char* name;
  std::vector<float> DirectionSet::*values;
};

constexpr NamedTensor kTensors[] = {{"directions", &DirectionSet::directions},
                                    {"harmful_means", &DirectionSet::harmful_means},
                                    {"harmless_means", &DirectionSet::harmless_means},
                                    {"harmful_mean_norms", &DirectionSet::harmful_mean_norms},
                                    {"harmless_mean_norms", &DirectionSet::harmless_mean_norms},
                                    {"states", &DirectionSet::states}};

std::vector<int64_t> ShapeOf(absl::string_view name, const DirectionSet& set) {
  const int64_t positions = static_cast<int64_t>(set.positions.size());
  const int64_t sites = 2 * set.layers + 1;
  if (name == "directions") return {positions, set.layers, set.hidden};
  if (name == "states") {
    return {set.harmful_prompts + set.harmless_prompts, positions, set.layers, set.hidden};
  }
  if (name == "harmful_means" || name == "harmless_means") return {positions, sites, set.hidden};
  return {positions, sites};
}

absl::Status DataLoss(absl::string_view what) {
  return MakeError(
      absl::StatusCode::kDataLoss, "DIGEST_MISMATCH",
      absl::StrCat(what, " differ from their digest: the file was changed or damaged"));
}

absl::StatusOr<std::string> Metadata(const SafetensorsFile& file, const std::string& key) {
  const auto it = file.metadata().find(key);
  if (it == file.metadata().end()) {
    return absl::InvalidArgumentError(
        absl::StrCat("not a direction set: its metadata has no \"", key, "\""));
  }
  return it->second;
}

absl::StatusOr<ReadSet> Read(const SafetensorsFile& file, StatesUse use) {
  STEER_ASSIGN_OR_RETURN(const std::string facts_text, Metadata(file, kSetFactsKey));
  STEER_ASSIGN_OR_RETURN(const std::string facts_digest, Metadata(file, kSetFactsDigestKey));
  if (Sha256Hex(facts_text) != facts_digest) return DataLoss("the facts");
  STEER_ASSIGN_OR_RETURN(const Json facts, ParseJson(facts_text));
  ReadSet result;
  DirectionSet& set = result.set;
  STEER_RETURN_IF_ERROR(ReadDirectionSetFacts(facts, &set));
  STEER_RETURN_IF_ERROR(CheckDirectionSetHeader(set));

  size_t known = 0;
  for (const NamedTensor& tensor : kTensors) {
    const auto it = file.tensors().find(tensor.name);
    const bool is_states = tensor.values == &DirectionSet::states;
    if (it == file.tensors().end()) {
      if (is_states) continue;
      return absl::InvalidArgumentError(absl::StrCat("tensor \"", tensor.name, "\" is missing"));
    }
    ++known;
    const TensorView& view = it->second;
    const std::vector<int64_t> shape = ShapeOf(tensor.name, set);
    if (view.type != TensorType::kFloat32 || view.shape != shape) {
      return absl::InvalidArgumentError(absl::StrCat(
          "tensor \"", tensor.name, "\" is ", TensorTypeName(view.type), " [",
          absl::StrJoin(view.shape, ", "), "] instead of F32 [", absl::StrJoin(shape, ", "), "]"));
    }
    std::vector<float>& values = set.*tensor.values;
    values.resize(static_cast<size_t>(view.elements()));
    std::memcpy(values.data(), view.bytes.data(), view.bytes.size());
    if (is_states) {
      result.has_states = true;
      STEER_ASSIGN_OR_RETURN(const std::string digest, Metadata(file, kSetStatesDigestKey));
      if (Sha256Hex(view.bytes) != digest) return DataLoss("the states");
    }
  }
  if (file.tensors().size() != known) {
    return absl::InvalidArgumentError("it holds tensors that no direction set has");
  }
  if (ContentDigest(set) != set.content_digest) return DataLoss("the tensors");
  STEER_RETURN_IF_ERROR(CheckDirectionSet(set));
  if (use == StatesUse::kCheckOnly) std::vector<float>().swap(set.states);
  return result;
}

}  // namespace

absl::StatusOr<ReadSet> ReadDirectionSet(const SafetensorsFile& file, absl::string_view name,
                                         StatesUse use) {
  auto result = Read(file, use);
  if (!result.ok()) return Annotate(result.status(), name);
  return result;
}

absl::StatusOr<std::string> SerializeDirectionSet(const DirectionSet& set, bool with_states) {
  STEER_RETURN_IF_ERROR(CheckDirectionSet(set));
  if (ContentDigest(set) != set.content_digest) {
    return absl::InvalidArgumentError("content_digest: not that of the set's tensors");
  }
  STEER_ASSIGN_OR_RETURN(const std::string facts, CanonicalJson(DirectionSetFacts(set)));
  std::map<std::string, std::string> metadata = {{kSetFactsKey, facts},
                                                 {kSetFactsDigestKey, Sha256Hex(facts)}};
  std::map<std::string, TensorView> tensors;
  for (const NamedTensor& tensor : kTensors) {
    const bool is_states = tensor.values == &DirectionSet::states;
    if (is_states && (!with_states || set.states.empty())) continue;
    const TensorView view = Float32View(set.*tensor.values, ShapeOf(tensor.name, set));
    if (is_states) metadata[kSetStatesDigestKey] = Sha256Hex(view.bytes);
    tensors[tensor.name] = view;
  }
  return SerializeSafetensors(tensors, metadata);
}

absl::StatusOr<DirectionSet> DeserializeDirectionSet(absl::string_view bytes,
                                                     absl::string_view name) {
  STEER_ASSIGN_OR_RETURN(const auto file, SafetensorsFile::FromBytes(bytes, name));
  STEER_ASSIGN_OR_RETURN(ReadSet read, ReadDirectionSet(*file, name, StatesUse::kLoad));
  return std::move(read.set);
}

}  // namespace steer
