// What this program was built from, for steer_build_info.
#ifndef STEER_SERVER_BUILD_WORDS_H_
#define STEER_SERVER_BUILD_WORDS_H_

#include "server/telemetry/metrics.h"

namespace steer {

BuildWords ThisBuild();

}  // namespace steer

#endif  // STEER_SERVER_BUILD_WORDS_H_
