#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/telemetry/gateway.h"
#include "client/telemetry/metrics_text.h"
#include "gtest/gtest.h"
#include "tests/support/loopback.h"
#include "tests/support/pushgateway.h"

namespace steer {
namespace {

GatewayOptions Options(const std::string& url) {
  GatewayOptions options;
  options.timeout = absl::Milliseconds(400);
  options.interval = absl::Milliseconds(20);
  options.group = {url, "steer_experiment", {{"experiment", "e1"}}};
  return options;
}

TEST(MetricsText, EscapesAndSkipsWhatAGatewayWouldRefuse) {
  MetricsText text;
  text.Declare("steer_b", "gauge", "Back\\slash\nline.");
  text.Declare("steer_a", "gauge", "First.");
  text.Declare("steer_empty", "gauge", "No samples.");
  text.Add("steer_b", {{"l", "a\"b\\c\nd"}}, 0.25);
  text.Add("steer_a", {}, 3);
  text.Add("steer_a", {{"x", "y"}}, 0.0 / 0.0);
  text.Add("steer_undeclared", {}, 1);
  EXPECT_EQ(text.Render(),
            "# HELP steer_a First.\n# TYPE steer_a gauge\nsteer_a 3\n"
            "# HELP steer_b Back\\\\slash\\nline.\n# TYPE steer_b "
            "gauge\nsteer_b{l=\"a\\\"b\\\\c\\nd\"} 0.25\n");
}

TEST(MetricsText, HistogramsAreCumulativeAndCountAsManySeries) {
  MetricsText text;
  text.Declare("steer_h_seconds", "histogram", "H.");
  Histogram histogram({0.5, 2});
  for (const double seconds : {0.5, 1.0, 1.5, 7.0}) histogram.Observe(seconds);
  text.Add("steer_h_seconds", {{"stage", "test"}}, histogram);
  EXPECT_EQ(text.series(), 5);
  const std::string page = text.Render();
  for (const char* line :
       {"# TYPE steer_h_seconds histogram\n", "steer_h_seconds_count{stage=\"test\"} 4\n",
        "steer_h_seconds_sum{stage=\"test\"} 10\n",
        "steer_h_seconds_bucket{stage=\"test\",le=\"0.5\"} 1\n",
        "steer_h_seconds_bucket{stage=\"test\",le=\"2\"} 3\n",
        "steer_h_seconds_bucket{stage=\"test\",le=\"+Inf\"} 4\n"}) {
    EXPECT_TRUE(absl::StrContains(page, line)) << line << page;
  }
  ASSERT_EQ(text.Families().size(), 1u);
}

TEST(MetricsText, AHistogramThatAGatewayWouldRefuseIsLeftOut) {
  MetricsText text;
  text.Declare("steer_h_seconds", "histogram", "H.");
  Histogram infinite({1}), plain({1});
  infinite.Observe(1.0 / 0.0);
  plain.Observe(0.5);
  text.Add("steer_h_seconds", {}, infinite);
  text.Add("steer_undeclared", {}, plain);
  EXPECT_EQ(text.Render(), "");
  EXPECT_EQ(text.series(), 0);
}

TEST(Histogram, WithoutBoundsHasOneBucket) {
  Histogram histogram;
  histogram.Observe(3);
  histogram.Observe(4);
  EXPECT_EQ(histogram.counts(), std::vector<int64_t>{2});
  EXPECT_EQ(histogram.sum(), 7);
}

TEST(GroupUrl, EncodesWhatAPathCannotCarry) {
  EXPECT_EQ(GroupUrl({"http://g:9091/", "j", {{"a", "plain-1.2_x"}}}),
            "http://g:9091/metrics/job/j/a/plain-1.2_x");
  EXPECT_EQ(GroupUrl({"http://g", "j", {{"a", "org/model"}}}),
            "http://g/metrics/job/j/a@base64/b3JnL21vZGVs");
  EXPECT_EQ(GroupUrl({"http://g", "a b", {{"a", ""}}}),
            "http://g/metrics/job@base64/YSBi/a@base64/=");
  EXPECT_EQ(GroupUrl({"http://g", "..", {}}), "http://g/metrics/job@base64/Li4");
}

TEST(ShownUrl, LeavesNameAndPasswordOut) {
  EXPECT_EQ(ShownUrl("http://me:secret@g:9091/p"), "http://g:9091/p");
  EXPECT_EQ(ShownUrl("http://g/p@q"), "http://g/p@q");
  EXPECT_EQ(ShownUrl("me:secret@g"), "g");
}

TEST(Gateway, RefusesWhatIsNoUrlOrLabel) {
  EXPECT_FALSE(GatewayPusher::Start(Options("gateway:9091")).ok());
  EXPECT_FALSE(GatewayPusher::Start(Options("file:///etc/passwd")).ok());
  GatewayOptions options = Options("http://g");
  options.group.labels = {{"1bad", "x"}};
  EXPECT_FALSE(GatewayPusher::Start(options).ok());
}

TEST(Gateway, PutsTheNewestSnapshot) {
  Answerer listener("200 OK");
  auto pusher = *GatewayPusher::Start(Options(listener.url()));
  for (int i = 0; i < 500; ++i) pusher->Publish(absl::StrCat("steer_x ", i, "\n"));
  pusher->Close();
  EXPECT_GE(pusher->counts().pushed, 1);
  EXPECT_LT(pusher->counts().pushed, 100);  // a slot, not a queue
  EXPECT_EQ(pusher->counts().failed, 0);
  int64_t timed = 0;
  const PushCounts counts = pusher->counts();
  for (const int64_t count : counts.seconds.counts()) timed += count;
  EXPECT_EQ(timed, counts.pushed);
  const std::string last = listener.requests().back();
  EXPECT_TRUE(
      absl::StartsWith(last, "PUT /metrics/job/steer_experiment/experiment/e1 HTTP/1.1\r\n"))
      << last;
  EXPECT_TRUE(absl::EndsWith(last, "\r\n\r\nsteer_x 499\n")) << last;
  pusher->Publish("late");  // harmless after the end
}

TEST(Gateway, WithNothingNewToSayItEndsAtOnce) {
  Answerer listener("200 OK");
  auto pusher = *GatewayPusher::Start(Options(listener.url()));
  absl::SleepFor(absl::Milliseconds(50));  // waits for a first snapshot
  pusher->Publish("steer_x 1\n");
  for (int i = 0; i < 1000 && pusher->counts().pushed == 0; ++i)
    absl::SleepFor(absl::Milliseconds(10));
  absl::SleepFor(absl::Milliseconds(100));  // and for a second one, which never comes
  pusher->Close();
  EXPECT_EQ(pusher->counts().pushed, 1);
  EXPECT_EQ(pusher->counts().failed, 0);
  EXPECT_EQ(listener.requests().size(), 1u);
}

TEST(Gateway, ErrorAnswersAreCountedAsFailures) {
  for (const char* answer :
       {"400 Bad Request", "500 Oops", "302 Found\r\nLocation: http://127.0.0.1:1/"}) {
    Answerer listener(answer);
    auto pusher = *GatewayPusher::Start(Options(listener.url()));
    pusher->Publish("steer_x 1\n");
    pusher->Close();
    EXPECT_EQ(pusher->counts().pushed, 0) << answer;
    EXPECT_EQ(pusher->counts().failed, 1) << answer;
    EXPECT_FALSE(pusher->counts().last_error.empty());
  }
}

TEST(Gateway, ASilentOneCostsATimeoutAndNoPublishWaits) {
  Answerer listener("");
  auto pusher = *GatewayPusher::Start(Options(listener.url()));
  absl::Time start = absl::Now();
  for (int i = 0; i < 1000; ++i) pusher->Publish("steer_x 1\n");
  EXPECT_LT(absl::Now() - start, absl::Seconds(1));
  absl::SleepFor(absl::Milliseconds(100));
  pusher->Publish("steer_x 2\n");  // while the first is under way, which ends it
  start = absl::Now();
  pusher->Close();
  EXPECT_LT(absl::Now() - start, absl::Seconds(5));
  EXPECT_GE(pusher->counts().failed, 1);
}

TEST(Gateway, ARefusedConnectionIsCounted) {
  auto pusher = *GatewayPusher::Start(Options("http://127.0.0.1:1"));
  pusher->Publish("steer_x 1\n");
  pusher->Close();
  EXPECT_EQ(pusher->counts().failed, 1);
  EXPECT_FALSE(ProbeGateway("http://127.0.0.1:1").ok());
}

TEST(GatewayGroup, AnswersThatAreNoPushgatewaysAreErrors) {
  Answerer other("200 OK");
  const GatewayGroup group = Options(other.url()).group;
  EXPECT_TRUE(absl::IsUnavailable(SeriesOfGroup(group).status()));
  EXPECT_TRUE(absl::IsUnavailable(DeleteGroup(group).status()));
  Answerer broken("500 Oops");
  const absl::Status refused = DeleteGroup(Options(broken.url()).group).status();
  EXPECT_TRUE(absl::StrContains(refused.message(), "500")) << refused;
  EXPECT_EQ(broken.requests().size(), 1u);  // nothing is deleted blindly
}

// The real thing, where it is installed.
class RealGateway : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!Pushgateway::Installed()) GTEST_SKIP() << "prometheus-pushgateway is not installed";
    gateway_.emplace();
    ASSERT_TRUE(gateway_->up());
  }
  GatewayOptions For(const std::string& experiment) {
    GatewayOptions options = Options(gateway_->url());
    options.timeout = absl::Seconds(20);
    options.group.labels = {{"experiment", experiment}};
    return options;
  }
  absl::optional<Pushgateway> gateway_;
};

