#include "tests/faults/proxy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>

#include "absl/strings/match.h"
#include "absl/time/clock.h"

namespace steer {
namespace {

sockaddr_in Loopback(int port) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

bool SendAll(int fd, const char* data, size_t size) {
  while (size > 0) {
    const ssize_t n = send(fd, data, size, MSG_NOSIGNAL);
    if (n <= 0) return false;
    data += n;
    size -= static_cast<size_t>(n);
  }
  return true;
}

// True if there is something to read (or an end) within 50 ms.
bool Readable(int fd) {
  pollfd wait = {fd, POLLIN, 0};
  return poll(&wait, 1, 50) > 0;
}

}  // namespace

int Dial(int port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = Loopback(port);
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) return fd;
  close(fd);
  return -1;
}

int ListenAnywhere(int* port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = Loopback(0);
  socklen_t size = sizeof(address);
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(fd, 64) != 0 ||
      getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0)
    abort();
  *port = ntohs(address.sin_port);
  return fd;
}

void CloseHard(int fd) {
  const linger hard = {1, 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
  close(fd);
}

Proxy::Proxy(int target_port) : target_port_(target_port) {
  listener_ = ListenAnywhere(&port_);
  accepting_ = std::thread([this] { Accept(); });
}

Proxy::~Proxy() {
  stopping_.store(true);
  accepting_.join();
  std::vector<std::thread> threads;
  {
    absl::MutexLock lock(&mutex_);
    threads.swap(threads_);
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& link : links_) {
    close(link->client);
    close(link->server);
  }
  close(listener_);
}

void Proxy::Set(NetworkFault fault) { fault_.store(fault); }

void Proxy::Accept() {
  while (!stopping_.load()) {
    if (!Readable(listener_)) continue;
    const int client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (client < 0) continue;
    ++connections_;
    const NetworkFault fault = fault_.load();
    const int server =
        fault == NetworkFault::kRefuse || fault == NetworkFault::kReset ? -1 : Dial(target_port_);
    if (server < 0) {
      CloseHard(client);
      continue;
    }
    auto link = std::make_shared<Link>();
    link->client = client;
    link->server = server;
    absl::MutexLock lock(&mutex_);
    links_.push_back(link);
    for (const bool to_client : {false, true})
      threads_.emplace_back([this, link, to_client] { Forward(link, to_client); });
  }
}

void Proxy::Forward(std::shared_ptr<Link> link, bool to_client) {
  const int from = to_client ? link->server : link->client;
  const int to = to_client ? link->client : link->server;
  char buffer[4096];
  while (!stopping_.load()) {
    const NetworkFault fault = fault_.load();
    if (fault == NetworkFault::kReset) {
      const linger hard = {1, 0};
      setsockopt(link->client, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
      break;
    }
    if (fault == NetworkFault::kBlackHole) link->deaf = link->dead = true;
    if (fault == NetworkFault::kHalfOpen) link->dead = true;
    if (fault == NetworkFault::kStall || (to_client ? link->deaf : link->dead)) {
      absl::SleepFor(absl::Milliseconds(10));
      continue;
    }
    if (!Readable(from)) continue;
    const ssize_t n = recv(from, buffer, sizeof(buffer), 0);
    if (n <= 0) break;
    if (fault == NetworkFault::kDelay) absl::SleepFor(absl::Milliseconds(60));
    if (fault == NetworkFault::kSlow && to_client) absl::SleepFor(absl::Milliseconds(20));
    if (!SendAll(to, buffer, static_cast<size_t>(n))) break;
  }
  shutdown(link->client, SHUT_RDWR);
  shutdown(link->server, SHUT_RDWR);
}

Answerer::Answerer(std::string status_line) : status_line_(std::move(status_line)) {
  listener_ = ListenAnywhere(&port_);
  thread_ = std::thread([this] { Serve(); });
}

Answerer::~Answerer() {
  shutdown(listener_, SHUT_RDWR);
  thread_.join();
  close(listener_);
  for (const int fd : kept_) close(fd);
}

std::string Answerer::last_body() {
  absl::MutexLock lock(&mutex_);
  return last_body_;
}

void Answerer::Serve() {
  for (;;) {
    const int peer = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (peer < 0) return;
    if (status_line_.empty()) {
      ++requests_;
      absl::MutexLock lock(&mutex_);
      kept_.push_back(peer);
      continue;
    }
    std::string request;
    char buffer[8192];
    size_t wanted = std::string::npos;
    while (request.size() < wanted) {
      const ssize_t n = recv(peer, buffer, sizeof(buffer), 0);
      if (n <= 0) break;
      request.append(buffer, static_cast<size_t>(n));
      const size_t end = request.find("\r\n\r\n");
      if (end == std::string::npos) continue;
      const size_t length = request.find("Content-Length: ");
      wanted =
          end + 4 + (length < end ? std::strtoul(request.c_str() + length + 16, nullptr, 10) : 0);
    }
    ++requests_;
    {
      absl::MutexLock lock(&mutex_);
      const size_t end = request.find("\r\n\r\n");
      last_body_ = end == std::string::npos ? "" : request.substr(end + 4);
    }
    const std::string head =
        "HTTP/1.1 " + status_line_ + "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    SendAll(peer, head.data(), head.size());
    close(peer);
  }
}

}  // namespace steer
