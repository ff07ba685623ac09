#include "client/commands/build_words.h"

namespace steer {

// A file of its own: the commit changes more often than the program.
std::string ClientVersion() { return std::string(STEER_VERSION "+" STEER_COMMIT); }

}  // namespace steer
