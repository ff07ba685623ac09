#include "client/run/fleet_schedule.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/errors.h"

namespace steer {

FleetSchedule::FleetSchedule(int servers, absl::Duration move_after, absl::Duration patience)
    : move_after_(move_after), patience_(patience), servers_(static_cast<size_t>(servers)) {}

void FleetSchedule::AddSeed(uint64_t seed, std::string measured) {
  Seed added;
  added.seed = seed;
  added.measured = std::move(measured);
  seeds_.push_back(std::move(added));
}

bool FleetSchedule::Up(int server, const std::string& numerics) {
  Server& s = servers_[server];
  const bool news = s.state != State::kUp;
  s.state = State::kUp;
  s.numerics = numerics;
  // An answer is life, unless the server has a way of answering and then failing at its work: a full
  // one, or one that a seed brings down.
  if (s.fruitless < 2) s.failing_since.reset();
  return news;
}

bool FleetSchedule::Silent(int server, absl::Time now, const absl::Status& why) {
  Server& s = servers_[server];
  s.why = why;
  if (!s.failing_since) s.failing_since = now;
  if (s.state == State::kAway) return false;
  if (now - *s.failing_since < move_after_) return false;
  s.state = State::kAway;
  return true;
}

void FleetSchedule::Out(int server, const absl::Status& why) {
  Server& s = servers_[server];
  s.state = State::kOut;
  s.why = why;
}

void FleetSchedule::Progress(int server) {
  Server& s = servers_[server];
  s.progress = true;
  s.failing_since.reset();
  s.fruitless = 0;
  if (s.seed) seeds_[*s.seed].fruitless = 0;
}

absl::optional<int> FleetSchedule::Suits(const Server& server, const Seed& seed) const {
  if (seed.measured == server.numerics) return 0;
  if (seed.measured.empty()) return 1;
  // What was measured is dropped only when nobody can go on with it. A server that was not heard of
  // yet might.
  for (const Server& other : servers_) {
    if (other.state == State::kStarting) return absl::nullopt;
    if (other.state == State::kUp && other.numerics == seed.measured) return absl::nullopt;
  }
  return 2;
}

absl::optional<FleetSchedule::Task> FleetSchedule::Take(int server) {
  Server& s = servers_[server];
  absl::optional<size_t> best;
  std::tuple<int, int> best_rank;
  for (size_t i = 0; i < seeds_.size(); ++i) {
    const Seed& seed = seeds_[i];
    if (seed.finished || seed.taken) continue;
    absl::optional<int> kind = Suits(s, seed);
    if (!kind) continue;
    // A seed that servers are lost over does not keep the others waiting. What has been begun goes
    // first, what would be begun anew last: its server may come back.
    std::tuple<int, int> rank = {seed.fruitless, *kind};
    if (best && best_rank <= rank) continue;
    best = i;
    best_rank = rank;
  }
  if (!best) return absl::nullopt;
  Seed& seed = seeds_[*best];
  Task task{*best, std::get<1>(best_rank) == 2, seed.last};
  seed.taken = true;
  seed.last = server;
  s.seed = best;
  s.progress = false;
  return task;
}

void FleetSchedule::Finish(int server) {
  Server& s = servers_[server];
  seeds_[*s.seed].finished = true;
  s.seed.reset();
  s.failing_since.reset();
  s.fruitless = 0;
}

void FleetSchedule::Lose(int server, absl::Time now, const absl::Status& why,
                         std::string measured) {
  Server& s = servers_[server];
  Seed& seed = seeds_[*s.seed];
  seed.taken = false;
  seed.measured = std::move(measured);
  s.seed.reset();
  if (!s.progress) {
    ++s.fruitless;
    ++seed.fruitless;
  }
  // The call has waited that long already.
  if (!s.failing_since) s.failing_since = now - move_after_;
  s.why = why;
  s.state = State::kAway;
}

bool FleetSchedule::finished() const {
  return std::all_of(seeds_.begin(), seeds_.end(), [](const Seed& seed) { return seed.finished; });
}

absl::Status FleetSchedule::Hope(absl::Time now) const {
  const Server* last = nullptr;  // the one that failed last
  const Server* out = nullptr;
  for (const Server& s : servers_) {
    if (s.state == State::kOut) {
      out = &s;
      continue;
    }
    const bool idle = s.state == State::kUp && !s.seed;
    if (idle || !s.failing_since) return absl::OkStatus();
    if (last == nullptr || *s.failing_since > *last->failing_since) last = &s;
  }
  if (last == nullptr) return out->why;
  if (now - *last->failing_since < patience_) return absl::OkStatus();
  return Annotate(last->why, absl::StrCat("none of ", servers_.size(), " servers did any work for ",
                                          absl::FormatDuration(patience_), "; the last failure"));
}

}  // namespace steer
