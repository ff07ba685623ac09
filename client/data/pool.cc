#include "client/data/pool.h"

#include <unordered_set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/prompt_form.h"
#include "common/status_macros.h"

namespace steer {
namespace {

using Hashes = std::unordered_set<std::string>;

absl::StatusOr<ClassPool> Deduplicate(const PromptFile& file, Hashes* seen) {
  ClassPool pool;
  for (const PromptRow& row : file.kept) {
    auto prompt_hash = PromptHash(row.text);
    if (!prompt_hash.ok()) {
      return Annotate(prompt_hash.status(), absl::StrCat(file.file, ": row ", row.row));
    }
    std::string hash = *std::move(prompt_hash);
    if (!seen->insert(hash).second) {
      ++pool.duplicates;
      continue;
    }
    pool.prompts.push_back({row.row, std::move(hash), row.text});
  }
  return pool;
}

void RemoveShared(const Hashes& other, ClassPool* pool) {
  const size_t before = pool->prompts.size();
  std::erase_if(pool->prompts,
                [&](const PromptRecord& record) { return other.count(record.hash) > 0; });
  pool->in_both = static_cast<int64_t>(before - pool->prompts.size());
}

}  // namespace

absl::StatusOr<Pools> BuildPools(const PromptFile& harmful, const PromptFile& harmless) {
  Pools pools;
  Hashes in_harmful;
  Hashes in_harmless;
  STEER_ASSIGN_OR_RETURN(pools.harmful, Deduplicate(harmful, &in_harmful));
  STEER_ASSIGN_OR_RETURN(pools.harmless, Deduplicate(harmless, &in_harmless));
  RemoveShared(in_harmless, &pools.harmful);
  RemoveShared(in_harmful, &pools.harmless);
  return pools;
}

}  // namespace steer
