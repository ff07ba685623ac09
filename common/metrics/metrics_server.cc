#include "common/metrics/metrics_server.h"

#include <exception>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "common/metrics/process_metrics.h"
#include "common/net_address.h"
#include "common/status_macros.h"
#include "prometheus/exposer.h"

namespace steer {
namespace {

absl::Status CheckAddress(const std::string& address, bool insecure) {
  absl::string_view host;
  int port = 0;
  // The library would take a list, and a letter behind the port.
  if (!SplitAddress(address, &host, &port) || absl::StrContains(host, ",")) {
    return MakeError(
        absl::StatusCode::kInvalidArgument, "INVALID_ADDRESS",
        absl::StrCat("--metrics-listen '", address, "' is not host:port, as in 127.0.0.1:9464"));
  }
  if (!IsLoopback(address) && !insecure) {
    return MakeError(absl::StatusCode::kInvalidArgument, "METRICS_BEYOND_LOOPBACK",
                     absl::StrCat("--metrics-listen ", address,
                                  " can be reached from other machines, without TLS or tokens; "
                                  "add --metrics-insecure if everyone who can may read it"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<MetricsServer>> MetricsServer::Start(
    const std::string& address, bool insecure, std::shared_ptr<prometheus::Collectable> page) {
  STEER_RETURN_IF_ERROR(CheckAddress(address, insecure));
  // Not make_unique: the constructor is private.
  std::unique_ptr<MetricsServer> server(new MetricsServer);
  server->page_ = std::move(page);
  server->process_ = std::make_shared<ProcessMetrics>();
  // Two half-open connections must not delay a scrape beyond its timeout: more threads than the
  // library's two, and a request timeout far below the 10 s that Prometheus waits.
  const std::vector<std::string> options = {"listening_ports",    address, "num_threads", "4",
                                            "request_timeout_ms", "2000"};
  try {
    server->exposer_ = std::make_unique<prometheus::Exposer>(options);
    server->exposer_->RegisterCollectable(server->page_);
    server->exposer_->RegisterCollectable(server->process_);
    server->port_ = server->exposer_->GetListeningPorts().at(0);
  } catch (const std::exception&) {
    server->exposer_.reset();
  }
  if (server->port_ == 0) {
    return MakeError(absl::StatusCode::kUnavailable, "METRICS_ADDRESS_UNAVAILABLE",
                     absl::StrCat("cannot serve metrics on '", address,
                                  "': not a host:port of this machine, or the port is in use; "
                                  "choose another with --metrics-listen, or \"\" for none"));
  }
  return server;
}

void MetricsServer::Add(const std::shared_ptr<prometheus::Collectable>& collectable) {
  added_.push_back(collectable);  // the exposer holds it weakly
  exposer_->RegisterCollectable(collectable);
}

MetricsServer::~MetricsServer() = default;

}  // namespace steer
