// What a gateway, a proxy or somebody else may answer, whole texts of HTTP one after another.
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "client/telemetry/gateway_group.h"
#include "client/telemetry/http.h"
#include "common/errors.h"
#include "gtest/gtest.h"
#include "tests/support/loopback.h"

namespace steer {
namespace {

std::string Answer(const std::string& status, const std::string& body) {
  return absl::StrCat("HTTP/1.1 ", status, "\r\nContent-Length: ", body.size(),
                      "\r\nConnection: close\r\n\r\n", body);
}

// Gives each connection the next answer, whatever it asks; the last one again and again.
class Script {
 public:
  explicit Script(std::vector<std::string> answers)
      : answers_(std::move(answers)),
        listener_(ListenAnywhere(&port_)),
        thread_([this] { Serve(); }) {}
  ~Script() {
    shutdown(listener_, SHUT_RDWR);
    thread_.join();
    close(listener_);
  }
  std::string url() const { return absl::StrCat("http://127.0.0.1:", port_); }
  // First lines of the requests. After the last answer has come.
  std::vector<std::string> asked() const {
    absl::MutexLock lock(&mutex_);
    return asked_;
  }

 private:
  void Serve() {
    for (size_t n = 0;; ++n) {
      const int peer = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (peer < 0) return;
      std::string request;
      char buffer[4096];
      while (!absl::StrContains(request, "\r\n\r\n")) {
        const ssize_t got = recv(peer, buffer, sizeof(buffer), 0);
        if (got <= 0) break;
        request.append(buffer, static_cast<size_t>(got));
      }
      {
        absl::MutexLock lock(&mutex_);
        asked_.push_back(request.substr(0, request.find("\r\n")));
      }
      const std::string& answer = answers_[std::min(n, answers_.size() - 1)];
      SendAll(peer, answer.data(), answer.size());
      close(peer);
    }
  }

