#include "client/telemetry/http.h"

#include <curl/curl.h>
#include <stdlib.h>

#include <algorithm>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/errors.h"

namespace steer {
namespace {

constexpr size_t kMostBytes = size_t{64} << 20;
constexpr size_t kMostSaid = 200;  // of an answer that is an error

// Returning less than what came ends the exchange.
size_t Keep(char* data, size_t size, size_t count, void* into) {
  auto* body = static_cast<std::string*>(into);
  if (body->size() + size * count > kMostBytes) return 0;
  body->append(data, size * count);
  return size * count;
}

// The first line, fit for a terminal.
std::string Said(absl::string_view body) {
  std::string said;
  for (const char c : body.substr(0, std::min(body.find('\n'), kMostSaid))) {
    said.push_back(absl::ascii_isprint(static_cast<unsigned char>(c)) ? c : '?');
  }
  return said;
}

int Aborted(void* flag, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  const auto* abort = static_cast<const std::atomic<bool>*>(flag);
  return abort != nullptr && abort->load() ? 1 : 0;
}

// A gateway beside us is never behind the proxy that leads out.
std::string NoProxy() {
  std::string list = "localhost,127.0.0.1,::1";
  for (const char* name : {"no_proxy", "NO_PROXY"}) {
    const char* value = getenv(name);
    if (value != nullptr && *value != '\0') return absl::StrCat(list, ",", value);
  }
  return list;
}

}  // namespace

absl::StatusOr<std::string> Fetch(const HttpRequest& request) {
  // Once, thread-safe. Where it fails, curl_easy_init tries again and gives nothing.
  static const CURLcode initialised = curl_global_init(CURL_GLOBAL_DEFAULT);
  static_cast<void>(initialised);
  CURL* curl = curl_easy_init();
  if (curl == nullptr) return absl::UnavailableError("libcurl could not be initialised");
  absl::Cleanup closer = [curl] { curl_easy_cleanup(curl); };
  curl_slist* headers = nullptr;
  absl::Cleanup free_headers = [&headers] { curl_slist_free_all(headers); };
  if (!request.content_type.empty()) {
    headers =
        curl_slist_append(headers, absl::StrCat("Content-Type: ", request.content_type).c_str());
  }
  headers = curl_slist_append(headers, "Expect:");  // no 100-continue round trip
  std::string body;
  char error[CURL_ERROR_SIZE] = "";
  const std::string no_proxy = NoProxy();
  long timeout_ms = static_cast<long>(absl::ToInt64Milliseconds(request.timeout));
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error);
  curl_easy_setopt(curl, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, timeout_ms);
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, timeout_ms);
  curl_easy_setopt(curl, CURLOPT_NOPROXY, no_proxy.c_str());
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, Keep);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &body);
  curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, Aborted);
  curl_easy_setopt(curl, CURLOPT_XFERINFODATA, const_cast<std::atomic<bool>*>(request.abort));
  if (request.method != "GET") {
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request.method.c_str());
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE,
                     static_cast<curl_off_t>(request.body.size()));
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request.body.data());
  }
  CURLcode code = curl_easy_perform(curl);
  if (code != CURLE_OK) {
    return MakeError(absl::StatusCode::kUnavailable, "NO_ANSWER",
                     error[0] != '\0' ? error : curl_easy_strerror(code));
  }
  long answer = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer);
  if (answer < 300) return body;  // libcurl waits for a final one, 200 or more
  const std::string said = Said(body);
  return absl::UnavailableError(
      absl::StrCat("HTTP status ", answer, said.empty() ? "" : ": ", said));
}

absl::Status Exchange(const HttpRequest& request) { return Fetch(request).status(); }

}  // namespace steer