std::string OneSample(double value) {
  MetricsText text;
  text.Declare("steer_experiment_refusal_ratio", "gauge", "Refused over measured test prompts.");
  text.Add("steer_experiment_refusal_ratio", {{"arm", "ablate/harmful"}}, value);
  return text.Render();
}

TEST_F(RealGateway, NamesRoundTripExactlyAndOnlyTheirGroupIsDeleted) {
  const std::vector<std::string> names = {
      "plain-1.2_x", "org/model name", "org/arm/name",           "a//b",  "/",          "..",
      ".",           " leading",       "\u00fc\u4e2d\U0001f600", "a%2Fb", "a+b&c=d?#;", "\"\\\"",
      "=",           "tab\there"};
  double value = 0;
  for (const std::string& name : names) {
    auto pusher = *GatewayPusher::Start(For(name));
    pusher->Publish(OneSample(++value));
    pusher->Close();
    EXPECT_EQ(pusher->counts().pushed, 1) << name << ": " << pusher->counts().last_error;
  }
  for (size_t i = 0; i < names.size(); ++i) {
    const GatewayGroup group = For(names[i]).group;
    const auto held = SeriesOfGroup(group, absl::Seconds(20));
    ASSERT_TRUE(held.ok()) << held.status();
    // The group that the gateway lists has this name, byte for byte.
    EXPECT_EQ(*held, absl::make_optional<int64_t>(1)) << names[i];
    const auto deleted = DeleteGroup(group, absl::Seconds(20));
    ASSERT_TRUE(deleted.ok()) << names[i] << ": " << deleted.status();
    EXPECT_EQ(*deleted, 1);
    EXPECT_TRUE(absl::IsNotFound(DeleteGroup(group, absl::Seconds(20)).status())) << names[i];
    if (i + 1 < names.size()) {
      EXPECT_TRUE((*SeriesOfGroup(For(names[i + 1]).group, absl::Seconds(20))).has_value());
    }
  }
}

TEST_F(RealGateway, APushReplacesTheGroupAndARefusedOneSaysWhy) {
  const GatewayOptions options = For("org/model");
  ASSERT_TRUE(PutGroup(options.group, OneSample(1) + "steer_gone 1\n", absl::Seconds(20)).ok());
  EXPECT_EQ(**SeriesOfGroup(options.group, absl::Seconds(20)), 2);
  ASSERT_TRUE(PutGroup(options.group, OneSample(2), absl::Seconds(20)).ok());
  EXPECT_EQ(**SeriesOfGroup(options.group, absl::Seconds(20)), 1);
  EXPECT_TRUE(ProbeMetrics(gateway_->url() + "/metrics", absl::Seconds(20)).ok());
  auto bad = *GatewayPusher::Start(options);
  bad->Publish("this is no metric\n");
  bad->Close();
  EXPECT_EQ(bad->counts().failed, 1);
  EXPECT_TRUE(absl::StrContains(bad->counts().last_error, "400: "));
}

}  // namespace
}  // namespace steer
