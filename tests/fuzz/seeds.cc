// Writes the seeds that the product itself must make, since they carry digests: locks, result logs, direction sets.
//   fuzz_seeds FOLDER      one folder a target, as make_corpus.py wants them
#include <cstdio>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "client/plan/lock.h"
#include "client/run/records.h"
#include "common/digest.h"
#include "common/files.h"
#include "server/steering/direction_set.h"
#include "server/steering/direction_set_json.h"
#include "server/steering/subspace.h"

namespace {

using namespace steer;  // NOLINT(build/namespaces)

constexpr char kPlan[] = R"(version: 1
name: small
model: {name: toy, dtype: float32}
data:
  harmful: {file: a.txt, format: text}
  harmless: {file: b.txt, format: text}
splits: {train: 2, validation: 1, test: 1}
seeds: [3]
readout: {name: post-1}
decoding: {max_new_tokens: 8}
controls: {family: isotropic, seed: 7}
rule: post-1
)";

void Write(const std::string& folder, const std::string& name, absl::string_view bytes) {
  const std::string path = absl::StrCat(folder, "/", name);
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  const absl::Status status = WriteFileAtomically(path, bytes);
  if (!status.ok()) std::fprintf(stderr, "%s\n", status.ToString().c_str());
}

void WriteLocks(const std::string& folder) {
  const std::string data = absl::StrCat(folder, "/data");
  std::string a, b;
  for (int i = 0; i < 6; ++i) {
    absl::StrAppend(&a, "count the stones of river ", i * i, "\n");
    absl::StrAppend(&b, "paint a wooden kite in colour ", i * 7, "\n");
  }
  Write(data, "a.txt", a);
  Write(data, "b.txt", b);
  ServerFacts facts;
  facts.model_name = "toy";
  facts.layers = 3;
  facts.hidden = 16;
  facts.vocabulary = 300;
  facts.model_fingerprint = std::string(64, 'a');
  facts.dtype = "float32";
  facts.chat_template_digest = std::string(64, 'c');
  facts.contract_version = "steer.v1/1";
  facts.readouts = {{"post-1", std::string(64, 'd')}};
  facts.refusal_tokens = {{9, "No"}};
  facts.control_families = {"isotropic"};
  facts.max_context_tokens = 128;
  facts.max_new_tokens = 64;
  facts.max_prompts = 1000;
  for (const char* more : {"", "prompt: {system: be brief}\nselection: {layers: [1, 2]}\n"}) {
    const Plan plan = ParsePlan(absl::StrCat(kPlan, more), "plan").value();
    const Lock lock = FreezePlan(plan, LoadPlanData(plan, data).value(), facts).value();
    const std::string number = absl::StrCat(std::string(more).size());
    Write(folder, absl::StrCat("lock/file-", number), lock.canonical);
    Write(folder, absl::StrCat("lock/content-", number),
          ParseJson(lock.canonical)->at("content").dump());
  }
  std::filesystem::remove_all(data);
}

void WriteLogs(const std::string& folder) {
  FitRecord fit;
  fit.plan_digest = std::string(64, '1');
  fit.seed = 3;
  fit.numeric_fingerprint = std::string(64, '2');
  fit.layers = 2;
  fit.reports = {{}, {-1, 1, true, 2.5, 1.25, 0.75, 0.5, 3, 0.25, std::string(64, '3')}};
  CellRecord cell;
  cell.seed = 3;
  cell.arm = {"ablate-control-0/harmful", PromptClass::kHarmful, EditKind::kAblate, -1, 0};
  cell.rows = {{true, RowQuality::kOk, RowFinish::kLength, 8, -1.5, 0.25, "x"}, {}};
  cell.scores = true;
  SelectionRecord selection{std::string(64, '1'), 3, true, 1, {1, 2}};
  FailureRecord failure{std::string(64, '1'), "seed-3/selected", 1,
                        "INTERNAL",           "WRONG_RECEIPT",   "note"};
  const Record records[] = {ToRecord(fit, {{"seconds", 1.5}}), ToRecord(cell, Json::object()),
                            ToRecord(selection), ToRecord(failure, Json::object())};
  const std::string path = absl::StrCat(folder, "/result_log/file");
  std::filesystem::create_directories(absl::StrCat(folder, "/result_log"));
  auto log = ResultLog::Open(path).value();
  std::string all = "seal\n";
  for (const Record& record : records) {
    if (absl::Status status = log->Append(record); !status.ok())
      std::fprintf(stderr, "%s\n", status.ToString().c_str());
    const Json line = {{"schema", kRecordSchema},
                       {"key", record.key},
                       {"payload", record.payload},
                       {"observed", record.observed}};
    absl::StrAppend(&all, line.dump(), "\n");
    Write(folder, absl::StrCat("result_log/", KindOf(record)),
          absl::StrCat("seal\n", line.dump(), "\n"));
  }
  Write(folder, "result_log/torn", absl::StrCat(all, "{\"key\": \"to"));
}

void WriteSets(const std::string& folder) {
  DirectionSet set;
  set.set_id = std::string(64, 'a');
  set.method = kDifferenceOfMeans;
  set.model_fingerprint = set.numeric_fingerprint = "m";
  set.positions = {-1, -2};
  set.layers = 2;
  set.hidden = 3;
  set.harmful_prompts = set.harmless_prompts = 2;
  for (int i = 0; i < 12; ++i)
    set.directions.push_back(static_cast<float>(i < 3 ? 0 : i * 0.5 - 2));
  set.harmful_means.assign(30, 0.5f);
  set.harmless_means.assign(30, 0.25f);
  set.harmful_mean_norms.assign(10, 1);
  set.harmless_mean_norms.assign(10, 2);
  set.states.assign(48, 0.125f);
  set.fit_prompt_hashes = {std::string(64, '0'), std::string(64, '1')};
  for (size_t i = 0; i < 4; ++i) {
    const auto direction = set.Direction(i / 2, static_cast<int64_t>(i % 2));
    set.reports.push_back({set.positions[i / 2], static_cast<int>(i % 2), i > 0, Norm(direction), 1,
                           0.75, 0.5, 1, 0.5, DirectionDigest(direction)});
  }
  set.content_digest = ContentDigest(set);
  Write(folder, "direction_set/whole", SerializeDirectionSet(set, true).value());
  Write(folder, "direction_set/lean", SerializeDirectionSet(set, false).value());
  std::string values(48, '\0');
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<char>(i % 4 == 3 ? 0x3f : i * 37);
  Write(folder, "direction_set/facts", absl::StrCat(DirectionSetFacts(set).dump(), "\n", values));
  Write(folder, "direction_set/facts-zero",
        absl::StrCat(DirectionSetFacts(set).dump(), "\n", std::string(4, '\0')));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  WriteLocks(argv[1]);
  WriteLogs(argv[1]);
  WriteSets(argv[1]);
  return 0;
}