  const std::vector<std::string> answers_;
  int port_ = 0;
  const int listener_;
  mutable absl::Mutex mutex_;
  std::vector<std::string> asked_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;  // last: starts when the rest is there
};

GatewayGroup Group(const Script& script) {
  return {script.url(), "steer_experiment", {{"experiment", "e1"}}};
}

// The list of a gateway that holds the group beside others.
constexpr char kHeld[] =
    R"({"status":"success","data":[7,{},{"labels":7},{"labels":{"job":"other"}},)"
    R"({"labels":{"job":"steer_experiment","experiment":"e1","stage":""},)"
    R"("push_time_seconds":{"metrics":[{}]},"push_failure_time_seconds":{"metrics":[{}]},)"
    R"("last_push":"now","steer_a":{"metrics":7},"steer_b":{"type":"GAUGE"},)"
    R"("steer_c":{"metrics":[{"value":"1"},7]},"steer_d":{"metrics":[{"buckets":{"1":"2","+Inf":"3"}}]}}]})";
constexpr char kGone[] = R"({"status":"success","data":[]})";

TEST(GatewayAnswers, AGroupIsFoundAmongWhateverIsListed) {
  Script script({Answer("200 OK", kHeld)});
  const auto series = SeriesOfGroup(Group(script));
  ASSERT_TRUE(series.ok()) << series.status();
  // Two samples, and a histogram of two buckets with its sum and count.
  EXPECT_EQ(*series, absl::make_optional<int64_t>(2 + 4));
  EXPECT_EQ(script.asked()[0], "GET /api/v1/metrics HTTP/1.1");
  GatewayGroup other = Group(script);
  other.labels[0].second = "e2";
  EXPECT_EQ(*SeriesOfGroup(other), absl::nullopt);
  // An empty label is none.
  GatewayGroup same = Group(script);
  same.labels.push_back({"seed", ""});
  EXPECT_TRUE((*SeriesOfGroup(same)).has_value());
}

TEST(GatewayAnswers, WhatIsNoListIsNoPushgateway) {
  for (const char* body : {"", "{", "[]", "7", "{}", R"({"data":{}})", R"({"data":7})"}) {
    Script script({Answer("200 OK", body)});
    const absl::Status status = SeriesOfGroup(Group(script)).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << body;
    EXPECT_EQ(status.message(), "it does not answer /api/v1/metrics as a Pushgateway does") << body;
  }
}

TEST(GatewayAnswers, ADeletionIsSeenThrough) {
  const std::string held = Answer("200 OK", kHeld), gone = Answer("200 OK", kGone);
  const std::string accepted = Answer("202 Accepted", ""), broken = Answer("503 Busy", "later");
  struct Case {
    std::vector<std::string> answers;
    absl::StatusCode code;
    std::string said;
  };
  const std::vector<Case> cases = {
      {{gone}, absl::StatusCode::kNotFound, "holds no such group"},
      {{held, broken}, absl::StatusCode::kUnavailable, "HTTP status 503: later"},
      {{held, accepted, broken}, absl::StatusCode::kUnavailable, "HTTP status 503: later"},
      {{held, accepted, held}, absl::StatusCode::kUnavailable, "still lists the group"}};
  for (const Case& c : cases) {
    Script script(c.answers);
    const absl::Status status = DeleteGroup(Group(script), absl::Milliseconds(400)).status();
    EXPECT_EQ(status.code(), c.code) << status;
    EXPECT_TRUE(absl::StrContains(status.message(), c.said)) << status << ", not: " << c.said;
  }
  // It may take the gateway a moment.
  Script script({held, accepted, held, held, gone});
  const auto deleted = DeleteGroup(Group(script), absl::Seconds(20));
  ASSERT_TRUE(deleted.ok()) << deleted.status();
  EXPECT_EQ(*deleted, 6);
  EXPECT_EQ(script.asked().size(), 5u);
  EXPECT_EQ(script.asked()[1], "DELETE /metrics/job/steer_experiment/experiment/e1 HTTP/1.1");
}

TEST(GatewayAnswers, NamesOfLabelsAndUrlsAreChecked) {
  for (const char* name : {"", "1a", "a-b", "a b", "\u00e9"}) {
    const absl::Status status = CheckGroup({"http://g", "j", {{name, "x"}}});
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << name;
    EXPECT_TRUE(absl::StrContains(status.message(), "is not a label name")) << status;
  }
  EXPECT_TRUE(CheckGroup({"HTTPS://g", "j", {{"_a_1", "x"}}}).ok());
  for (const char* url : {"", "http://", "https://", "ftp://g", "g:9091"}) {
    for (const absl::Status& status :
         {CheckGroup({url, "j", {}}), ProbeGateway(url), ProbeMetrics(url)}) {
      EXPECT_EQ(ReasonOf(status), "INVALID_URL") << url;
      EXPECT_TRUE(absl::StrContains(status.message(), "is not an http:// or https:// URL"));
    }
  }
}

TEST(Http, AnErrorIsSaidInOnePrintableLine) {
  Script script({Answer("500 Oops", "bad \x01\xff thing\nsecond line"), Answer("302 Found", ""),
                 Answer("404 Gone", std::string(300, 'x'))});
  HttpRequest request;
  request.url = script.url();
  EXPECT_EQ(Exchange(request).message(), "HTTP status 500: bad ?? thing");
  EXPECT_EQ(Exchange(request).message(), "HTTP status 302");
  EXPECT_EQ(Exchange(request).message(), "HTTP status 404: " + std::string(200, 'x'));
}

TEST(Http, AnAnswerThatHasNoEndIsCutOff) {
  Script script({Answer("200 OK", std::string((size_t{64} << 20) + 1, 'x'))});
  HttpRequest request;
  request.url = script.url();
  request.timeout = absl::Seconds(60);
  const auto fetched = Fetch(request);
  EXPECT_EQ(fetched.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(ReasonOf(fetched.status()), "NO_ANSWER") << fetched.status();
}

TEST(Http, WhatLibcurlCannotAskForHasAReasonInItsWords) {
  for (const char* url :
       {"http://", "http://[", "gopher://127.0.0.1/", "http://127.0.0.1:99999/"}) {
    HttpRequest request;
    request.url = url;
    const absl::Status status = Exchange(request);
    EXPECT_EQ(ReasonOf(status), "NO_ANSWER") << url;
    EXPECT_FALSE(status.message().empty()) << url;
  }
}

// Sets a variable of the environment, and back.
class Variable {
 public:
  Variable(const char* name, const std::string& value) : name_(name) {
    const char* before = getenv(name);
    had_ = before != nullptr;
    if (had_) before_ = before;
    setenv(name, value.c_str(), 1);
  }
  ~Variable() {
    if (had_) {
      setenv(name_, before_.c_str(), 1);
    } else {
      unsetenv(name_);
    }
  }

 private:
  const char* const name_;
  bool had_ = false;
  std::string before_;
};

TEST(Http, AProxyIsAskedUnlessTheHostIsLocalOrNamedAsDirect) {
  Script proxy({Answer("200 OK", "")}), gateway({Answer("200 OK", "")});
  const Variable http_proxy("http_proxy", proxy.url());
  const Variable lower("no_proxy", "");
  HttpRequest request;
  request.url = "http://gateway.invalid/";
  request.timeout = absl::Seconds(10);
  {
    const Variable upper("NO_PROXY", "");
    EXPECT_TRUE(Exchange(request).ok());
    EXPECT_EQ(proxy.asked().back(), "GET http://gateway.invalid/ HTTP/1.1");
    EXPECT_TRUE(ProbeGateway(gateway.url(), absl::Seconds(10)).ok());
    EXPECT_EQ(gateway.asked().back(), "GET /-/ready HTTP/1.1");
  }
  {
    const Variable upper("NO_PROXY", "gateway.invalid");
    EXPECT_EQ(ReasonOf(Exchange(request)), "NO_ANSWER");
  }
  EXPECT_EQ(proxy.asked().size(), 1u);
}

}  // namespace
}  // namespace steer
