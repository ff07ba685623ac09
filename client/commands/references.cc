#include "client/commands/references.h"

#include <stdio.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <filesystem>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/digest.h"
#include "common/errors.h"
#include "common/status_macros.h"

namespace steer {
namespace {

absl::Status BadDirection(absl::string_view text) {
  return absl::InvalidArgumentError(
      absl::StrCat("'", text,
                   "' is not SET:LAYER[:COEFFICIENT][:control SEED/DRAW], as 3f2a:14, 3f2a:14:0.5 "
                   "or \"3f2a:14:control 7/0\""));
}

bool IsHex(absl::string_view text) {
  return !text.empty() && text.size() <= 64 &&
         text.find_first_not_of("0123456789abcdef") == absl::string_view::npos;
}

v1::DirectionRef ToRef(const DirectionArgument& argument, const std::string& set_id, int position) {
  v1::DirectionRef ref;
  ref.set_set_id(set_id);
  ref.set_position(position);
  ref.set_layer(argument.layer);
  if (argument.has_control) {
    ref.mutable_control()->set_family(v1::CONTROL_FAMILY_ISOTROPIC);
    ref.mutable_control()->set_seed(argument.control_seed);
    ref.mutable_control()->set_draw(argument.control_draw);
  }
  return ref;
}

}  // namespace

absl::StatusOr<v1::Control> ParseControl(absl::string_view text) {
  std::vector<std::string> parts = absl::StrSplit(text, '/');
  uint64_t seed = 0;
  uint32_t draw = 0;
  if (parts.size() != 2 || !absl::SimpleAtoi(parts[0], &seed) ||
      !absl::SimpleAtoi(parts[1], &draw) || draw > 0x7fffffff) {
    return absl::InvalidArgumentError(absl::StrCat("'", text, "' is not SEED/DRAW, as 7/0"));
  }
  v1::Control control;
  control.set_family(v1::CONTROL_FAMILY_ISOTROPIC);
  control.set_seed(seed);
  control.set_draw(draw);
  return control;
}

absl::StatusOr<DirectionArgument> ParseDirection(absl::string_view text) {
  std::vector<std::string> parts = absl::StrSplit(text, ':');
  DirectionArgument argument;
  if (parts.size() < 2 || parts.size() > 4 || !IsHex(parts[0]) ||
      !absl::SimpleAtoi(parts[1], &argument.layer) || argument.layer < 0) {
    return BadDirection(text);
  }
  argument.set = parts[0];
  for (size_t i = 2; i < parts.size(); ++i) {
    absl::string_view part = parts[i];
    if (absl::StrContains(part, '/')) {
      if (!absl::ConsumePrefix(&part, "control ")) absl::ConsumePrefix(&part, "control=");
      absl::StatusOr<v1::Control> control = ParseControl(part);
      if (!control.ok() || i + 1 != parts.size()) return BadDirection(text);
      argument.has_control = true;
      argument.control_seed = control->seed();
      argument.control_draw = control->draw();
    } else {
      if (i != 2 || !absl::SimpleAtod(part, &argument.coefficient) ||
          !std::isfinite(argument.coefficient)) {
        return BadDirection(text);
      }
      argument.has_coefficient = true;
    }
  }
  return argument;
}

absl::StatusOr<std::string> ResolveSet(const std::string& prefix, Client* client) {
  if (IsSha256Hex(prefix)) return prefix;
  if (!IsHex(prefix))
    return absl::InvalidArgumentError(
        absl::StrCat("'", prefix, "' is not the beginning of a set id"));
  std::string found;
  v1::ListDirectionsRequest request;
  do {
    STEER_ASSIGN_OR_RETURN(v1::ListDirectionsResponse page, client->ListDirections(request));
    for (const v1::DirectionSet& set : page.sets()) {
      if (!absl::StartsWith(set.set_id(), prefix)) continue;
      if (!found.empty()) {
        return absl::FailedPreconditionError(
            absl::StrCat("several sets begin with ", prefix, "; give more digits"));
      }
      found = set.set_id();
    }
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  if (!found.empty()) return found;
  return absl::NotFoundError(
      absl::StrCat("no set begins with ", prefix, "; see `steerctl directions list`"));
}

void AddEditFlags(CLI::App* command, EditFlags* flags) {
  const char* group = "Intervention";
  command
      ->add_option("--ablate", flags->ablate,
                   "SET:LAYER[:FRACTION][:control SEED/DRAW]: remove the direction at every site; "
                   "repeat for a subspace")
      ->group(group);
  command
      ->add_option("--add", flags->add,
                   "SET:LAYER[:COEFFICIENT][:control SEED/DRAW]: add it at the input of its layer")
      ->group(group);
  command->add_option("--position", flags->position, "Position that the directions were read at")
      ->capture_default_str()
      ->group(group);
}

namespace {

struct NamedDirection {
  double coefficient = 1;
  v1::DirectionRef ref;
};

// What `flag` was given, with its set looked up. Errors about the text name the flag.
absl::StatusOr<NamedDirection> Named(absl::string_view flag, const std::string& text, int position,
                                     Client* client) {
  absl::StatusOr<DirectionArgument> argument = ParseDirection(text);
  if (!argument.ok()) return Annotate(argument.status(), flag);
  STEER_ASSIGN_OR_RETURN(std::string id, ResolveSet(argument->set, client));
  return NamedDirection{argument->coefficient, ToRef(*argument, id, position)};
}

}  // namespace

absl::StatusOr<v1::Intervention> ToIntervention(const EditFlags& flags, Client* client) {
  v1::Intervention intervention;
  v1::Op* ablation = nullptr;
  double fraction = 1;
  for (const std::string& text : flags.ablate) {
    STEER_ASSIGN_OR_RETURN(NamedDirection named, Named("--ablate", text, flags.position, client));
    if (ablation == nullptr) {
      ablation = intervention.add_ops();
      fraction = named.coefficient;
    }
    if (named.coefficient != fraction) {
      return absl::InvalidArgumentError(
          absl::StrCat("--ablate: directions that are removed together need one fraction; ",
                       fraction, " and ", named.coefficient, " are given"));
    }
    ablation->mutable_sites()->set_all(true);
    ablation->set_tokens(v1::TOKEN_SCOPE_ALL);
    ablation->mutable_ablate()->set_fraction(fraction);
    *ablation->mutable_ablate()->add_directions() = named.ref;
  }
  for (const std::string& text : flags.add) {
    STEER_ASSIGN_OR_RETURN(NamedDirection named, Named("--add", text, flags.position, client));
    v1::Op* op = intervention.add_ops();
    op->mutable_sites()->add_layer_inputs(named.ref.layer());
    op->set_tokens(v1::TOKEN_SCOPE_ALL);
    op->mutable_add()->set_coefficient(named.coefficient);
    *op->mutable_add()->mutable_direction() = named.ref;
  }
  return intervention;
}

absl::StatusOr<PromptFile> ReadPrompts(const std::string& path, const std::string& field,
                                       absl::string_view field_flag) {
  PromptSource source;
  std::filesystem::path name(path);
  source.file = name.filename().string();
  source.field = field;
  std::string extension = absl::AsciiStrToLower(name.extension().string());
  source.format = extension == ".csv"     ? PromptFormat::kCsv
                  : extension == ".json"  ? PromptFormat::kJson
                  : extension == ".jsonl" ? PromptFormat::kJsonl
                                          : PromptFormat::kText;
  if (source.format == PromptFormat::kCsv && field.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, " is CSV: name the column that holds the prompts with ", field_flag));
  }
  std::string folder = name.parent_path().string();
  return ReadPromptFile(source, folder.empty() ? "." : folder);
}

absl::StatusOr<std::string> PromptText(const std::string& flag, bool given) {
  std::string text = flag;
  if (!given) {
    char buffer[4096];
    size_t n = 0;
    while ((n = fread(buffer, 1, sizeof(buffer), stdin)) > 0) {
      text.append(buffer, n);
      if (text.size() > static_cast<size_t>(kMaxPromptBytes)) break;
    }
    // A shell adds the last newline, not the user.
    if (!text.empty() && text.back() == '\n') text.pop_back();
  }
  if (text.empty())
    return absl::InvalidArgumentError("there is no prompt: give --prompt or standard input");
  if (text.size() > static_cast<size_t>(kMaxPromptBytes)) {
    return absl::InvalidArgumentError(
        absl::StrCat("the prompt has more than ", kMaxPromptBytes, " bytes"));
  }
  return text;
}

}  // namespace steer
