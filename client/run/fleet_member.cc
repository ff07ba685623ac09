#include "client/run/fleet_member.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/api/retry.h"
#include "client/run/model_facts.h"
#include "client/run/seed_run.h"
#include "common/errors.h"
#include "common/status_macros.h"

namespace steer {
namespace {

// How often a thread that has nothing to do looks whether the user wants to stop.
constexpr absl::Duration kLook = absl::Milliseconds(100);

// Errors of the server itself, that waiting cannot mend.
bool PutsOut(const absl::Status& status) {
  return status.code() == absl::StatusCode::kUnauthenticated ||
         status.code() == absl::StatusCode::kPermissionDenied ||
         ReasonOf(status) == "MODEL_MISMATCH";
}

// The seed's place is another server, or the same one once it is back.
bool Loses(const absl::Status& status) {
  return IsRetryable(status) || ReasonOf(status) == kNumericsChanged;
}

// Watches one seed: tells the schedule of life, and the observer how a seed that moved got its set.
class SeedWatch : public RunObserver {
 public:
  SeedWatch(int server, absl::optional<SeedMove> move, FleetState* state)
      : server_(server), move_(std::move(move)), state_(*state) {}
  void set_run(const SeedRun* run) { run_ = run; }

  void OnStage(uint64_t seed, absl::string_view stage, int64_t cells) override {
    state_.observer->OnStage(seed, stage, cells);
  }
  void OnRows(uint64_t seed, int64_t done, int64_t total) override {
    Alive();
    state_.observer->OnRows(seed, done, total);
  }
  void OnFit(const FitRecord& fit, bool resumed) override {
    if (!resumed) Alive();
    if (move_) {
      move_->imported = run_->imported();
      state_.observer->OnMove(*move_);
      absl::MutexLock lock(&state_.mutex);
      state_.stats.moves.push_back(*move_);
    }
    state_.observer->OnFit(fit, resumed);
  }
  void OnCell(const CellRecord& cell) override {
    Alive();
    state_.observer->OnCell(cell);
  }
  void OnSelected(const SelectionRecord& selection) override {
    state_.observer->OnSelected(selection);
  }
  void OnFailure(const FailureRecord& failure, const absl::Status& why) override {
    state_.observer->OnFailure(failure, why);
  }

 private:
  void Alive() {
    absl::MutexLock lock(&state_.mutex);
    state_.schedule.Progress(server_);
  }

