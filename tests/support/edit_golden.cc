#include "tests/support/edit_golden.h"

#include <cstring>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "server/steering/direction_set.h"
#include "server/steering/subspace.h"
#include "tests/support/paths.h"

namespace steer {
namespace {

EditTarget TargetOf(const Json& op) {
  return op.at("target") == "write" ? EditTarget::kWrite : EditTarget::kStream;
}

OpSpec SpecOf(const Json& op) {
  static const auto* const kinds = new std::map<std::string, OpKind>{
      {"ablate", OpKind::kAblate}, {"add", OpKind::kAdd}, {"set", OpKind::kSetProjection}};
  static const auto* const scopes =
      new std::map<std::string, TokenScope>{{"all", TokenScope::kAll},
                                            {"prompt", TokenScope::kPrompt},
                                            {"generated", TokenScope::kGenerated},
                                            {"last", TokenScope::kLastPromptAndGenerated}};
  OpSpec spec;
  spec.kind = kinds->at(op.at("kind").get<std::string>());
  for (int index : op.at("directions")) {
    spec.directions.push_back({"", -1, 0, index, absl::nullopt});
  }
  spec.amount = op.at("amount").get<double>();
  spec.sites = op.at("sites").get<std::vector<int>>();
  spec.target = TargetOf(op);
  spec.scope = scopes->at(op.at("scope").get<std::string>());
  spec.last_prompt_tokens = op.at("last").get<int>();
  return spec;
}

}  // namespace

absl::StatusOr<CompiledIntervention> CompileOn(const std::vector<std::vector<float>>& vectors,
                                               const std::vector<OpSpec>& ops, ModelShape shape) {
  const auto resolve = [&](const DirectionRef& ref) -> absl::StatusOr<ResolvedDirection> {
    ResolvedDirection direction;
    direction.values = vectors.at(static_cast<size_t>(ref.component));
    direction.digest = DirectionDigest(direction.values);
    return direction;
  };
  return CompileIntervention({ops}, shape, resolve, "");
}

CompiledIntervention EntryAtSites(std::shared_ptr<const LinearEdit> edit,
                                  const std::vector<int>& sites, EditTarget target,
                                  ModelShape shape) {
  auto entry = std::make_shared<EditEntry>();
  entry->write.resize(static_cast<size_t>(shape.sites()));
  entry->stream.resize(static_cast<size_t>(shape.sites()));
  for (int site : sites) {
    (target == EditTarget::kWrite ? entry->write : entry->stream)[static_cast<size_t>(site)] = edit;
    ++entry->edits;
  }
  CompiledIntervention intervention;
  intervention.distinct_sites = entry->edits;
  for (auto part :
       {CompiledIntervention::Span::kEarlyPrompt, CompiledIntervention::Span::kGenerated}) {
    intervention.spans.push_back({part, entry});
  }
  return intervention;
}

absl::StatusOr<EditGolden> EditGolden::Open(const std::string& path) {
  EditGolden golden;
  STEER_ASSIGN_OR_RETURN(golden.file_, SafetensorsFile::Open(path));
  const auto text = golden.file_->metadata().find("edits");
  if (text == golden.file_->metadata().end()) {
    return absl::InvalidArgumentError(absl::StrCat(path, " has no metadata \"edits\""));
  }
  STEER_ASSIGN_OR_RETURN(const Json facts, ParseJson(text->second));
  golden.cases_ = facts.at("cases");
  for (const auto& item : golden.cases_.items()) golden.names_.push_back(item.key());
  golden.shape_ = {facts.at("layers").get<int64_t>(), facts.at("hidden").get<int64_t>()};
  golden.tied_ = facts.at("tied").get<bool>();
  golden.post_norms_ = facts.at("post_norms").get<bool>();
  golden.kept_ = facts.at("kept").get<std::vector<int64_t>>();
  return golden;
}

EditGolden EditGolden::OfTiny(const std::string& checkpoint) {
  return Open(SourcePath(absl::StrCat("tests/golden/steering/", checkpoint, ".safetensors")))
      .value();
}

std::vector<float> EditGolden::Floats(const std::string& name) const {
  return ToFloat32(file_->tensors().at(name)).value();
}

std::vector<int32_t> EditGolden::Ints(const std::string& name) const {
  const absl::string_view bytes = file_->tensors().at(name).bytes;
  std::vector<int32_t> values(bytes.size() / sizeof(int32_t));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

std::vector<float> EditGolden::Direction(int index) const {
  const std::vector<float> all = Floats("directions");
  const auto begin = all.begin() + index * shape_.hidden;
  return {begin, begin + shape_.hidden};
}

absl::StatusOr<CompiledIntervention> EditGolden::Compile(const std::string& name) const {
  std::vector<OpSpec> ops;
  for (const Json& op : cases_.at(name)) {
    if (op.at("kind") != "linear") {
      ops.push_back(SpecOf(op));
      continue;
    }
    // x + v (b - <u, x>), alone in its case: no op of the contract names V and U apart.
    auto edit = std::make_shared<LinearEdit>();
    edit->k = 1;
    edit->v = Direction(op.at("directions").at(0).get<int>());
    edit->u = Direction(op.at("directions").at(1).get<int>());
    for (auto* column : {&edit->v, &edit->u}) {
      const double norm = Norm(*column);
      for (float& value : *column) value = static_cast<float>(value / norm);
    }
    edit->b = {op.at("amount").get<float>()};
    return EntryAtSites(edit, op.at("sites").get<std::vector<int>>(), TargetOf(op), shape_);
  }
  std::vector<std::vector<float>> vectors;
  const int64_t count = static_cast<int64_t>(Floats("directions").size()) / shape_.hidden;
  for (int i = 0; i < count; ++i) vectors.push_back(Direction(i));
  return CompileOn(vectors, ops, shape_);
}

}  // namespace steer
