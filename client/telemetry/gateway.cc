#include "client/telemetry/gateway.h"

#include <algorithm>
#include <atomic>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/synchronization/mutex.h"
#include "client/telemetry/http.h"
#include "common/status_macros.h"

namespace steer {
namespace {

bool IsPlain(absl::string_view value) {
  return !value.empty() &&
         std::all_of(value.begin(), value.end(),
                     [](char c) {
                       return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' ||
                              c == '_' || c == '-';
                     }) &&
         value != "." && value != "..";  // path segments that clients and proxies resolve away
}

bool IsLabelName(absl::string_view name) {
  if (name.empty() || absl::ascii_isdigit(static_cast<unsigned char>(name[0]))) return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_';
  });
}

std::string GroupPart(absl::string_view name, absl::string_view value) {
  if (IsPlain(value)) return absl::StrCat("/", name, "/", value);
  // "=" stands for the empty string (Pushgateway README, "base64 encoded").
  return absl::StrCat("/", name, "@base64/",
                      value.empty() ? "=" : absl::WebSafeBase64Escape(value));
}

absl::Status CheckUrl(absl::string_view url, absl::string_view flag) {
  for (absl::string_view scheme : {"http://", "https://"}) {
    if (absl::StartsWithIgnoreCase(url, scheme) && url.size() > scheme.size())
      return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat(flag, " '", url, "' is not an http:// or https:// URL"));
}

}  // namespace

std::string GroupUrl(absl::string_view url, absl::string_view job, const Labels& group) {
  while (absl::ConsumeSuffix(&url, "/")) {
  }
  std::string result = absl::StrCat(url, "/metrics", GroupPart("job", job));
  for (const auto& [name, value] : group) absl::StrAppend(&result, GroupPart(name, value));
  return result;
}

absl::Status ProbeGateway(const std::string& url, absl::Duration timeout) {
  STEER_RETURN_IF_ERROR(CheckUrl(url, "--pushgateway"));
  HttpRequest request;
  request.url = absl::StrCat(absl::StripSuffix(url, "/"), "/-/ready");
  request.timeout = timeout;
  return Exchange(request);
}

absl::Status ProbeMetrics(const std::string& url, absl::Duration timeout) {
  STEER_RETURN_IF_ERROR(CheckUrl(url, "--metrics"));
  HttpRequest request;
  request.url = url;
  request.timeout = timeout;
  return Exchange(request);
}

class GatewayPusher::Impl {
 public:
  explicit Impl(GatewayOptions options)
      : options_(std::move(options)),
        url_(GroupUrl(options_.url, options_.job, options_.group)),
        thread_([this] { Loop(); }) {}

  void Publish(std::string snapshot) {
    absl::MutexLock lock(&mutex_);
    if (closing_) return;
    slot_ = std::move(snapshot);
    full_ = true;
  }

  void Close() {
    {
      absl::MutexLock lock(&mutex_);
      if (closing_) return;
      closing_ = true;
      // A push that is under way carries an older snapshot; with a newer one waiting, it is only in
      // the way.
      if (full_) abort_ = true;
    }
    thread_.join();
  }

  Counts counts() const {
    absl::MutexLock lock(&mutex_);
    return counts_;
  }

 private:
  void Loop() {
    absl::Duration wait;
    for (;;) {
      std::string snapshot;
      bool last = false;
      {
        absl::MutexLock lock(&mutex_);
        mutex_.AwaitWithTimeout(absl::Condition(&closing_), wait);
        auto ready = [this]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return full_ || closing_; };
        mutex_.Await(absl::Condition(&ready));
        if (!full_) return;
        snapshot = std::move(slot_);
        full_ = false;
        last = closing_;
        if (last) abort_ = false;
      }
      absl::Status status = Push(snapshot);
      absl::MutexLock lock(&mutex_);
      if (status.ok()) {
        ++counts_.pushed;
        wait = options_.interval;
      } else if (!abort_ || last) {
        ++counts_.failed;
        counts_.last_error = std::string(status.message());
        wait = std::min(std::max(wait, options_.interval) * 2, options_.max_backoff);
      }
      if (last) return;
    }
  }

  absl::Status Push(const std::string& snapshot) {
    HttpRequest request;
    request.url = url_;
    request.method = "PUT";  // replaces the group
    request.body = snapshot;
    request.content_type = "text/plain; version=0.0.4; charset=utf-8";
    request.timeout = options_.timeout;
    request.abort = &abort_;
    return Exchange(request);
  }

  const GatewayOptions options_;
  const std::string url_;
  std::atomic<bool> abort_{false};
  mutable absl::Mutex mutex_;
  std::string slot_ ABSL_GUARDED_BY(mutex_);
  bool full_ ABSL_GUARDED_BY(mutex_) = false;
  bool closing_ ABSL_GUARDED_BY(mutex_) = false;
  Counts counts_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;  // last: starts when the rest is there
};

absl::StatusOr<std::unique_ptr<GatewayPusher>> GatewayPusher::Start(GatewayOptions options) {
  STEER_RETURN_IF_ERROR(CheckUrl(options.url, "--pushgateway"));
  for (const auto& [name, value] : options.group) {
    if (!IsLabelName(name)) {
      return absl::InvalidArgumentError(absl::StrCat("'", name, "' is not a label name"));
    }
  }
  return std::unique_ptr<GatewayPusher>(
      new GatewayPusher(std::make_unique<Impl>(std::move(options))));
}

GatewayPusher::GatewayPusher(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
GatewayPusher::~GatewayPusher() { Close(); }
void GatewayPusher::Publish(std::string snapshot) { impl_->Publish(std::move(snapshot)); }
void GatewayPusher::Close() { impl_->Close(); }
GatewayPusher::Counts GatewayPusher::counts() const { return impl_->counts(); }

}  // namespace steer
