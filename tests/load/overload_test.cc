// Ten times as many calls as the server can do, at a steady rate that no refusal slows down. What it can do is measured first, by callers
// that wait for each reply. Bounds hold in the short form too; that as much is done as before is asked of the long one alone
// (STEER_OVERLOAD_SECONDS=600), since a machine that does something else besides is no measure.
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <map>
#include <memory>
#include <thread>
#include <vector>

#include <gmock/gmock.h>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "client/api/channel.h"
#include "client/api/client.h"
#include "client/api/status.h"
#include "common/errors.h"
#include "steer/v1/steer_service.grpc.pb.h"
#include "tests/integration/scenario.h"
#include "tests/load/watch.h"

namespace steer {
namespace {

constexpr int kSlots = 32;    // --max-concurrent-calls
constexpr int kWaiting = 12;  // --queue-calls
constexpr int kRows = 16;     // of a call

// How calls ended.
class Tally {
 public:
  void Add(const absl::Status& status, absl::Duration took) {
    absl::MutexLock lock(&mutex_);
    ++ends_[absl::StrCat(absl::StatusCodeToString(status.code()), " ", ReasonOf(status))];
    if (status.ok()) ++done_;
    if (status.code() == absl::StatusCode::kResourceExhausted) {
      refusals_.push_back(absl::ToDoubleSeconds(took));
      if (!RetryDelayOf(status)) ++without_delay_;
    }
  }
  int64_t done() const {
    absl::MutexLock lock(&mutex_);
    return done_;
  }
  int64_t without_delay() const {
    absl::MutexLock lock(&mutex_);
    return without_delay_;
  }
  std::map<std::string, int64_t> ends() const {
    absl::MutexLock lock(&mutex_);
    return ends_;
  }
  // Seconds from a call to its refusal.
  std::vector<double> refusals() const {
    absl::MutexLock lock(&mutex_);
    return refusals_;
  }

 private:
  mutable absl::Mutex mutex_;
  std::map<std::string, int64_t> ends_ ABSL_GUARDED_BY(mutex_);
  std::vector<double> refusals_ ABSL_GUARDED_BY(mutex_);
  int64_t done_ ABSL_GUARDED_BY(mutex_) = 0, without_delay_ ABSL_GUARDED_BY(mutex_) = 0;
};

// One call that nobody waits for.
class OpenCall final : public grpc::ClientReadReactor<v1::EvaluateResponse> {
 public:
  OpenCall(v1::SteerService::Stub* stub, v1::EvaluateRequest request, Tally* tally,
           std::atomic<int>* open)
      : request_(std::move(request)), tally_(tally), open_(open) {
    ++*open_;
    context_.set_deadline(absl::ToChronoTime(absl::Now() + absl::Minutes(2)));
    stub->async()->Evaluate(&context_, &request_, this);
    StartRead(&message_);
    StartCall();
  }
  void OnReadDone(bool ok) override {
    if (ok) StartRead(&message_);
  }
  void OnDone(const grpc::Status& status) override {
    tally_->Add(FromGrpc(status), absl::Now() - begin_);
    std::atomic<int>* open = open_;
    delete this;
    --*open;
  }

