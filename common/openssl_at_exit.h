// The end of a process whose other threads still use OpenSSL.
#ifndef STEER_COMMON_OPENSSL_AT_EXIT_H_
#define STEER_COMMON_OPENSSL_AT_EXIT_H_

namespace steer {

// OpenSSL's state stays until the process is gone, instead of being freed by exit(). gRPC's timer
// threads outlive main and may be in a handshake then. In main, before OpenSSL is used.
void KeepOpenSslAtExit();

}  // namespace steer

#endif  // STEER_COMMON_OPENSSL_AT_EXIT_H_
