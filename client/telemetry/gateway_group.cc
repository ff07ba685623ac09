#include "client/telemetry/gateway_group.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "client/telemetry/http.h"
#include "common/errors.h"
#include "common/json.h"
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
  return MakeError(absl::StatusCode::kInvalidArgument, "INVALID_URL",
                   absl::StrCat(flag, " '", ShownUrl(url), "' is not an http:// or https:// URL"));
}

std::string Under(absl::string_view url, absl::string_view path) {
  while (absl::ConsumeSuffix(&url, "/")) {
  }
  return absl::StrCat(url, path);
}

// An empty label is none at all to the gateway.
bool SameGroup(const GatewayGroup& group, const Json& labels) {
  Json wanted = {{"job", group.job}};
  for (const auto& [name, value] : group.labels) wanted[name] = value;
  Json held = labels;
  for (Json* all : {&wanted, &held}) {
    for (auto it = all->begin(); it != all->end();) {
      it = *it == "" ? all->erase(it) : std::next(it);
    }
  }
  return wanted == held;
}

// Series of one element of the gateway's list; the two that it adds itself aside.
int64_t SeriesOf(const Json& element) {
  int64_t series = 0;
  for (const auto& [name, family] : element.items()) {
    if (name == "push_time_seconds" || name == "push_failure_time_seconds") continue;
    if (!family.is_object() || !family.contains("metrics") || !family["metrics"].is_array())
      continue;
    for (const Json& metric : family["metrics"]) {
      const bool histogram = metric.is_object() && metric.contains("buckets");
      series += histogram ? static_cast<int64_t>(metric["buckets"].size()) + 2 : 1;
    }
  }
  return series;
}

}  // namespace

absl::Status CheckGroup(const GatewayGroup& group) {
  STEER_RETURN_IF_ERROR(CheckUrl(group.url, "--push-gateway"));
  for (const auto& [name, value] : group.labels) {
    if (!IsLabelName(name)) {
      return absl::InvalidArgumentError(absl::StrCat("'", name, "' is not a label name"));
    }
  }
  return absl::OkStatus();
}

std::string GroupUrl(const GatewayGroup& group) {
  std::string result = Under(group.url, absl::StrCat("/metrics", GroupPart("job", group.job)));
  for (const auto& [name, value] : group.labels) absl::StrAppend(&result, GroupPart(name, value));
  return result;
}

std::string ShownUrl(absl::string_view url) {
  size_t scheme = url.find("://");
  scheme = scheme == absl::string_view::npos ? 0 : scheme + 3;
  const absl::string_view rest = url.substr(scheme);
  const size_t at = rest.substr(0, rest.find('/')).rfind('@');
  return at == absl::string_view::npos ? std::string(url)
                                       : absl::StrCat(url.substr(0, scheme), rest.substr(at + 1));
}

absl::Status PutGroup(const GatewayGroup& group, absl::string_view snapshot, absl::Duration timeout,
                      const std::atomic<bool>* abort) {
  HttpRequest request;
  request.url = GroupUrl(group);
  request.method = "PUT";
  request.body = snapshot;
  request.content_type = "text/plain; version=0.0.4; charset=utf-8";
  request.timeout = timeout;
  request.abort = abort;
  return Exchange(request);
}

absl::StatusOr<absl::optional<int64_t>> SeriesOfGroup(const GatewayGroup& group,
                                                      absl::Duration timeout) {
  HttpRequest request;
  request.url = Under(group.url, "/api/v1/metrics");
  request.timeout = timeout;
  STEER_ASSIGN_OR_RETURN(const std::string body, Fetch(request));
  absl::StatusOr<Json> answer = ParseJson(body);
  if (!answer.ok() || !answer->is_object() || !answer->contains("data") ||
      !(*answer)["data"].is_array()) {
    return absl::UnavailableError("it does not answer /api/v1/metrics as a Pushgateway does");
  }
  for (const Json& element : (*answer)["data"]) {
    if (!element.is_object() || !element.contains("labels") || !element["labels"].is_object())
      continue;
    if (SameGroup(group, element["labels"])) return absl::make_optional(SeriesOf(element));
  }
  return absl::optional<int64_t>();
}

absl::StatusOr<int64_t> DeleteGroup(const GatewayGroup& group, absl::Duration timeout) {
  absl::optional<int64_t> held;
  STEER_ASSIGN_OR_RETURN(held, SeriesOfGroup(group, timeout));
  if (!held) {
    return MakeError(absl::StatusCode::kNotFound, "NO_SUCH_GROUP",
                     "the gateway holds no such group");
  }
  HttpRequest request;
  request.url = GroupUrl(group);
  request.method = "DELETE";
  request.timeout = timeout;
  STEER_RETURN_IF_ERROR(Exchange(request));
  const absl::Time end = absl::Now() + timeout;
  for (;;) {
    absl::optional<int64_t> left;
    STEER_ASSIGN_OR_RETURN(left, SeriesOfGroup(group, timeout));
    if (!left) return *held;
    if (absl::Now() >= end) {
      return absl::UnavailableError(
          "the gateway took the deletion and still lists the group; does a run push to it?");
    }
    absl::SleepFor(absl::Milliseconds(20));
  }
}

absl::Status ProbeGateway(const std::string& url, absl::Duration timeout) {
  STEER_RETURN_IF_ERROR(CheckUrl(url, "--push-gateway"));
  HttpRequest request;
  request.url = Under(url, "/-/ready");
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

}  // namespace steer
