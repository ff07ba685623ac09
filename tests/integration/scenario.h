// A temporary folder with a planted checkpoint, a plan, and the real steerd and steerctl on
// loopback.
#ifndef STEER_TESTS_INTEGRATION_SCENARIO_H_
#define STEER_TESTS_INTEGRATION_SCENARIO_H_

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "common/json.h"
#include "tests/integration/process.h"

namespace steer {

using Environment = std::map<std::string, std::string>;

struct CommandResult {
  ProcessEnd end;
  std::string out;
  std::string err;
};

class Scenario {
 public:
  // Makes the checkpoint of `variant` and `seed` (shared between scenarios of one test program: it
  // is only read).
  explicit Scenario(const std::string& variant, int seed = 0);
  // Fails the test if a file below folder() holds words of the prompts: text stays inside.
  ~Scenario();
  // But for this one, a name below folder().
  void MayHoldText(const std::string& name) { text_in_.insert(name); }

  const std::string& folder() const { return folder_; }
  const std::string& model() const { return model_; }
  // What later starts say after --model.
  void set_model(std::string model) { model_ = std::move(model); }
  std::string address() const;
  int metrics_port() const { return metrics_port_; }
  std::string Path(const std::string& name) const { return folder_ + "/" + name; }

  // Starts steerd and waits until it serves (at most 60 s). The first start picks the ports; later
  // ones take the same, so that clients find it again. False, with the log in server_log(), if it
  // ended instead.
  bool StartServer(const Environment& environment = {}, const std::vector<std::string>& flags = {});
  // What every later start says before its own flags.
  void set_base_flags(std::vector<std::string> flags) { base_flags_ = std::move(flags); }
  Process& server() { return *server_; }
  // SIGTERM, and waits.
  ProcessEnd StopServer();
  std::string server_log() const;

  // What later steerctl commands are told instead of address(): several servers, say.
  void set_ctl_servers(std::string servers) { ctl_servers_ = std::move(servers); }

  // steerctl --server <address> <arguments>.
  CommandResult Ctl(const std::vector<std::string>& arguments, const Environment& environment = {},
                    absl::Duration timeout = absl::Minutes(2));
  // The same, not waited for; output goes to <folder>/<name>.out and .err.
  std::unique_ptr<Process> StartCtl(const std::vector<std::string>& arguments,
                                    const std::string& name, const Environment& environment = {});

  // Writes a small plan over the planted prompts and freezes it; the lock's path. Records a test
  // failure and returns "" on error.
  std::string FreezeSmallPlan(const std::string& name, int train = 24, int validation = 8,
                              int test = 12, const std::string& seeds = "[0]");
  std::vector<std::string> RunArguments(const std::string& lock, const std::string& output) const;

  // The value that a line of /metrics starting with `series` has; -1 if there is none.
  double Metric(const std::string& series) const;
  std::string MetricsPage() const;

 private:
  void ExpectNoPromptLeft() const;
  std::string folder_, planted_, model_, ctl_servers_;
  std::set<std::string> text_in_;
  int port_ = 0, metrics_port_ = 0, commands_ = 0;
  std::vector<std::string> base_flags_;
  std::unique_ptr<Process> server_;
};

// The file's text, or a test failure and "".
std::string MustRead(const std::string& path);
Json MustReadJson(const std::string& path);

}  // namespace steer

#endif  // STEER_TESTS_INTEGRATION_SCENARIO_H_
