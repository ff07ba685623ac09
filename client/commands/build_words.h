// What this program was built from.
#ifndef STEER_CLIENT_COMMANDS_BUILD_WORDS_H_
#define STEER_CLIENT_COMMANDS_BUILD_WORDS_H_

#include <string>

namespace steer {

// "0.1.0+<commit>": the commit as build metadata of semantic versioning.
std::string ClientVersion();

}  // namespace steer

#endif  // STEER_CLIENT_COMMANDS_BUILD_WORDS_H_
