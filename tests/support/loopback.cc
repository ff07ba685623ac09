#include "tests/support/loopback.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"
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

}  // namespace

bool SendAll(int fd, const char* data, size_t size) {
  while (size > 0) {
    const ssize_t n = send(fd, data, size, MSG_NOSIGNAL);
    if (n <= 0) return false;
    data += n;
    size -= static_cast<size_t>(n);
  }
  return true;
}

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

std::string HttpGet(int port, const std::string& path) {
  const int fd = Dial(port);
  if (fd < 0) return "";
  const timeval timeout = {10, 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
  const std::string request = "GET " + path + " HTTP/1.0\r\nHost: localhost\r\n\r\n";
  SendAll(fd, request.data(), request.size());
  std::string answer;
  char buffer[8192];
  for (ssize_t n; (n = recv(fd, buffer, sizeof(buffer), 0)) > 0;)
    answer.append(buffer, static_cast<size_t>(n));
  close(fd);
  const size_t head = answer.find("\r\n\r\n");
  const bool good =
      head != std::string::npos && answer.substr(0, 64).find(" 200 ") != std::string::npos;
  return good ? answer.substr(head + 4) : "";
}

int FreePort() {
  int port = 0;
  close(ListenAnywhere(&port));
  return port;
}

Answerer::Answerer(std::string status_line, absl::Duration pause)
    : status_line_(std::move(status_line)), pause_(pause) {
  listener_ = ListenAnywhere(&port_);
  thread_ = std::thread([this] { Serve(); });
}

Answerer::~Answerer() {
  shutdown(listener_, SHUT_RDWR);
  thread_.join();
  close(listener_);
  for (const int fd : kept_) close(fd);
}

std::string Answerer::url() const { return absl::StrCat("http://127.0.0.1:", port_); }

std::vector<std::string> Answerer::requests() const {
  absl::MutexLock lock(&mutex_);
  return requests_;
}

std::string Answerer::last_body() const {
  const std::vector<std::string> all = requests();
  const size_t end = all.empty() ? std::string::npos : all.back().find("\r\n\r\n");
  return end == std::string::npos ? "" : all.back().substr(end + 4);
}

void Answerer::Serve() {
  for (;;) {
    const int peer = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (peer < 0) return;
    if (status_line_.empty()) {
      absl::MutexLock lock(&mutex_);
      requests_.emplace_back();
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
    {
      absl::MutexLock lock(&mutex_);
      requests_.push_back(request);
    }
    const std::string head =
        "HTTP/1.1 " + status_line_ + "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    const size_t step = pause_ > absl::ZeroDuration() ? 1 : head.size();
    for (size_t at = 0; at < head.size() && SendAll(peer, head.data() + at, step); at += step)
      absl::SleepFor(pause_);
    close(peer);
  }
}

}  // namespace steer
