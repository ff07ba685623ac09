#include <utility>

#include "absl/strings/str_cat.h"
#include "client/run/records.h"
#include "common/digest.h"
#include "common/errors.h"

namespace steer {
namespace {

absl::Status DamagedRecord(const std::string& key, absl::string_view what) {
  return MakeError(absl::StatusCode::kDataLoss, "LOG_DAMAGED",
                   absl::StrCat("record ", key, ": ", what));
}

// False, and *out as it was, unless `value` is a whole number that a T holds.
template <typename T>
bool ReadWhole(const Json& value, T* out) {
  if (!value.is_number_integer()) return false;
  const bool fits = value.is_number_unsigned() ? std::in_range<T>(value.get<uint64_t>())
                                               : std::in_range<T>(value.get<int64_t>());
  if (fits) *out = value.get<T>();
  return fits;
}

// Reads fields of one payload; the first that is wrong is remembered, and what is read after it is
// a default.
class Reader {
 public:
  Reader(const Json& object, const std::string& key) : object_(object), key_(key) {
    if (!object.is_object()) Fail("payload");
  }
  template <typename T>
  void Int(const char* name, T* out) {
    if (!object_.is_object() || !object_.contains(name) || !ReadWhole(object_[name], out)) {
      Fail(name);
    }
  }
  void Number(const char* name, double* out) {
    auto value = JsonNumber(object_, name, key_);
    if (value.ok())
      *out = *value;
    else
      Fail(name);
  }
  void Bool(const char* name, bool* out) {
    auto value = JsonBool(object_, name, key_);
    if (value.ok())
      *out = *value;
    else
      Fail(name);
  }
  std::string String(const char* name) {
    auto value = JsonString(object_, name, key_);
    if (!value.ok()) Fail(name);
    return value.ok() ? *value : std::string();
  }
  std::string Digest(const char* name) {
    std::string value = String(name);
    if (!IsSha256Hex(value)) Fail(name);
    return value;
  }
  const Json& Object(const char* name) { return Member(name, Json::value_t::object); }
  const Json& Array(const char* name) { return Member(name, Json::value_t::array); }
  void Fail(const char* name) {
    if (wrong_.empty()) wrong_ = name;
  }
  absl::Status status() const {
    if (wrong_.empty()) return absl::OkStatus();
    return DamagedRecord(key_, absl::StrCat("field ", wrong_, " is missing or wrong"));
  }