  const int server_;
  absl::optional<SeedMove> move_;
  FleetState& state_;
  const SeedRun* run_ = nullptr;
};

}  // namespace

void FleetState::End(const absl::Status& status) {
  absl::MutexLock lock(&mutex);
  if (!ending_) status_ = status;
  ending_ = true;
  abandoned_ = abandoned_ || !(status.ok() || absl::IsCancelled(status));
}

bool FleetState::ending() const {
  absl::MutexLock lock(&mutex);
  return ending_;
}

bool FleetState::abandoned() const {
  absl::MutexLock lock(&mutex);
  return abandoned_;
}

absl::Status FleetState::status() const {
  absl::MutexLock lock(&mutex);
  return status_;
}

bool FleetState::StopAsked() {
  if (!options.stop_soon || !options.stop_soon()) return false;
  End(absl::CancelledError("stopped by the user"));
  return true;
}

void FleetMember::Run() {
  while (Contact()) {
    absl::optional<FleetSchedule::Task> task = NextTask();
    if (!task) return;
    absl::Status status = RunTask(*task);
    state_.observer->OnSeedEnd(state_.seeds[task->seed].seed);
    if (!Settle(*task, status)) return;
  }
}

bool FleetMember::Contact() {
  while (!state_.ending() && !state_.StopAsked()) {
    absl::StatusOr<v1::GetModelResponse> model = probe_->GetModel();
    absl::Status status = model.status();
    if (model.ok()) status = CheckLockAgainstServer(state_.lock, ToServerFacts(*model));
    if (status.ok()) {
      model_ = *std::move(model);
      bool news = false;
      {
        absl::MutexLock lock(&state_.mutex);
        news = state_.schedule.Up(index_, model_.numeric_fingerprint());
        state_.stats.servers[index_].model = model_;
      }
      if (news) {
        state_.observer->OnServer(
            {name(), ServerChange::kUp, model_.numeric_fingerprint(), absl::OkStatus()});
      }
      return true;
    }
    if (absl::IsCancelled(status)) return false;
    // A server that is slow to answer is UNAVAILABLE to the client.
    if (!IsRetryable(status)) {
      LeaveOut(status);
      return false;
    }
    bool news = false;
    absl::Status hope;
    {
      absl::MutexLock lock(&state_.mutex);
      news = state_.schedule.Silent(index_, absl::Now(), status);
      hope = state_.schedule.Hope(absl::Now());
    }
    if (news) state_.observer->OnServer({name(), ServerChange::kAway, "", status});
    if (!hope.ok()) state_.End(hope);
    Pause(state_.fleet.probe_every);
  }
  return false;
}

absl::optional<FleetSchedule::Task> FleetMember::NextTask() {
  while (!state_.ending() && !state_.StopAsked()) {
    {
      absl::MutexLock lock(&state_.mutex);
      absl::optional<FleetSchedule::Task> task = state_.schedule.Take(index_);
      if (task) {
        state_.stats.servers[index_].seeds.push_back(state_.seeds[task->seed].seed);
        return task;
      }
    }
    // Others have the rest in hand; one of them may yet be lost.
    absl::SleepFor(kLook);
  }
  return absl::nullopt;
}

absl::Status FleetMember::Restart(uint64_t seed) {
  RestartRecord restart;
  restart.plan_digest = state_.lock.digest;
  restart.seed = seed;
  while (state_.log->Find(RestartKey(seed, restart.number)) != nullptr) ++restart.number;
  int64_t rows = 0;
  for (const Record& record : state_.log->records(SeedPrefix(seed))) {
    if (KindOf(record) != "cell") continue;
    STEER_ASSIGN_OR_RETURN(CellRecord cell, ParseCell(record));
    if (cell.seed != seed) continue;
    restart.numeric_fingerprint = cell.numeric_fingerprint;
    ++restart.cells;
    rows += static_cast<int64_t>(cell.rows.size());
  }
  STEER_RETURN_IF_ERROR(state_.log->Append(ToRecord(restart)));
  state_.observer->OnRestart(restart, rows);
  absl::MutexLock lock(&state_.mutex);
  state_.stats.restarts.push_back(restart);
  return absl::OkStatus();
}

absl::Status FleetMember::RunTask(const FleetSchedule::Task& task) {
  const SeedSplits& seed = state_.seeds[task.seed];
  absl::optional<SeedMove> move;
  if (task.anew || (task.from >= 0 && task.from != index_)) {
    move = SeedMove{seed.seed, task.from < 0 ? "" : state_.fleet.servers[task.from], name(), false,
                    task.anew};
  }
  if (task.anew) STEER_RETURN_IF_ERROR(Restart(seed.seed));
  std::map<std::string, double> seconds;
  SeedWatch watch(index_, std::move(move), &state_);
  SeedRun run(state_.lock, seed, model_, state_.options, client_.get(), state_.log, &watch,
              &seconds);
  watch.set_run(&run);
  absl::Status status = run.Run();
  absl::MutexLock lock(&state_.mutex);
  for (const auto& [stage, spent] : seconds) state_.stats.stage_seconds[stage] += spent;
  return status;
}

bool FleetMember::Settle(const FleetSchedule::Task& task, const absl::Status& status) {
  if (status.ok()) {
    bool finished = false;
    {
      absl::MutexLock lock(&state_.mutex);
      state_.schedule.Finish(index_);
      finished = state_.schedule.finished();
    }
    if (finished) state_.End(absl::OkStatus());
    return true;
  }
  const bool lost = Loses(status);
  if (!lost && !PutsOut(status)) {
    state_.End(status);
    return false;
  }
  absl::StatusOr<std::string> measured =
      MeasuredNumerics(*state_.log, state_.seeds[task.seed].seed);
  if (!measured.ok()) {
    state_.End(measured.status());
    return false;
  }
  absl::Status hope;
  {
    absl::MutexLock lock(&state_.mutex);
    state_.schedule.Lose(index_, absl::Now(), status, *std::move(measured));
    ++state_.stats.servers[index_].lost;
    hope = state_.schedule.Hope(absl::Now());
  }
  if (!lost) {
    LeaveOut(status);
    return false;
  }
  state_.observer->OnServer({name(), ServerChange::kAway, "", status});
  if (!hope.ok()) state_.End(hope);
  Pause(state_.fleet.probe_every);
  return true;
}

void FleetMember::LeaveOut(const absl::Status& why) {
  absl::Status hope;
  {
    absl::MutexLock lock(&state_.mutex);
    state_.schedule.Out(index_, why);
    state_.stats.servers[index_].out = true;
    hope = state_.schedule.Hope(absl::Now());
  }
  state_.observer->OnServer({name(), ServerChange::kOut, "", why});
  if (!hope.ok()) state_.End(hope);
}

void FleetMember::Pause(absl::Duration wait) {
  for (; wait > absl::ZeroDuration() && !state_.ending() && !state_.StopAsked(); wait -= kLook) {
    absl::SleepFor(std::min(wait, kLook));
  }
}

}  // namespace steer
