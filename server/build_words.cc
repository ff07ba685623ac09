#include "server/build_words.h"

namespace steer {

// A file of its own: the commit changes more often than the program.
BuildWords ThisBuild() {
  return {STEER_VERSION, STEER_COMMIT, STEER_LIBTORCH_VERSION, STEER_LIBTORCH_CUDA};
}

}  // namespace steer
