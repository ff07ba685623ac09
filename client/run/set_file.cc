#include "client/run/set_file.h"

#include <limits>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/digest.h"
#include "common/json.h"
#include "common/set_digest.h"
#include "common/status_macros.h"

namespace steer {
namespace {

constexpr char kWhere[] = "facts";
// More would not fit a file that is read whole.
constexpr int64_t kMaxPositions = 1024, kMaxLayers = 1024, kMaxHidden = 1 << 18;

absl::Status Damaged(absl::string_view what) {
  return absl::DataLossError(absl::StrCat("the set is damaged or was changed: ", what));
}

struct Split {
  Json header;
  absl::string_view data;
};

// The header must be in the form that steerd writes: canonical, spaces up to a multiple of eight.
absl::StatusOr<Split> SplitFile(absl::string_view bytes) {
  uint64_t size = 0;
  if (bytes.size() < 8) return Damaged("it is too short");
  for (size_t i = 8; i-- > 0;) size = size << 8 | static_cast<unsigned char>(bytes[i]);
  if (size > bytes.size() - 8) return Damaged("its header is cut off");
  const absl::string_view text = bytes.substr(8, size);
  absl::StatusOr<Json> header = ParseJson(text);
  if (!header.ok() || !header->is_object()) return Damaged("its header is no JSON object");
  std::string canonical = header->dump();  // cannot fail: what was parsed can be written
  canonical.resize((canonical.size() + 7) / 8 * 8, ' ');
  if (canonical != text) return Damaged("its header is not as steerd writes it");
  return Split{*std::move(header), bytes.substr(8 + size)};
}

// The facts whose digest stands beside them.
absl::StatusOr<Json> Facts(const Json& header) {
  const auto metadata = header.find("__metadata__");
  if (metadata == header.end() || !metadata->is_object() || metadata->size() != 2) {
    return Damaged("its metadata is not that of a set without states");
  }
  STEER_ASSIGN_OR_RETURN(const std::string text, JsonString(*metadata, kSetFactsKey, kWhere));
  STEER_ASSIGN_OR_RETURN(const std::string digest,
                         JsonString(*metadata, kSetFactsDigestKey, kWhere));
  if (Sha256Hex(text) != digest) return Damaged("its facts differ from their digest");
  return ParseJson(text);
}

absl::StatusOr<int> Whole(const Json& object, absl::string_view key, int64_t low, int64_t high) {
  STEER_ASSIGN_OR_RETURN(const int64_t value, JsonInt(object, key, kWhere));
  if (value < low || value > high) return Damaged(absl::StrCat(key, " is out of range"));
  return static_cast<int>(value);
}

absl::StatusOr<const Json*> ListOf(const Json& facts, const char* key) {
  const auto list = facts.find(key);
  if (list == facts.end() || !list->is_array()) {
    return Damaged(absl::StrCat(key, " is not a list"));
  }
  return &*list;
}

absl::Status ParseFacts(const Json& facts, SetFacts* set, SetContent* content) {
  if (!facts.is_object()) return Damaged("its facts are no object");
  constexpr int64_t kMost = std::numeric_limits<int>::max();
  STEER_ASSIGN_OR_RETURN(content->format, Whole(facts, "format_version", 1, 1));
  STEER_ASSIGN_OR_RETURN(set->set_id, JsonString(facts, "set_id", kWhere));
  STEER_ASSIGN_OR_RETURN(set->content_digest, JsonString(facts, "content_digest", kWhere));
  STEER_ASSIGN_OR_RETURN(set->method, JsonString(facts, "method", kWhere));
  STEER_ASSIGN_OR_RETURN(set->model_fingerprint, JsonString(facts, "model_fingerprint", kWhere));
  STEER_ASSIGN_OR_RETURN(set->numeric_fingerprint,
                         JsonString(facts, "numeric_fingerprint", kWhere));
  STEER_ASSIGN_OR_RETURN(set->layers, Whole(facts, "layers", 1, kMaxLayers));
  STEER_ASSIGN_OR_RETURN(set->hidden, Whole(facts, "hidden", 1, kMaxHidden));
  STEER_ASSIGN_OR_RETURN(set->harmful_prompts, Whole(facts, "harmful_prompts", 0, kMost));
  STEER_ASSIGN_OR_RETURN(set->harmless_prompts, Whole(facts, "harmless_prompts", 0, kMost));
  STEER_ASSIGN_OR_RETURN(const Json* positions, ListOf(facts, "positions"));
  if (positions->empty() || positions->size() > kMaxPositions)
    return Damaged("it has no positions, or too many");
  for (const Json& position : *positions) {
    // An object of one key, so that one reader checks every integer.
    STEER_ASSIGN_OR_RETURN(const int value,
                           Whole({{"position", position}}, "position", -kMost, -1));
    content->positions.push_back(value);
  }
  STEER_ASSIGN_OR_RETURN(const Json* reports, ListOf(facts, "reports"));
  for (const Json& json : *reports) {
    STEER_ASSIGN_OR_RETURN(LayerReport report, ReadLayerReport(json, kWhere));
    content->usable.push_back(report.usable);
    set->reports.push_back(std::move(report));
  }
  content->method = set->method;
  content->layers = set->layers;
  content->hidden = set->hidden;
  return absl::OkStatus();
}

// What stands behind a matching digest was written by steerd, unless both were changed.
absl::Status ReadFacts(const Json& header, SetFacts* set, SetContent* content) {
  const absl::StatusOr<Json> facts = Facts(header);
  const absl::Status status = facts.ok() ? ParseFacts(*facts, set, content) : facts.status();
  return status.ok() || absl::IsDataLoss(status) ? status : Damaged(status.message());
}

// Tensors must tile the data in the order of their names.
absl::Status ReadTensors(const Split& file, SetContent* content) {
  const int64_t positions = static_cast<int64_t>(content->positions.size());
  const int64_t layers = content->layers, hidden = content->hidden, sites = 2 * layers + 1;
  struct Wanted {
    std::vector<int64_t> shape;
    absl::string_view* bytes;
  };
  const std::map<std::string, Wanted> wanted = {
      {"directions", {{positions, layers, hidden}, &content->directions}},
      {"harmful_mean_norms", {{positions, sites}, &content->harmful_mean_norms}},
      {"harmful_means", {{positions, sites, hidden}, &content->harmful_means}},
      {"harmless_mean_norms", {{positions, sites}, &content->harmless_mean_norms}},
      {"harmless_means", {{positions, sites, hidden}, &content->harmless_means}}};
  if (file.header.size() != wanted.size() + 1) return Damaged("it has not the tensors of a set");
  uint64_t at = 0;
  for (const auto& [name, tensor] : wanted) {
    uint64_t bytes = sizeof(float);
    for (const int64_t size : tensor.shape) bytes *= static_cast<uint64_t>(size);
    const Json facts = {
        {"dtype", "F32"}, {"shape", tensor.shape}, {"data_offsets", {at, at + bytes}}};
    const auto held = file.header.find(name);
    if (held == file.header.end() || *held != facts || bytes > file.data.size() - at) {
      return Damaged(absl::StrCat("tensor ", name, " is not where and what it must be"));
    }
    *tensor.bytes = file.data.substr(at, bytes);
    at += bytes;
  }
  return at == file.data.size() ? absl::OkStatus() : Damaged("it is longer than its tensors");
}

}  // namespace

absl::StatusOr<SetFacts> ReadSetFile(absl::string_view bytes) {
  STEER_ASSIGN_OR_RETURN(const Split file, SplitFile(bytes));
  SetFacts set;
  SetContent content;
  STEER_RETURN_IF_ERROR(ReadFacts(file.header, &set, &content));
  STEER_RETURN_IF_ERROR(ReadTensors(file, &content));
  if (SetContentDigest(content) != set.content_digest) {
    return Damaged("its tensors differ from their content digest");
  }
  // The log names directions one by one.
  const size_t layers = static_cast<size_t>(set.layers);
  const size_t width = static_cast<size_t>(set.hidden) * sizeof(float);
  if (set.reports.size() != content.positions.size() * layers) {
    return Damaged("it has not one report for each direction");
  }
  for (size_t i = 0; i < set.reports.size(); ++i) {
    const LayerReport& report = set.reports[i];
    if (report.position != content.positions[i / layers] ||
        report.layer != static_cast<int>(i % layers) ||
        report.direction_digest != Sha256Hex(content.directions.substr(i * width, width))) {
      return Damaged(absl::StrCat("report ", i, " is not that of its direction"));
    }
  }
  return set;
}

absl::Status CheckSetIsOf(const SetFacts& set, const FitRecord& fit) {
  std::string field;
  const auto same = [&field](const char* name, const auto& a, const auto& b) {
    if (field.empty() && !(a == b)) field = name;
  };
  same("set_id", set.set_id, fit.set_id);
  same("content_digest", set.content_digest, fit.content_digest);
  same("method", set.method, fit.method);
  same("model_fingerprint", set.model_fingerprint, fit.model_fingerprint);
  same("numeric_fingerprint", set.numeric_fingerprint, fit.numeric_fingerprint);
  same("layers", set.layers, fit.layers);
  same("hidden", set.hidden, fit.hidden);
  same("harmful_prompts", set.harmful_prompts, fit.harmful_prompts);
  same("harmless_prompts", set.harmless_prompts, fit.harmless_prompts);
  same("reports", set.reports, fit.reports);
  if (field.empty()) return absl::OkStatus();
  return absl::DataLossError(
      absl::StrCat("it is not the set of seed ", fit.seed, "'s fit: another ", field));
}

}  // namespace steer
