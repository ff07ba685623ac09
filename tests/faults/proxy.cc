#include "tests/faults/proxy.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "absl/time/clock.h"
#include "tests/support/loopback.h"

namespace steer {
namespace {

// True if there is something to read (or an end) within 50 ms.
bool Readable(int fd) {
  pollfd wait = {fd, POLLIN, 0};
  return poll(&wait, 1, 50) > 0;
}

}  // namespace

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

}  // namespace steer
