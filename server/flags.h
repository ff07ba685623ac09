// Command line of steerd.
#ifndef STEER_SERVER_FLAGS_H_
#define STEER_SERVER_FLAGS_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/types/optional.h"
#include "server/engine/engine.h"
#include "server/rpc/rpc_server.h"

namespace steer {

struct SteerdFlags {
  std::string model;     // a folder, or ORG/NAME in the Hugging Face cache
  std::string revision;  // of the latter; empty: main
  EngineOptions engine;  // its model_folder is found later
  RpcServerOptions rpc;
  std::string store;                              // folder of direction sets
  std::string metrics_listen = "127.0.0.1:9464";  // empty: none
  bool metrics_insecure = false;                  // metrics_listen may be beyond loopback
  std::string audit_log;                          // empty: none
  std::string port_file;                          // empty: none
  std::string cuda_plugin;                        // empty: libsteer_cuda.so beside the program
  absl::Duration drain = absl::Seconds(60);
  bool healthcheck = false;
  bool failpoints = false;  // STEER_FAILPOINTS may be set
};

// Either flags, or what main is to return at once (after --help, --version or a mistake, which have
// been printed).
struct ParsedFlags {
  SteerdFlags flags;
  absl::optional<int> exit_code;
};
ParsedFlags ParseFlags(int argc, const char* const* argv);

// $XDG_STATE_HOME/steer/directions, else ~/.local/state/steer/directions; empty without a home.
std::string DefaultStoreFolder();

}  // namespace steer

#endif  // STEER_SERVER_FLAGS_H_
