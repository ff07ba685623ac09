#include "client/plan/lock.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/plan/lock_json.h"
#include "client/stats/decision.h"
#include "common/digest.h"
#include "common/errors.h"
#include "common/files.h"
#include "common/json.h"
#include "common/status_macros.h"

namespace steer {
namespace {

constexpr int64_t kMaxLockBytes = int64_t{512} << 20;

LockedFile Locked(const PromptFile& file, const ClassPool& pool) {
  return {file.sha256,   file.bytes,      file.rows,   file.blank,
          file.filtered, pool.duplicates, pool.in_both};
}

SeedSplits WithoutTexts(SeedSplits splits) {
  for (PromptClass prompt_class : {PromptClass::kHarmful, PromptClass::kHarmless}) {
    for (SplitPart part : kSplitParts) {
      for (PromptRecord& record : splits.of(prompt_class).of(part)) record.text.clear();
    }
  }
  return splits;
}

// Fills digest and canonical; `content` is the lock's content in canonical form.
void Seal(absl::string_view content, Lock* lock) {
  lock->digest = Sha256Hex(content);
  lock->canonical = absl::StrCat("{\"content\":", content, ",\"digest\":\"", lock->digest, "\"}\n");
}

// Reads one class's file again and puts its texts into the splits. Returns what is wrong, or "".
std::string FillTexts(const Lock& lock, const std::string& data_root, PromptClass prompt_class,
                      std::vector<SeedSplits>* splits) {
  const PromptSource& source = lock.plan.source(prompt_class);
  const LockedFile& locked = prompt_class == PromptClass::kHarmful ? lock.harmful : lock.harmless;
  const std::string path = absl::StrCat(data_root, "/", source.file);
  // The digest first: a changed file is named as such, even where it no longer parses.
  if (auto bytes = ReadFile(path, kMaxPromptFileBytes);
      bytes.ok() && Sha256Hex(*bytes) != locked.sha256) {
    return absl::StrCat(path, " has changed: locked SHA-256 ", locked.sha256, " (", locked.bytes,
                        " bytes), found ", Sha256Hex(*bytes), " (", bytes->size(), " bytes)");
  }
  auto file = ReadPromptFile(source, data_root);
  if (!file.ok()) return std::string(file.status().message());
  if (file->rows != locked.rows) {
    return absl::StrCat(path, ": locked ", locked.rows, " rows, read ", file->rows);
  }
  // Duplicates and shared prompts have no part here: every locked prompt is looked up by its row.
  auto pools = BuildPools(*file, PromptFile());
  if (!pools.ok()) return std::string(pools.status().message());
  std::map<int64_t, const PromptRecord*> by_row;
  for (const PromptRecord& record : pools->harmful.prompts) by_row.emplace(record.row, &record);
  for (SeedSplits& seed : *splits) {
    for (SplitPart part : kSplitParts) {
      for (PromptRecord& record : seed.of(prompt_class).of(part)) {
        auto found = by_row.find(record.row);
        if (found == by_row.end() || found->second->hash != record.hash) {
          return absl::StrCat(path, ": the prompt of row ", record.row, " is not the locked one");
        }
        record.text = found->second->text;
      }
    }
  }
  return "";
}

absl::Status DataMismatch(absl::string_view what) {
  return MakeError(absl::StatusCode::kFailedPrecondition, "LOCK_DATA_MISMATCH", what);
}

}  // namespace

const SeedSplits* Lock::FindSeed(uint64_t seed) const {
  for (const SeedSplits& candidate : splits) {
    if (candidate.seed == seed) return &candidate;
  }
  return nullptr;
}

absl::StatusOr<Lock> FreezePlan(const Plan& plan, const PlanData& data, const ServerFacts& facts) {
  STEER_RETURN_IF_ERROR(CheckAgainstServer(plan, facts));
  Lock lock;
  lock.plan = plan;
  lock.plan.model_fingerprint = facts.model_fingerprint;
  if (plan.scores && plan.refusal_token_ids.empty()) {
    for (const ServerFacts::RefusalToken& token : facts.refusal_tokens) {
      lock.plan.refusal_token_ids.push_back(token.id);
    }
    std::vector<int>& ids = lock.plan.refusal_token_ids;
    std::sort(ids.begin(), ids.end());
    ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  }
  lock.refusal_token_ids = lock.plan.refusal_token_ids;
  lock.harmful = Locked(data.harmful, data.pools.harmful);
  lock.harmless = Locked(data.harmless, data.pools.harmless);
  for (const SeedSplits& splits : data.splits) lock.splits.push_back(WithoutTexts(splits));
  lock.arms = TestArms(plan);
  lock.candidate_layers = CandidateLayers(plan, facts.layers);
  lock.model_layers = facts.layers;
  lock.model_fingerprint = facts.model_fingerprint;
  lock.chat_template_digest = facts.chat_template_digest;
  lock.contract_version = facts.contract_version;
  lock.readout_digest = facts.readouts.at(plan.readout);
  lock.rule_digest = PostRuleDigest();
  STEER_ASSIGN_OR_RETURN(const std::string content, CanonicalJson(LockContent(lock)));
  Seal(content, &lock);
  // A lock that cannot be read back is worth nothing: find out now.
  auto read = ParseLock(lock.canonical, "lock");
  if (!read.ok()) return Annotate(read.status(), "the plan cannot be frozen");
  return lock;
}

absl::StatusOr<Lock> ParseLock(absl::string_view text, absl::string_view name) {
  auto json = ParseJson(text);
  if (!json.ok()) return Annotate(json.status(), name);
  auto content = json->find("content");
  auto digest = json->find("digest");
  if (!json->is_object() || json->size() != 2 || content == json->end() || digest == json->end() ||
      !content->is_object() || !digest->is_string()) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, ": not a lock; `steerctl plan freeze` makes one of a plan"));
  }
  const std::string canonical = content->dump();  // cannot fail: what was parsed can be written
  const std::string actual = Sha256Hex(canonical);
  if (actual != digest->get<std::string>()) {
    return MakeError(
        absl::StatusCode::kDataLoss, "LOCK_TAMPERED",
        absl::StrCat(name, ": the lock was changed after it was frozen: it names SHA-256 ",
                     digest->get<std::string>().substr(0, 64), " and its content has ", actual));
  }
  auto lock = LockFromContent(*content);
  if (!lock.ok()) return Annotate(lock.status(), name);
  Seal(canonical, &*lock);
  return lock;
}

