// What a run shows while it goes: one line that renews itself on a terminal, plain lines elsewhere.
#ifndef STEER_CLIENT_COMMANDS_PROGRESS_H_
#define STEER_CLIENT_COMMANDS_PROGRESS_H_

#include <chrono>
#include <map>
#include <set>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "client/commands/context.h"
#include "client/run/observer.h"

namespace steer {

// One call at a time (SerialObserver sees to it where servers share a run).
class Progress : public RunObserver {
 public:
  explicit Progress(const Context& context);
  ~Progress() override;

  void OnStart(int64_t cells, int64_t rows, int64_t done_cells, int64_t done_rows) override;
  void OnStage(uint64_t seed, absl::string_view stage, int64_t cells) override;
  void OnRows(uint64_t seed, int64_t done, int64_t total) override;
  void OnFit(const FitRecord& fit, bool resumed) override;
  void OnCell(const CellRecord& cell) override;
  void OnSelected(const SelectionRecord& selection) override;
  void OnFailure(const FailureRecord& failure, const absl::Status& why) override;
  void OnSeedEnd(uint64_t seed) override;
  void OnServer(const ServerChange& change) override;
  void OnMove(const SeedMove& move) override;
  void OnRestart(const RestartRecord& restart, int64_t rows) override;
  // The server is away.
  void OnWaiting(const std::string& server, const absl::Status& why, absl::Duration waited);
  // Ends the renewed line.
  void Finish();

  // Seconds to the end at the pace of this session; unset until three cells are done.
  absl::optional<double> SecondsLeft() const;

 private:
  // What one seed is doing; several at a time on several servers.
  struct Lane {
    std::string stage;
    bool evaluating = false;
    std::chrono::steady_clock::time_point since;
    int64_t call_rows = 0;
  };
  void Stop(Lane* lane);
  void Line(const std::string& text);
  void Renew();
  // Puts `text` in place of the renewed line, cut to the terminal's width.
  void Redraw(absl::string_view text);

  const Context& context_;
  const bool terminal_;
  std::chrono::steady_clock::time_point start_;
  std::chrono::steady_clock::time_point shown_;
  // Where there is no terminal: when the last line said how far the run is. Lines about cells do not put it off.
  std::chrono::steady_clock::time_point summed_up_;
  std::map<uint64_t, Lane> lanes_;       // by seed
  std::set<std::string> numerics_seen_;  // of servers
  int64_t cells_ = 0, rows_ = 0, done_cells_ = 0, done_rows_ = 0, failed_cells_ = 0;
  int64_t session_cells_ = 0, session_rows_ = 0;
  double evaluating_seconds_ = 0;  // of lanes, summed
  bool line_open_ = false;
};

// "1 h 02 min", "3 min 20 s", "12 s".
std::string ShownSeconds(double seconds);

}  // namespace steer

#endif  // STEER_CLIENT_COMMANDS_PROGRESS_H_
