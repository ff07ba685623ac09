// One seed on one server. Private to client/run.
#ifndef STEER_CLIENT_RUN_SEED_RUN_H_
#define STEER_CLIENT_RUN_SEED_RUN_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/optional.h"
#include "client/run/cell.h"
#include "client/run/experiment.h"

namespace steer {

// Records of one seed that hold for a server with the given numbers.
// FAILED_PRECONDITION (NUMERICS_CHANGED) if cells of the seed were measured with others.
absl::Status CheckSeedNumerics(const ResultLog& log, uint64_t seed,
                               const std::string& numeric_fingerprint);

// The numeric fingerprint of the seed's cells; empty if none was measured. DATA_LOSS if one cannot
// be read.
absl::StatusOr<std::string> MeasuredNumerics(const ResultLog& log, uint64_t seed);

// The fit that the seed's cells belong to: the one with their numbers, or the last one. Unset if
// there is none.
absl::StatusOr<absl::optional<FitRecord>> FindFit(const ResultLog& log, uint64_t seed);

// Arms of the selection stage given a fit: the candidates that it left usable.
std::vector<ArmSpec> UsableSelectionArms(const Lock& lock, const absl::optional<FitRecord>& fit);

class SeedRun {
 public:
  SeedRun(const Lock& lock, const SeedSplits& prompts, const v1::GetModelResponse& model,
          const RunOptions& options, Client* client, ResultLog* log, RunObserver* observer,
          std::map<std::string, double>* stage_seconds)
      : lock_(lock),
        prompts_(prompts),
        model_(model),
        options_(options),
        client_(client),
        log_(log),
        observer_(observer),
        stage_seconds_(stage_seconds) {}

  // As RunExperiment. OK also where a failure leaves the seed incomplete.
  absl::Status Run();
  // True once Run has brought the seed's set to the server from the folder of kept sets.
  bool imported() const { return imported_; }

 private:
  absl::StatusOr<FitRecord> Fit();
  absl::StatusOr<FitRecord> FitOnServer();
  // Whether the server has the logged set, if need be by an import. An error stops the run.
  absl::StatusOr<bool> ServerHas(const FitRecord& fit);
  // False if a selection cell is missing.
  absl::StatusOr<bool> Select(const FitRecord& fit, SelectionRecord* selection);
  absl::Status Test(const FitRecord& fit, const SelectionRecord& selection);
  absl::StatusOr<std::string> ControlDigest(const CellContext& context, const Cell& cell,
                                            const LayerReport& fitted);
  absl::Status Evaluate(const CellContext& context, const std::vector<Cell>& cells);

  const Lock& lock_;
  const SeedSplits& prompts_;
  const v1::GetModelResponse& model_;
  const RunOptions& options_;
  Client* const client_;
  ResultLog* const log_;
  RunObserver* const observer_;
  std::map<std::string, double>* const stage_seconds_;
  bool imported_ = false;
};

}  // namespace steer

#endif  // STEER_CLIENT_RUN_SEED_RUN_H_
