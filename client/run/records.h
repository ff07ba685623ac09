// What the result log's records mean. Each has a key and a JSON payload; reading back what was
// written gives an equal value. Pure; any thread.
#ifndef STEER_CLIENT_RUN_RECORDS_H_
#define STEER_CLIENT_RUN_RECORDS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "client/plan/arms.h"
#include "client/run/result_log.h"
#include "client/stats/selection.h"
#include "common/layer_report.h"

namespace steer {

enum class Stage { kSelection, kTest };
absl::string_view StageName(Stage stage);  // "selection", "test"

// The direction set of one seed.
struct FitRecord {
  std::string plan_digest;
  uint64_t seed = 0;
  std::string set_id;
  std::string content_digest;
  std::string method;
  std::string model_fingerprint;
  std::string numeric_fingerprint;
  int layers = 0;
  int hidden = 0;
  int harmful_prompts = 0;
  int harmless_prompts = 0;
  std::vector<LayerReport> reports;  // positions outermost
  // Null if there is none.
  const LayerReport* Find(int position, int layer) const;
  friend bool operator==(const FitRecord&, const FitRecord&) = default;
};

enum class RowQuality { kNotJudged, kOk, kDegenerate };
enum class RowFinish { kEndOfTurn, kLength, kCertain };

struct CellRow {
  bool refused = false;
  RowQuality quality = RowQuality::kNotJudged;
  RowFinish finish = RowFinish::kEndOfTurn;
  int generated_tokens = 0;
  double refusal_log_odds = 0;  // nats
  double kl = 0;                // nats
  std::string token_digest;
  friend bool operator==(const CellRow&, const CellRow&) = default;
};

// The part of a receipt that the same cell always repeats.
struct CellReceipt {
  int64_t tokens = 0;
  int64_t generated_tokens = 0;
  int64_t edits = 0;
  int sites = 0;
  double mean_relative_dose = 0;  // to 6 significant digits: the server may add in another order
  double largest_residual_projection = 0;  // likewise
  int decode_rows = 0;
  int prefill_tokens = 0;
  friend bool operator==(const CellReceipt&, const CellReceipt&) = default;
};

// One seed x arm x prompt set, measured.
struct CellRecord {
  std::string plan_digest;
  uint64_t seed = 0;
  Stage stage = Stage::kTest;
  ArmSpec arm;                   // of the lock
  int layer = -1;                // of its direction; -1 for a baseline
  std::string set_id;            // empty for a baseline
  std::string direction_digest;  // likewise
  std::string numeric_fingerprint;
  std::vector<CellRow> rows;  // in the order of the split
  CellReceipt receipt;
  bool scores = false;  // log-odds and KL were asked for
  RefusalCount count() const;
  friend bool operator==(const CellRecord&, const CellRecord&) = default;
};

// The layer chosen for one seed.
struct SelectionRecord {
  std::string plan_digest;
  uint64_t seed = 0;
  bool chosen = false;
  int layer = -1;
  std::vector<int> tied;
  friend bool operator==(const SelectionRecord&, const SelectionRecord&) = default;
};

// An attempt at a fit or cell that failed for good in one run. A later success supersedes it. Never
// holds a server's words, which may quote input.
struct FailureRecord {
  std::string plan_digest;
  std::string of;      // key of the cell or fit
  int number = 1;      // 1 for its first failure
  std::string code;    // "INTERNAL"
  std::string reason;  // "WRONG_RECEIPT"
  std::string note;    // our own words; numbers and names only
  friend bool operator==(const FailureRecord&, const FailureRecord&) = default;
};

// A seed that began anew on a server with other numbers, since the one it was begun on was lost.
// Everything that the log says of the seed before this record no longer counts (see result_log.h).
struct RestartRecord {
  std::string plan_digest;
  uint64_t seed = 0;
  int number = 1;                   // 1 for its first
  std::string numeric_fingerprint;  // of the cells that no longer count
  int cells = 0;                    // how many they were
  friend bool operator==(const RestartRecord&, const RestartRecord&) = default;
};

// "seed-0/fit/0123456789ab", "seed-0/test/ablate/harmful", "seed-0/selected", "<of>/failure-1",
// "seed-0/restart-1".
// What the keys of all records of a seed start with, and no others.
std::string SeedPrefix(uint64_t seed);
std::string FitKey(uint64_t seed, absl::string_view numeric_fingerprint);
std::string CellKey(uint64_t seed, Stage stage, absl::string_view arm);
std::string SelectionKey(uint64_t seed);
std::string FailureKey(absl::string_view of, int number);
std::string RestartKey(uint64_t seed, int number);

Record ToRecord(const FitRecord& fit, Json observed);
Record ToRecord(const CellRecord& cell, Json observed);
Record ToRecord(const SelectionRecord& selection);
Record ToRecord(const FailureRecord& failure, Json observed);
Record ToRecord(const RestartRecord& restart);

// DATA_LOSS naming the key if the payload is not of this kind.
absl::StatusOr<FitRecord> ParseFit(const Record& record);
absl::StatusOr<CellRecord> ParseCell(const Record& record);
absl::StatusOr<SelectionRecord> ParseSelection(const Record& record);
absl::StatusOr<FailureRecord> ParseFailure(const Record& record);
absl::StatusOr<RestartRecord> ParseRestart(const Record& record);
// "fit", "cell", "selection", "failure", "restart", or empty.
std::string KindOf(const Record& record);

}  // namespace steer

#endif  // STEER_CLIENT_RUN_RECORDS_H_
