#include "client/commands/progress.h"

#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

namespace steer {
namespace {

using Clock = std::chrono::steady_clock;

double Since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Columns that one line may take: a longer one would wrap, and what is wrapped is not wiped. The
// last column stays free, where some terminals wrap already. Asked each time: windows change.
size_t RoomOnLine() {
  winsize size = {};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col < 2) return 79;
  return size.ws_col - size_t{1};
}

// At most `bytes` bytes, no character cut in two.
absl::string_view CutUtf8(absl::string_view text, size_t bytes) {
  while (bytes > 0 && (static_cast<unsigned char>(text[bytes]) & 0xc0) == 0x80) --bytes;
  return text.substr(0, bytes);
}

}  // namespace

std::string ShownSeconds(double seconds) {
  int64_t s = static_cast<int64_t>(std::max(seconds, 0.0) + 0.5);
  if (s >= 3600) return absl::StrFormat("%d h %02d min", s / 3600, s % 3600 / 60);
  if (s >= 60) return absl::StrFormat("%d min %02d s", s / 60, s % 60);
  return absl::StrFormat("%d s", s);
}

Progress::Progress(const Context& context)
    : context_(context),
      terminal_(!context.quiet && InteractiveTerminal()),
      start_(Clock::now()),
      shown_(Clock::now()),
      summed_up_(Clock::now()) {}

Progress::~Progress() { Finish(); }

void Progress::Finish() {
  if (line_open_) fputs("\r\033[K", stderr);
  line_open_ = false;
}

void Progress::Redraw(absl::string_view text) {
  const size_t room = RoomOnLine();
  const std::string shown = text.size() <= room || room < 3
                                ? std::string(text.substr(0, room))
                                : absl::StrCat(CutUtf8(text, room - 3), "...");
  fprintf(stderr, "\r\033[K%s", shown.c_str());
  fflush(stderr);
  line_open_ = true;
}

void Progress::Line(const std::string& text) {
  Finish();
  Say(context_, text);
  shown_ = Clock::now();
  Renew();
}

absl::optional<double> Progress::SecondsLeft() const {
  if (session_cells_ < 3 || session_rows_ == 0) return absl::nullopt;
  double spent = evaluating_seconds_;
  for (const auto& [seed, lane] : lanes_) spent += lane.evaluating ? Since(lane.since) : 0;
  // Seconds of one server for a row; as many servers as work now share what is left.
  return spent / static_cast<double>(session_rows_) *
         static_cast<double>(std::max<int64_t>(rows_ - done_rows_, 0)) /
         static_cast<double>(std::max<size_t>(lanes_.size(), 1));
}

void Progress::Stop(Lane* lane) {
  if (lane->evaluating) evaluating_seconds_ += Since(lane->since);
  lane->evaluating = false;
}

void Progress::Renew() {
  if (context_.quiet || lanes_.empty()) return;
  absl::optional<double> left = SecondsLeft();
  std::vector<std::string> stages;
  int64_t call_rows = 0;
  for (const auto& [seed, lane] : lanes_) {
    stages.push_back(lane.stage);
    call_rows += lane.call_rows;
  }
  std::string text =
      absl::StrCat(absl::StrJoin(stages, ", "), ": ", done_cells_, "/", cells_, " cells",
                   failed_cells_ > 0 ? absl::StrCat(", ", failed_cells_, " failed") : "");
  const std::string rows = call_rows == 0
                               ? ""
                               : absl::StrCat(", ", call_rows, " rows in ",
                                              lanes_.size() > 1 ? "these calls" : "this call");
  const std::string time = left ? absl::StrCat(", about ", ShownSeconds(*left), " left") : "";
  if (terminal_) {
    // Where not all has room, the time left is worth more than the rows.
    const size_t room = RoomOnLine();
    for (const std::string& more : {absl::StrCat(rows, time), time}) {
      if (text.size() + more.size() > room) continue;
      absl::StrAppend(&text, more);
      break;
    }
    Redraw(text);
    return;
  }
  absl::StrAppend(&text, rows, time);
  if (Since(summed_up_) >= 10) {
    summed_up_ = Clock::now();
    Say(context_, text);
  }
}

void Progress::OnStart(int64_t cells, int64_t rows, int64_t done_cells, int64_t done_rows) {
  cells_ = cells;
  rows_ = rows;
  done_cells_ = done_cells;
  done_rows_ = done_rows;
  Line(absl::StrCat(
      cells, " cells, ", rows, " rows",
      done_cells > 0 ? absl::StrCat("; ", done_cells, " cells are there already") : ""));
}

