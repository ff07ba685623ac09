// steerctl: runs pre-registered experiments against steerd. README.md follows one from plan to
// verdict.
#include "client/commands/app.h"

int main(int argc, char** argv) { return steer::SteerctlMain(argc, argv); }
