// A plan: the experiment as a person writes it, in YAML. Every key (defaults in brackets; *
// required):
//
//   version: 1                       *
//   name: planted-default            * [A-Za-z0-9._-], 1 to 64: names the result folder
//   model:                           *
//     name: planted-default          * what GetModel must answer as `name`
//     dtype: float32                 * or bfloat16: what the server must compute in
//     fingerprint: 64 hex digits     [whatever the server has when the plan is frozen]
//   prompt:
//     system: text                   [the chat template decides]
//   data:                            *
//     harmful:                       *
//       file: harmful.csv            * relative to the data root: the plan's folder, or --data-root
//       format: csv                  * csv, json, jsonl or text
//       column: goal                 * for csv
//       key: instruction             * for json and jsonl that hold objects; left out for strings
//       filters:                     [none]; each has `column` or `key`, and `equals` or `differs`
//         - {key: input, equals: ""}
//       min_characters: 1            [1]
//       max_characters: 400          [no limit]
//     harmless: the same             *
//   splits: {train: 64, validation: 16, test: 32}  * prompts of each class; at least 2, 1 and 1
//   seeds: [0, 1]                    * distinct; 1 to 64 of them
//   fit:
//     method: difference-of-means    [difference-of-means]
//     positions: [-1]                [[-1]] counted from the end of the templated prompt
//     keep_states: true              [true] per-prompt states stay with the set on the server
//   selection:
//     rule: largest-swing            [largest-swing]
//     position: -1                   [-1] one of fit.positions
//     layers: all                    [all] or a list of block indices, each at least 1
//   readout:                         *
//     name: post-1                   * a readout that the server has
//     quality: true                  [false] outcomes are also judged OK or DEGENERATE
//     scores: true                   [false] refusal log-odds and KL at the last prompt position
//     refusal_token_ids: []          [the server's]; only with scores: true
//   decoding:                        *
//     max_new_tokens: 32             *
//     repetition_penalty: 1.0        [1.0: none] never taken from the checkpoint by itself
//   controls:                        *
//     family: isotropic              * a family that the server has
//     seed: 7                        * the control of experiment seed s is keyed by seed + s
//     draws: 1                       [1] K; the rule reads draw 0, all K are reported
//   rule: post-1                     *
#ifndef STEER_CLIENT_PLAN_PLAN_H_
#define STEER_CLIENT_PLAN_PLAN_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "client/data/prompt_file.h"
#include "client/data/splits.h"
#include "common/json.h"

namespace steer {

struct Plan {
  std::string name;
  std::string model_name;
  std::string dtype;              // "float32" or "bfloat16"
  std::string model_fingerprint;  // empty: not named
  absl::optional<std::string> system;
  PromptSource harmful;
  PromptSource harmless;
  SplitSizes sizes;
  std::vector<uint64_t> seeds;  // each below 2^53, so that JSON carries it
  std::string fit_method = "difference-of-means";
  std::vector<int> positions = {-1};  // descending from -1, distinct
  bool keep_states = true;
  std::string selection_rule = "largest-swing";
  int selection_position = -1;
  absl::optional<std::vector<int>> layers;  // ascending; unset: all from 1 to L-1
  std::string readout;
  bool quality = false;
  bool scores = false;
  std::vector<int> refusal_token_ids;  // ascending; empty: the server's
  int max_new_tokens = 0;
  double repetition_penalty = 1.0;  // 1: none
  std::string control_family;
  uint64_t control_seed = 0;
  int control_draws = 1;
  std::string rule;

  const PromptSource& source(PromptClass prompt_class) const {
    return prompt_class == PromptClass::kHarmful ? harmful : harmless;
  }
  friend bool operator==(const Plan&, const Plan&) = default;
};

// Largest plan file in bytes.
inline constexpr int64_t kMaxPlanBytes = int64_t{1} << 20;

// INVALID_ARGUMENT with every violation (ViolationsOf); its field is "<name>:<line>" and its
// description starts with the key's path: unknown or repeated key, missing key, wrong type, value
// out of range, contradiction between keys. A YAML syntax error is one violation at its line.
absl::StatusOr<Plan> ParsePlan(absl::string_view yaml, absl::string_view name);

// As ParsePlan; errors of the file itself as ReadFile.
absl::StatusOr<Plan> LoadPlan(const std::string& path);

// The plan with its defaults written out, as a lock holds it, and back. PlanFromJson refuses what
// PlanToJson would not have written (unknown and missing keys included), with the key's path.
Json PlanToJson(const Plan& plan);
absl::StatusOr<Plan> PlanFromJson(const Json& json);

}  // namespace steer

#endif  // STEER_CLIENT_PLAN_PLAN_H_