void Progress::OnStage(uint64_t seed, absl::string_view stage, int64_t cells) {
  Lane& lane = lanes_[seed];
  Stop(&lane);
  lane.evaluating = stage != "fit";
  lane.since = Clock::now();
  lane.call_rows = 0;
  lane.stage = absl::StrCat("seed ", seed, " ", stage);
  Line(stage == "fit" ? absl::StrCat(lane.stage, ": fitting")
                      : absl::StrCat(lane.stage, ": ", cells, " cells to do"));
}

void Progress::OnRows(uint64_t seed, int64_t done, int64_t) {
  lanes_[seed].call_rows = done;
  Renew();
}

void Progress::OnFit(const FitRecord& fit, bool resumed) {
  auto lane = lanes_.find(fit.seed);
  if (lane != lanes_.end()) Stop(&lane->second);
  Line(absl::StrCat("seed ", fit.seed, ": direction set ", fit.set_id.substr(0, 12),
                    resumed ? " (fitted before)" : ""));
}

void Progress::OnSeedEnd(uint64_t seed) {
  auto lane = lanes_.find(seed);
  if (lane == lanes_.end()) return;
  Stop(&lane->second);
  lanes_.erase(lane);
}

void Progress::OnServer(const ServerChange& change) {
  if (change.kind == ServerChange::kUp) {
    Line(absl::StrCat("server ", change.server, ": answers, numeric fingerprint ",
                      change.numeric_fingerprint.substr(0, 12)));
    if (numerics_seen_.insert(change.numeric_fingerprint).second && numerics_seen_.size() == 2) {
      Line(
          "note: the servers differ in numeric fingerprint. A seed that loses its server begins "
          "anew where no other has the same, and which server a seed is on shows in its numbers");
    }
  } else if (change.kind == ServerChange::kAway) {
    Line(absl::StrCat("server ", change.server, ": lost: ", change.why.message()));
  } else {
    Finish();
    // Loud, whatever --quiet says: the run goes on without it.
    fprintf(stderr, "steerctl: server %s is left out: %s\n", change.server.c_str(),
            std::string(change.why.message()).c_str());
  }
}

void Progress::OnMove(const SeedMove& move) {
  Line(absl::StrCat("seed ", move.seed, ": ",
                    move.from.empty() ? "moves" : absl::StrCat("moves from ", move.from), " to ",
                    move.to,
                    move.anew       ? ", anew"
                    : move.imported ? ", its set imported"
                                    : ""));
}

void Progress::OnRestart(const RestartRecord& restart, int64_t rows) {
  done_cells_ -= restart.cells;
  done_rows_ -= rows;
  Line(absl::StrCat("seed ", restart.seed, ": begins anew: no server that answers has the numeric ",
                    "fingerprint ", restart.numeric_fingerprint.substr(0, 12), " of its ",
                    restart.cells, " cells"));
}

void Progress::OnCell(const CellRecord& cell) {
  int64_t rows = static_cast<int64_t>(cell.rows.size());
  ++done_cells_;
  ++session_cells_;
  done_rows_ += rows;
  session_rows_ += rows;
  if (cell.stage == Stage::kTest && !terminal_) {
    RefusalCount count = cell.count();
    Line(absl::StrFormat("seed %d test %s: %d/%d refuse", cell.seed, cell.arm.name, count.refused,
                         count.n));
  } else {
    Renew();
  }
}

void Progress::OnSelected(const SelectionRecord& selection) {
  if (!selection.chosen) {
    Line(absl::StrCat("seed ", selection.seed, ": no layer has a usable direction"));
    return;
  }
  Line(absl::StrCat("seed ", selection.seed, ": layer ", selection.layer,
                    selection.tied.size() > 1
                        ? absl::StrCat(" (tied: ", absl::StrJoin(selection.tied, ", "), ")")
                        : ""));
}

void Progress::OnFailure(const FailureRecord& failure, const absl::Status& why) {
  ++failed_cells_;
  Finish();
  // Loud, whatever --quiet says.
  fprintf(stderr, "steerctl: FAILED %s: %s%s: %s\n", failure.of.c_str(), failure.code.c_str(),
          failure.reason.empty() ? "" : absl::StrCat(" (", failure.reason, ")").c_str(),
          std::string(why.message()).c_str());
}

void Progress::OnWaiting(const std::string& server, const absl::Status& why,
                         absl::Duration waited) {
  std::string text =
      absl::StrCat("waiting for steerd at ", server, " (",
                   ShownSeconds(absl::ToDoubleSeconds(waited)), "): ", why.message());
  if (terminal_) {
    Redraw(text);
  } else if (waited == absl::ZeroDuration() || Since(shown_) >= 10) {
    shown_ = Clock::now();
    Say(context_, text);
  }
}

}  // namespace steer