absl::StatusOr<Lock> LoadLock(const std::string& path) {
  STEER_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMaxLockBytes));
  // A lock is JSON and begins so; what people give instead is the plan that it is made from.
  const size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string::npos || text[begin] != '{') {
    return absl::InvalidArgumentError(absl::StrCat(
        path, ": is no lock; `steerctl plan freeze PLAN --output LOCK` makes one from a plan"));
  }
  return ParseLock(text, path);
}

absl::Status WriteLock(const Lock& lock, const std::string& path, bool replace) {
  if (!replace) {
    auto existing = ReadFile(path, kMaxLockBytes);
    if (existing.ok() && *existing == lock.canonical) return absl::OkStatus();
    if (existing.ok()) {
      return absl::AlreadyExistsError(
          absl::StrCat(path,
                       " holds another lock; a frozen plan is not edited: choose another file, or "
                       "replace it on purpose"));
    }
    if (!absl::IsNotFound(existing.status())) return existing.status();
  }
  return WriteFileAtomically(path, lock.canonical, "lock");
}

absl::StatusOr<std::vector<SeedSplits>> LoadLockedPrompts(const Lock& lock,
                                                          const std::string& data_root) {
  std::vector<SeedSplits> splits = lock.splits;
  std::vector<std::string> problems;
  for (PromptClass prompt_class : {PromptClass::kHarmful, PromptClass::kHarmless}) {
    std::string problem = FillTexts(lock, data_root, prompt_class, &splits);
    if (!problem.empty()) problems.push_back(std::move(problem));
  }
  if (!problems.empty()) return DataMismatch(absl::StrJoin(problems, "; "));
  return splits;
}

absl::Status CheckLockedFile(const Lock& lock, PromptClass prompt_class,
                             const std::string& data_root) {
  std::vector<SeedSplits> splits = lock.splits;
  const std::string problem = FillTexts(lock, data_root, prompt_class, &splits);
  return problem.empty() ? absl::OkStatus() : DataMismatch(problem);
}

}  // namespace steer