 private:
  const absl::Time begin_ = absl::Now();
  const v1::EvaluateRequest request_;
  Tally* const tally_;
  std::atomic<int>* const open_;
  grpc::ClientContext context_;
  v1::EvaluateResponse message_;
};

class Overload : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(
        scenario_.StartServer({}, {"--threads", "1", "--decode-rows", "8", "--max-concurrent-calls",
                                   absl::StrCat(kSlots), "--queue-calls", absl::StrCat(kWaiting)}))
        << scenario_.server_log();
    ChannelOptions channel;
    channel.server = scenario_.address();
    stub_ = v1::SteerService::NewStub(*OpenChannel(channel));
    grpc::ClientContext context;
    context.set_wait_for_ready(true);
    ASSERT_TRUE(stub_->GetModel(&context, {}, &model_).ok());
  }
  // A call of some tenths of a second, so that its sender is no load beside it.
  v1::EvaluateRequest Request() const {
    v1::EvaluateRequest request;
    request.set_request_id(NewRequestId());
    request.set_expected_model_fingerprint(model_.model_fingerprint());
    request.set_purpose(v1::PURPOSE_EXPLORE);
    request.set_readout("post-1");
    request.set_decode_full_window(true);
    request.mutable_decoding()->set_max_new_tokens(48);
    v1::Arm* arm = request.add_arms();
    arm->set_name("baseline");
    for (int i = 0; i < kRows; ++i) {
      request.add_prompts()->set_user(absl::StrCat("Explain round ladrel ", i));
      arm->add_prompts(i);
    }
    return request;
  }
  absl::Status Once() {
    grpc::ClientContext context;
    auto reader = stub_->Evaluate(&context, Request());
    for (v1::EvaluateResponse message; reader->Read(&message);) continue;
    return FromGrpc(reader->Finish());
  }
  // Calls a second that `callers` get done, each waiting for its reply.
  double Closed(int callers, absl::Duration length) {
    std::atomic<int64_t> done{0};
    const absl::Time begin = absl::Now();
    std::vector<std::thread> threads;
    for (int i = 0; i < callers; ++i) {
      threads.emplace_back([&] {
        while (absl::Now() - begin < length) {
          const absl::Status status = Once();
          EXPECT_TRUE(status.ok()) << status;
          ++done;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    return static_cast<double>(done) / absl::ToDoubleSeconds(absl::Now() - begin);
  }

  Scenario scenario_{"default"};
  std::unique_ptr<v1::SteerService::Stub> stub_;
  v1::GetModelResponse model_;
};

TEST_F(Overload, TenTimesCapacity) {
  const absl::Duration length = absl::Seconds(FromEnvironment("STEER_OVERLOAD_SECONDS", 6));
  const bool whole = length >= absl::Minutes(1);
  const auto measure = [&] {
    double best = 0;
    for (const int callers : {2, 4, 8})
      best = std::max(best, Closed(callers, whole ? absl::Seconds(20) : absl::Seconds(1)));
    return best;
  };
  const double peak = measure();
  ASSERT_GT(peak, 0);

  const pid_t server = scenario_.server().pid();
  Tally tally;
  std::atomic<int> open{0};
  Watch memory([server] { return static_cast<double>(ResidentBytes(server)); },
               absl::Milliseconds(200));
  Watch calls([this] { return scenario_.Metric("steer_requests_in_flight{method=\"Evaluate\"}"); },
              absl::Milliseconds(500));
  Watch rows([this] { return scenario_.Metric("steer_rows_waiting"); }, absl::Milliseconds(500));
  const absl::Duration gap = absl::Seconds(0.1 / peak);
  const absl::Time begin = absl::Now();
  int64_t sent = 0, done_warm = 0;
  double warm = 0;
  for (absl::Time next = begin; next - begin < length; next += gap) {
    absl::SleepFor(next - absl::Now());
    // A tenth of the time is warm-up.
    if (warm == 0 && next - begin > length / 10) {
      warm = memory.seconds();
      done_warm = tally.done();
    }
    new OpenCall(stub_.get(), Request(), &tally, &open);
    ++sent;
  }
  const double seconds = memory.seconds() - warm;
  const double goodput = static_cast<double>(tally.done() - done_warm) / seconds;
  const double rate = static_cast<double>(sent) / absl::ToDoubleSeconds(absl::Now() - begin);
  const auto resident = memory.samples(warm);
  const absl::Time limit = absl::Now() + absl::Minutes(2);
  while (open > 0 && absl::Now() < limit) absl::SleepFor(absl::Milliseconds(50));
  EXPECT_EQ(open, 0) << "calls that never ended";

  // A machine that has got slower meanwhile shows in this.
  const double peak_after = whole ? measure() : peak;

  ASSERT_GE(resident.size(), 2u);
  const double first = resident.front().value, largest = memory.Largest(warm);
  std::string ends;
  for (const auto& [end, count] : tally.ends())
    absl::StrAppend(&ends, "  ", end, ": ", count, "\n");
  std::printf(
      "overload: peak %.2f calls/s, afterwards %.2f; sent %.1f/s for %.0f s; goodput %.2f/s (%.1f "
      "%%); refused in %.1f ms (p50), %.1f ms (p99); "
      "memory %.1f MB, at most %+.2f %%; at most %.0f calls at once\n%s",
      peak, peak_after, rate, absl::ToDoubleSeconds(length), goodput, 100 * goodput / peak,
      1e3 * Quantile(tally.refusals(), 0.5), 1e3 * Quantile(tally.refusals(), 0.99), first / 1e6,
      100 * (largest / first - 1), calls.Largest(), ends.c_str());

  for (const auto& [end, count] : tally.ends()) {
    EXPECT_THAT(end, testing::AnyOf("OK ", "RESOURCE_EXHAUSTED TOO_MANY_CALLS",
                                    "RESOURCE_EXHAUSTED LANE_FULL"));
  }
  EXPECT_GT(tally.refusals().size(), static_cast<size_t>(sent / 2));
  EXPECT_EQ(tally.without_delay(), 0);
  // Those that are being refused are counted as well, and a connection takes 64 more of them.
  EXPECT_LE(calls.Largest(), kSlots + 64);
  EXPECT_LE(rows.Largest(), kSlots * kRows);
  EXPECT_LT(largest, 1.05 * first);
  EXPECT_GT(tally.done(), 0);
  if (whole) {
    EXPECT_GE(goodput, 0.9 * std::min(peak, peak_after));
  }
  // And then it is as if nothing had been.
  EXPECT_EQ(scenario_.Metric("steer_ready"), 1);
  const absl::Status status = Once();
  EXPECT_TRUE(status.ok()) << status;
}

}  // namespace
}  // namespace steer
