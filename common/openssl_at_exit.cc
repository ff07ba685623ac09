#include "common/openssl_at_exit.h"

#include <openssl/crypto.h>

namespace steer {

void KeepOpenSslAtExit() { OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, nullptr); }

}  // namespace steer
