// steerctl directions list|show|delete|export|import
#include <CLI/CLI.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "client/commands/references.h"
#include "client/commands/register.h"
#include "client/commands/vector_file.h"
#include "client/report/table.h"
#include "client/run/fit_check.h"
#include "common/errors.h"
#include "common/files.h"

namespace steer {
namespace {

constexpr int64_t kMaxImportBytes = int64_t{4} << 30;

struct DirectionFlags {
  std::string set;
  int layer = -1;
  int position = -1;
  std::string control;
  std::string format = "safetensors";
  std::string output;
  std::string file;
  bool without_states = false;
};

std::string Created(const v1::DirectionSet& set) {
  return absl::FormatTime(absl::RFC3339_sec, absl::FromUnixSeconds(set.create_time().seconds()),
                          absl::UTCTimeZone());
}

Json SetJson(const v1::DirectionSet& set) {
  Json json = ToRecord(ToFitRecord(set, "", 0), Json::object()).payload;
  for (const char* key : {"kind", "plan_digest", "seed"}) json.erase(key);
  json["has_states"] = set.has_states();
  json["stored_bytes"] = set.stored_bytes();
  json["created"] = Created(set);
  json["selected_prompts"] = set.selected_prompts();
  json["imported"] = set.imported();
  json["format_version"] = set.format_version();
  return json;
}

// The direction that --layer, --position and --control name, without its set.
absl::StatusOr<v1::DirectionRef> Ref(const DirectionFlags& flags) {
  v1::DirectionRef ref;
  ref.set_position(flags.position);
  ref.set_layer(flags.layer);
  if (flags.control.empty()) return ref;
  if (flags.layer < 0) {
    return absl::InvalidArgumentError(
        "--control is made from one direction: name that with --layer");
  }
  absl::StatusOr<v1::Control> control = ParseControl(flags.control);
  if (!control.ok()) return Annotate(control.status(), "--control");
  *ref.mutable_control() = *std::move(control);
  return ref;
}

// Says what is wrong with flags.
int UsageFault(const Context& context, const absl::Status& status) {
  Fail(context, status, Source::kInput);
  return kExitUsage;
}

int List(const Context& context, const DirectionFlags&, Client* client) {
  Json sets = Json::array();
  std::vector<std::vector<std::string>> rows = {
      {"set", "created", "prompts", "layers", "states", "bytes", "model"}};
  v1::ListDirectionsRequest request;
  do {
    absl::StatusOr<v1::ListDirectionsResponse> page = client->ListDirections(request);
    if (!page.ok()) return Fail(context, page.status(), Source::kServer);
    for (const v1::DirectionSet& set : page->sets()) {
      if (context.json) sets.push_back(SetJson(set));
      rows.push_back({set.set_id().substr(0, 16), Created(set),
                      absl::StrCat(set.harmful_prompts(), "+", set.harmless_prompts()),
                      absl::StrCat(set.layers()), set.has_states() ? "yes" : "no",
                      absl::StrCat(set.stored_bytes()), set.model_fingerprint().substr(0, 12)});
    }
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty());
  if (context.json) return PrintJson(context, sets);
  return Print(AlignColumns(rows, {3, 5})) ? kExitOk : kExitDisk;
}

int Show(const Context& context, const DirectionFlags& flags, Client* client) {
  absl::StatusOr<v1::DirectionRef> ref = Ref(flags);
  if (!ref.ok()) return UsageFault(context, ref.status());
  absl::StatusOr<std::string> id = ResolveSet(flags.set, client);
  if (!id.ok()) return Fail(context, id.status(), Source::kServer);
  v1::GetDirectionRequest request;
  request.set_set_id(*id);
  if (flags.layer >= 0) {
    ref->set_set_id(*id);
    *request.mutable_direction() = *ref;
  }
  absl::StatusOr<v1::GetDirectionResponse> answer = client->GetDirection(request);
  if (!answer.ok()) return Fail(context, answer.status(), Source::kServer);
  Json json = SetJson(answer->set());
  if (flags.layer >= 0) {
    json["direction"] = {{"digest", answer->direction_digest()},
                         {"norm", answer->direction_norm()},
                         {"cosine_with_fitted", answer->cosine_with_fitted()}};
  }
  if (context.json) return PrintJson(context, json);
  const v1::DirectionSet& set = answer->set();
  std::vector<std::vector<std::string>> rows = {
      {"layer", "position", "usable", "norm", "gap", "AUC", "digest"}};
  for (const v1::LayerReport& r : set.reports()) {
    rows.push_back({absl::StrCat(r.layer()), absl::StrCat(r.position()), r.usable() ? "yes" : "no",
                    absl::StrFormat("%.4g", r.norm()), absl::StrFormat("%.4g", r.projection_gap()),
                    absl::StrFormat("%.3f", r.auc()), r.direction_digest().substr(0, 12)});
  }
  std::string text = absl::StrCat(
      "set ", set.set_id(), "\ncontent ", set.content_digest(), "\n", set.method(), ", ",
      set.harmful_prompts(), " harmful and ", set.harmless_prompts(), " harmless prompts, ",
      set.selected_prompts(), " selected on, created ", Created(set),
      set.imported() ? ", imported" : "", "\n\n", AlignColumns(rows, {0, 1, 3, 4, 5}));
  if (flags.layer >= 0) {
    absl::StrAppendFormat(&text, "\ndirection %s, norm %.6g, cosine with the fitted one %.4f\n",
                          answer->direction_digest(), answer->direction_norm(),
                          answer->cosine_with_fitted());
  }
  return Print(text) ? kExitOk : kExitDisk;
}

int Delete(const Context& context, const DirectionFlags& flags, Client* client) {
  // The whole id: a beginning is good enough to look at a set, not to remove it.
  absl::Status status = client->DeleteDirection(flags.set);
  if (!status.ok()) return Fail(context, status, Source::kServer);
  Say(context, absl::StrCat("deleted ", flags.set));
  return kExitOk;
}

int Export(const Context& context, const DirectionFlags& flags, Client* client) {
  bool json = flags.format == "json";
  if (json && flags.layer < 0) {
    return UsageFault(context, absl::InvalidArgumentError(
                                   "--format json holds one vector: name it with --layer"));
  }
  if (!json && flags.output.empty()) {
    return UsageFault(
        context, absl::InvalidArgumentError("a safetensors file is binary: name it with --output"));
  }
  absl::StatusOr<v1::DirectionRef> ref = Ref(flags);
  if (!ref.ok()) return UsageFault(context, ref.status());
  absl::StatusOr<std::string> id = ResolveSet(flags.set, client);
  if (!id.ok()) return Fail(context, id.status(), Source::kServer);
  v1::ExportDirectionRequest request;
  request.set_set_id(*id);
  request.set_without_states(flags.without_states);
  if (flags.layer >= 0) {
    ref->set_set_id(*id);
    *request.mutable_direction() = *ref;
  }
  absl::StatusOr<std::string> file = client->ExportDirection(request);
  if (!file.ok()) return Fail(context, file.status(), Source::kServer);
  std::string bytes = *std::move(file);
  if (json) {
    absl::StatusOr<std::vector<float>> values = ParseDirectionFile(bytes);
    if (!values.ok()) return Fail(context, values.status(), Source::kServer);
    bytes = VectorJson(*values);
  }
  if (flags.output.empty()) return Print(bytes) ? kExitOk : kExitDisk;
  absl::Status written = WriteFileAtomically(flags.output, bytes);
  if (!written.ok())
    return Fail(context, DiskError(written, "cannot write the direction"), Source::kInput);
  Say(context, absl::StrCat(flags.output, ": ", bytes.size(), " bytes"));
  return kExitOk;
}

int Import(const Context& context, const DirectionFlags& flags, Client* client) {
  absl::StatusOr<std::string> file = ReadFile(flags.file, kMaxImportBytes);
  if (!file.ok()) return Fail(context, file.status(), Source::kInput);
  absl::StatusOr<v1::DirectionSet> set = client->ImportDirection(*file);
  if (!set.ok()) return Fail(context, set.status(), Source::kServer);
  if (context.json) return PrintJson(context, SetJson(*set));
  return Print(absl::StrCat(set->set_id(), "\n")) ? kExitOk : kExitDisk;
}

}  // namespace

void RegisterDirections(CLI::App* app, Context* context) {
  CLI::App* directions =
      app->add_subcommand("directions", "List, show, move and delete direction sets");
  directions->require_subcommand(1);
  auto flags = std::make_shared<DirectionFlags>();
  auto act = [context, flags](CLI::App* command,
                              int (*function)(const Context&, const DirectionFlags&, Client*)) {
    command->callback([=] {
      context->action = [=] {
        absl::StatusOr<std::unique_ptr<Client>> client = MakeClient(*context);
        if (!client.ok()) return Fail(*context, client.status(), Source::kInput);
        return function(*context, *flags, client->get());
      };
    });
  };
  auto direction = [flags](CLI::App* command) {
    command->add_option("--layer", flags->layer, "One direction: its layer")
        ->check(CLI::NonNegativeNumber);
    command->add_option("--position", flags->position, "Its position")->capture_default_str();
    command->add_option("--control", flags->control,
                        "SEED/DRAW: the norm-matched control in its place");
  };
  CLI::App* list = directions->add_subcommand("list", "Stored sets, newest first");
  act(list, List);
  CLI::App* show = directions->add_subcommand("show", "A set with its separation by layer");
  show->add_option("SET", flags->set, "Id or its beginning")->required();
  direction(show);
  act(show, Show);
  CLI::App* remove = directions->add_subcommand("delete", "Delete a set");
  remove->add_option("SET", flags->set, "The whole id")->required();
  act(remove, Delete);
  CLI::App* exported = directions->add_subcommand(
      "export", "Write a set, or one direction or control of it, to a file");
  exported->add_option("SET", flags->set, "Id or its beginning")->required();
  direction(exported);
  exported->add_option("--format", flags->format, "safetensors, or json for one vector")
      ->capture_default_str()
      ->check(CLI::IsMember({"safetensors", "json"}));
  exported->add_option("-o,--output", flags->output, "File to write (json: standard output)");
  exported->add_flag("--without-states", flags->without_states, "Leave per-prompt states out");
  act(exported, Export);
  CLI::App* import = directions->add_subcommand("import", "Store a set that was exported whole");
  import->add_option("FILE", flags->file, "Safetensors file")->required();
  act(import, Import);
}

}  // namespace steer
