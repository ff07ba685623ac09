// steerctl: runs pre-registered experiments against steerd. README.md follows one from plan to
// verdict.
#include "client/commands/app.h"
#include "common/core_dumps.h"
#include "common/openssl_at_exit.h"

int main(int argc, char** argv) {
  steer::ForbidCoreDumps();
  steer::KeepOpenSslAtExit();
  return steer::SteerctlMain(argc, argv);
}
