// steerd, as people and orchestrators start it. Mistakes on the command line, --help, --version and --healthcheck end here;
// to serve, the process becomes steerd-serve, which lies beside this program. That one links libtorch, and loading it
// alone takes several times as long as a health check may: this one must never link it.
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/core_dumps.h"
#include "common/openssl_at_exit.h"
#include "common/status_macros.h"
#include "grpcpp/create_channel.h"
#include "server/flags.h"
#include "server/rpc/health_probe.h"

namespace steer {
namespace {

absl::Status Healthcheck(const SteerdFlags& flags) {
  // It holds the server's key.
  ForbidCoreDumps();
  KeepOpenSslAtExit();
  STEER_ASSIGN_OR_RETURN(auto credentials, MakeProbeCredentials(flags.rpc.listen));
  return ProbeHealth(grpc::CreateChannel(flags.rpc.listen.address, credentials), "",
                     absl::Seconds(5));
}

// Returns only if it fails.
absl::Status BecomeServer(char** argv) {
  std::error_code error;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  const std::string program = self.parent_path() / "steerd-serve";
  // Read by libgomp as it is loaded, see EnsurePassiveOpenMp.
  setenv("OMP_WAIT_POLICY", "passive", 0);
  execv(program.c_str(), argv);
  return absl::NotFoundError(absl::StrCat("cannot start ", program, ": ", strerror(errno),
                                          "; it is installed beside steerd"));
}

}  // namespace
}  // namespace steer

int main(int argc, char** argv) {
  const steer::ParsedFlags parsed = steer::ParseFlags(argc, argv);
  if (parsed.exit_code) return *parsed.exit_code;
  const absl::Status status =
      parsed.flags.healthcheck ? steer::Healthcheck(parsed.flags) : steer::BecomeServer(argv);
  if (status.ok()) return 0;
  std::fprintf(stderr, "steerd: %s\n", std::string(status.message()).c_str());
  return 1;
}
