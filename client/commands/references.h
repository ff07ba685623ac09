// How directions, interventions and prompts are named on the command line.
#ifndef STEER_CLIENT_COMMANDS_REFERENCES_H_
#define STEER_CLIENT_COMMANDS_REFERENCES_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/api/client.h"
#include "client/commands/context.h"
#include "client/data/prompt_file.h"
#include "steer/v1/intervention.pb.h"

namespace steer {

// SET:LAYER[:COEFFICIENT][:control SEED/DRAW]. SET may be any unambiguous beginning of an id ("set"
// is resolved later).
struct DirectionArgument {
  std::string set;
  int layer = 0;
  double coefficient = 1;
  bool has_coefficient = false;
  bool has_control = false;
  uint64_t control_seed = 0;
  uint32_t control_draw = 0;
};
// INVALID_ARGUMENT that shows the form.
absl::StatusOr<DirectionArgument> ParseDirection(absl::string_view text);

// The full id of the one set that begins with `prefix`. NOT_FOUND or FAILED_PRECONDITION (several)
// otherwise.
absl::StatusOr<std::string> ResolveSet(const std::string& prefix, Client* client);

// "SEED/DRAW".
absl::StatusOr<v1::Control> ParseControl(absl::string_view text);

struct EditFlags {
  std::vector<std::string> ablate;
  std::vector<std::string> add;
  int position = -1;
};
void AddEditFlags(CLI::App* command, EditFlags* flags);
// Ablations at every site (several together are one subspace), additions at the inputs of their
// layers; all tokens.
absl::StatusOr<v1::Intervention> ToIntervention(const EditFlags& flags, Client* client);

// Prompts from a file whose format follows its name (.csv, .json, .jsonl, otherwise text).
// `field_flag` gave the field, or is what the user should give.
absl::StatusOr<PromptFile> ReadPrompts(const std::string& path, const std::string& field,
                                       absl::string_view field_flag);

// --prompt, or standard input where it was not given. INVALID_ARGUMENT beyond the contract's limit
// or without text.
absl::StatusOr<std::string> PromptText(const std::string& flag, bool given);

}  // namespace steer

#endif  // STEER_CLIENT_COMMANDS_REFERENCES_H_