 private:
  const Json& Member(const char* name, Json::value_t type) {
    static const Json kEmpty;
    if (object_.is_object() && object_.contains(name) && object_[name].type() == type) {
      return object_[name];
    }
    Fail(name);
    return kEmpty;
  }
  const Json& object_;
  const std::string& key_;
  std::string wrong_;
};

// Index of `letter` in `letters`, or -1.
int IndexOf(absl::string_view letters, char letter) {
  size_t at = letters.find(letter);
  return at == absl::string_view::npos ? -1 : static_cast<int>(at);
}

absl::Status ParseRows(const Json& object, const std::string& key, bool scores,
                       std::vector<CellRow>* rows) {
  Reader reader(object, key);
  std::string refused = reader.String("refused");
  std::string quality = reader.String("quality");
  std::string finish = reader.String("finish");
  const Json& tokens = reader.Array("generated_tokens");
  const Json& digests = reader.Array("token_digests");
  static const Json kNone = Json::array();
  const Json& log_odds = scores ? reader.Array("refusal_log_odds") : kNone;
  const Json& kl = scores ? reader.Array("kl") : kNone;
  size_t n = refused.size();
  bool same =
      quality.size() == n && finish.size() == n && tokens.size() == n && digests.size() == n;
  if (!same || (scores && (log_odds.size() != n || kl.size() != n))) reader.Fail("rows");
  for (size_t i = 0; i < n && reader.status().ok(); ++i) {
    int q = IndexOf("NOD", quality[i]);
    int f = IndexOf("ELC", finish[i]);
    CellRow row;
    bool good = q >= 0 && f >= 0 && IndexOf("R-", refused[i]) >= 0 &&
                ReadWhole(tokens[i], &row.generated_tokens) && digests[i].is_string() &&
                (!scores || (log_odds[i].is_number() && kl[i].is_number()));
    if (!good) {
      reader.Fail("rows");
      break;
    }
    row.refused = refused[i] == 'R';
    row.quality = static_cast<RowQuality>(q);
    row.finish = static_cast<RowFinish>(f);
    row.token_digest = digests[i].get<std::string>();
    if (scores) {
      row.refusal_log_odds = log_odds[i].get<double>();
      row.kl = kl[i].get<double>();
    }
    rows->push_back(std::move(row));
  }
  return reader.status();
}

}  // namespace

std::string KindOf(const Record& record) {
  auto it = record.payload.find("kind");
  return it != record.payload.end() && it->is_string() ? it->get<std::string>() : std::string();
}

absl::StatusOr<FitRecord> ParseFit(const Record& record) {
  Reader reader(record.payload, record.key);
  FitRecord fit;
  fit.plan_digest = reader.String("plan_digest");
  reader.Int("seed", &fit.seed);
  // Both become names of files.
  fit.set_id = reader.Digest("set_id");
  fit.content_digest = reader.Digest("content_digest");
  fit.method = reader.String("method");
  fit.model_fingerprint = reader.String("model_fingerprint");
  fit.numeric_fingerprint = reader.String("numeric_fingerprint");
  reader.Int("layers", &fit.layers);
  reader.Int("hidden", &fit.hidden);
  reader.Int("harmful_prompts", &fit.harmful_prompts);
  reader.Int("harmless_prompts", &fit.harmless_prompts);
  for (const Json& item : reader.Array("reports")) {
    absl::StatusOr<LayerReport> report = ReadLayerReport(item, "reports");
    if (!report.ok()) return DamagedRecord(record.key, report.status().message());
    fit.reports.push_back(*std::move(report));
  }
  if (!reader.status().ok()) return reader.status();
  return fit;
}

absl::StatusOr<CellRecord> ParseCell(const Record& record) {
  Reader reader(record.payload, record.key);
  CellRecord cell;
  cell.plan_digest = reader.String("plan_digest");
  reader.Int("seed", &cell.seed);
  std::string stage = reader.String("stage");
  cell.stage = stage == "selection" ? Stage::kSelection : Stage::kTest;
  if (stage != StageName(cell.stage)) reader.Fail("stage");
  cell.arm.name = reader.String("arm");
  std::string prompts = reader.String("prompts");
  cell.arm.prompts = prompts == "harmless" ? PromptClass::kHarmless : PromptClass::kHarmful;
  if (prompts != PromptClassName(cell.arm.prompts)) reader.Fail("prompts");
  std::string edit = reader.String("edit");
  cell.arm.edit = edit == "ablate" ? EditKind::kAblate
                  : edit == "add"  ? EditKind::kAdd
                                   : EditKind::kNone;
  if (edit != EditKindName(cell.arm.edit)) reader.Fail("edit");
  reader.Int("arm_layer", &cell.arm.layer);
  int draw = 0;
  if (!record.payload.contains("control_draw")) {
    reader.Fail("control_draw");
  } else if (ReadWhole(record.payload["control_draw"], &draw)) {
    cell.arm.control_draw = draw;
  } else if (!record.payload["control_draw"].is_null()) {
    reader.Fail("control_draw");
  }
  reader.Int("layer", &cell.layer);
  cell.set_id = reader.String("set_id");
  cell.direction_digest = reader.String("direction_digest");
  cell.numeric_fingerprint = reader.String("numeric_fingerprint");
  reader.Bool("scores", &cell.scores);
  absl::Status rows = ParseRows(reader.Object("rows"), record.key, cell.scores, &cell.rows);
  if (!rows.ok()) return rows;
  Reader receipt(reader.Object("receipt"), record.key);
  receipt.Int("tokens", &cell.receipt.tokens);
  receipt.Int("generated_tokens", &cell.receipt.generated_tokens);
  receipt.Int("edits", &cell.receipt.edits);
  receipt.Int("sites", &cell.receipt.sites);
  receipt.Number("mean_relative_dose", &cell.receipt.mean_relative_dose);
  receipt.Number("largest_residual_projection", &cell.receipt.largest_residual_projection);
  receipt.Int("decode_rows", &cell.receipt.decode_rows);
  receipt.Int("prefill_tokens", &cell.receipt.prefill_tokens);
  if (!reader.status().ok()) return reader.status();
  if (!receipt.status().ok()) return receipt.status();
  return cell;
}

absl::StatusOr<SelectionRecord> ParseSelection(const Record& record) {
  Reader reader(record.payload, record.key);
  SelectionRecord selection;
  selection.plan_digest = reader.String("plan_digest");
  reader.Int("seed", &selection.seed);
  reader.Bool("chosen", &selection.chosen);
  reader.Int("layer", &selection.layer);
  for (const Json& item : reader.Array("tied")) {
    int layer = 0;
    if (!ReadWhole(item, &layer)) reader.Fail("tied");
    selection.tied.push_back(layer);
  }
  if (!reader.status().ok()) return reader.status();
  return selection;
}

absl::StatusOr<FailureRecord> ParseFailure(const Record& record) {
  Reader reader(record.payload, record.key);
  FailureRecord failure;
  failure.plan_digest = reader.String("plan_digest");
  failure.of = reader.String("of");
  reader.Int("number", &failure.number);
  failure.code = reader.String("code");
  failure.reason = reader.String("reason");
  failure.note = reader.String("note");
  if (!reader.status().ok()) return reader.status();
  return failure;
}

absl::StatusOr<RestartRecord> ParseRestart(const Record& record) {
  Reader reader(record.payload, record.key);
  RestartRecord restart;
  restart.plan_digest = reader.String("plan_digest");
  reader.Int("seed", &restart.seed);
  reader.Int("number", &restart.number);
  restart.numeric_fingerprint = reader.String("numeric_fingerprint");
  reader.Int("cells", &restart.cells);
  if (reader.String(kSupersedes) != SeedPrefix(restart.seed)) reader.Fail(kSupersedes);
  if (!reader.status().ok()) return reader.status();
  return restart;
}

}  // namespace steer
