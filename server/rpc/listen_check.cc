#include "server/rpc/listen_check.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/errors.h"
#include "common/net_address.h"

namespace steer {
namespace {

absl::Status Unavailable(const std::string& address, absl::string_view why) {
  return MakeError(absl::StatusCode::kUnavailable, "ADDRESS_UNAVAILABLE",
                   absl::StrCat("--listen: cannot listen on '", address, "': ", why));
}

// 0, or the error of binding to it.
int TryBind(const addrinfo& at) {
  const int fd = socket(at.ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return errno;
  const int on = 1, off = 0;
  // As gRPC does it: a port whose last connections are dying is free, and a v6 socket takes v4 too.
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (at.ai_family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  // In use is what listens, not what is bound.
  const bool free = bind(fd, at.ai_addr, at.ai_addrlen) == 0 && listen(fd, 1) == 0;
  const int error = free ? 0 : errno;
  close(fd);
  return error;
}

std::string Explain(int error, absl::string_view host, int port) {
  switch (error) {
    case EADDRINUSE:
      return absl::StrCat("port ", port,
                          " is in use by another program; stop it, or choose another port (0 takes "
                          "any that is free)");
    case EADDRNOTAVAIL:
      return absl::StrCat(host,
                          " is no address of this machine; 127.0.0.1 is for this machine alone, "
                          "0.0.0.0 for every network it is in");
    case EACCES:
      return absl::StrCat("this user may not take port ", port, "; choose one above 1023");
    default:
      return strerror(error);
  }
}

absl::Status CheckUnixSocket(const std::string& address) {
  absl::string_view path = address;
  if (!absl::ConsumePrefix(&path, "unix:")) return absl::OkStatus();  // abstract: no file
  absl::ConsumePrefix(&path, "//");
  if (path.size() >= sizeof(sockaddr_un::sun_path)) {
    return Unavailable(address, absl::StrCat("the path has ", path.size(), " bytes and a socket's ",
                                             "may have ", sizeof(sockaddr_un::sun_path) - 1));
  }
  std::filesystem::path folder = std::filesystem::path(std::string(path)).parent_path();
  if (folder.empty()) folder = ".";
  if (access(folder.c_str(), W_OK | X_OK) == 0) return absl::OkStatus();
  return Unavailable(
      address, absl::StrCat("cannot make a socket in ", folder.string(), ": ", strerror(errno)));
}

}  // namespace

absl::Status CheckCanListen(const std::string& address) {
  if (IsUnixSocket(address)) return CheckUnixSocket(address);
  absl::string_view host;
  int port = 0;
  if (!SplitAddress(address, &host, &port)) return Unavailable(address, "it is no host:port");
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  const std::string name(host);
  if (const int unknown = getaddrinfo(name.c_str(), absl::StrCat(port).c_str(), &hints, &found);
      unknown != 0) {
    return Unavailable(
        address, absl::StrCat("no address is known for ", name, " (", gai_strerror(unknown), ")"));
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> addresses(found, &freeaddrinfo);
  int error = 0;
  for (const addrinfo* at = addresses.get(); at != nullptr; at = at->ai_next) {
    error = TryBind(*at);
    if (error == 0) return absl::OkStatus();
  }
  return Unavailable(address, Explain(error, host, port));
}

}  // namespace steer
