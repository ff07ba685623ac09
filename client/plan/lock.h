// A lock: a plan frozen before the data is looked at. One canonical JSON object
//   {"content": {...}, "digest": SHA-256 of the canonical form of content}
// that pins everything the result may depend on; prompts appear as (row, hash), never as text,
// paths as the plan wrote them, no clock and no host: freezing the same plan twice gives the same
// bytes. `run` takes nothing else. Thread-safe once built.
#ifndef STEER_CLIENT_PLAN_LOCK_H_
#define STEER_CLIENT_PLAN_LOCK_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/plan/arms.h"
#include "client/plan/plan.h"
#include "client/plan/plan_data.h"
#include "client/plan/server_facts.h"

namespace steer {

inline constexpr char kLockFormat[] = "steer-lock-1";

struct LockedFile {
  std::string sha256;
  int64_t bytes = 0;
  int64_t rows = 0;
  int64_t blank = 0;
  int64_t filtered = 0;
  int64_t duplicates = 0;
  int64_t in_both = 0;
  friend bool operator==(const LockedFile&, const LockedFile&) = default;
};

struct Lock {
  std::string digest;  // 64 hex digits; stands in every result row
  Plan plan;           // refusal_token_ids and model_fingerprint filled in from the server
  LockedFile harmful;
  LockedFile harmless;
  std::vector<SeedSplits> splits;     // without texts; in the order of plan.seeds
  std::vector<ArmSpec> arms;          // TestArms(plan)
  std::vector<int> candidate_layers;  // CandidateLayers(plan, model_layers)
  int model_layers = 0;               // L
  std::string model_fingerprint;
  std::string chat_template_digest;
  std::string contract_version;
  std::string readout_digest;
  std::string rule_digest;
  std::vector<int> refusal_token_ids;  // resolved; empty if plan.scores is false
  std::string canonical;               // bytes of the lock file

  const SeedSplits* FindSeed(uint64_t seed) const;  // null if not locked
};

// Fails with every violation of CheckAgainstServer (below). INTERNAL only on our own error.
absl::StatusOr<Lock> FreezePlan(const Plan& plan, const PlanData& data, const ServerFacts& facts);

// What of the plan this server cannot do, field "plan" keys: another model name, fingerprint,
// dtype, a readout, control family or layer it lacks, limits exceeded. OK, or INVALID_ARGUMENT with
// all violations.
absl::Status CheckAgainstServer(const Plan& plan, const ServerFacts& facts);

// What of the lock this server does not match (model fingerprint, template, readout digest,
// contract, dtype, limits): FAILED_PRECONDITION (reason LOCK_SERVER_MISMATCH) naming every one,
// both values. To be called before the first row of every run and resume.
absl::Status CheckLockAgainstServer(const Lock& lock, const ServerFacts& facts);

// Parses and verifies: INVALID_ARGUMENT for malformed or unknown content, DATA_LOSS (reason
// LOCK_TAMPERED) if the digest does not match, FAILED_PRECONDITION (reason LOCK_VERSION) for a
// format, prompt form, split or rule version of another build. `name` stands in errors.
absl::StatusOr<Lock> ParseLock(absl::string_view text, absl::string_view name);
absl::StatusOr<Lock> LoadLock(const std::string& path);

// Writes lock.canonical atomically. Refuses to replace a different lock (ALREADY_EXISTS) unless
// `replace`.
absl::Status WriteLock(const Lock& lock, const std::string& path, bool replace = false);

// The locked splits with their texts, from the files as they are now. FAILED_PRECONDITION (reason
// LOCK_DATA_MISMATCH) naming each file whose digest, rows or prompts are not the locked ones.
absl::StatusOr<std::vector<SeedSplits>> LoadLockedPrompts(const Lock& lock,
                                                          const std::string& data_root);

// The same for one class's file, without keeping its texts. OK, or LOCK_DATA_MISMATCH.
absl::Status CheckLockedFile(const Lock& lock, PromptClass prompt_class,
                             const std::string& data_root);

}  // namespace steer

#endif  // STEER_CLIENT_PLAN_LOCK_H_
