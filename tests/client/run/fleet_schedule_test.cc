#include "client/run/fleet_schedule.h"

#include "gtest/gtest.h"

namespace steer {
namespace {

const absl::Time kStart = absl::FromUnixSeconds(1000000);
constexpr absl::Duration kMove = absl::Seconds(30);
constexpr absl::Duration kPatience = absl::Minutes(10);

absl::Time At(double seconds) { return kStart + absl::Seconds(seconds); }
absl::Status Away() { return absl::UnavailableError("away"); }

// Two servers, both up with the numbers "x" unless a test says otherwise.
class Schedule : public ::testing::Test {
 protected:
  void BothUp(const std::string& first = "x", const std::string& second = "x") {
    schedule_.Up(0, first);
    schedule_.Up(1, second);
  }
  // The index of the seed that a server takes; -1 for none.
  int Take(int server) {
    auto task = schedule_.Take(server);
    return task ? static_cast<int>(task->seed) : -1;
  }
  FleetSchedule schedule_{2, kMove, kPatience};
};

TEST_F(Schedule, LifeOfAServerWithoutASeedIsTheServersAlone) {
  schedule_.AddSeed(5, "");
  BothUp();
  schedule_.Progress(0);
  EXPECT_EQ(Take(0), 0);
}

TEST_F(Schedule, EachServerTakesTheNextSeed) {
  for (uint64_t seed : {5, 6, 7}) schedule_.AddSeed(seed, "");
  BothUp();
  EXPECT_EQ(Take(0), 0);
  EXPECT_EQ(Take(1), 1);
  schedule_.Finish(1);
  EXPECT_EQ(Take(1), 2);
  schedule_.Finish(0);
  EXPECT_EQ(Take(0), -1);
  EXPECT_FALSE(schedule_.finished());
  schedule_.Finish(1);
  EXPECT_TRUE(schedule_.finished());
}

TEST_F(Schedule, ABegunSeedGoesToItsNumbers) {
  schedule_.AddSeed(0, "y");
  schedule_.AddSeed(1, "");
  schedule_.AddSeed(2, "x");
  BothUp("x", "y");
  EXPECT_EQ(Take(0), 2) << "begun with its numbers comes before not begun";
  auto task = schedule_.Take(1);
  ASSERT_TRUE(task);
  EXPECT_EQ(task->seed, 0u);
  EXPECT_FALSE(task->anew);
}

TEST_F(Schedule, WhatWasMeasuredIsDroppedOnlyIfNobodyCanGoOnWithIt) {
  schedule_.AddSeed(0, "y");
  schedule_.Up(0, "x");
  EXPECT_EQ(Take(0), -1) << "the other server was not heard of yet";
  schedule_.Up(1, "y");
  EXPECT_EQ(Take(0), -1) << "the other server has its numbers";
  EXPECT_FALSE(schedule_.Silent(1, At(0), Away()));
  EXPECT_EQ(Take(0), -1) << "it may only be restarting";
  EXPECT_FALSE(schedule_.Silent(1, At(29), Away()));
  EXPECT_TRUE(schedule_.Silent(1, At(30), Away()));
  EXPECT_FALSE(schedule_.Silent(1, At(31), Away())) << "said once";
  auto task = schedule_.Take(0);
  ASSERT_TRUE(task);
  EXPECT_TRUE(task->anew);
}

TEST_F(Schedule, ASeedWaitsForAnEqualServerThatIsBusy) {
  schedule_.AddSeed(0, "");
  schedule_.AddSeed(1, "");
  FleetSchedule three(3, kMove, kPatience);
  for (int s = 0; s < 3; ++s) three.AddSeed(s, "");
  three.Up(0, "x");
  three.Up(1, "x");
  three.Up(2, "y");
  for (int s = 0; s < 3; ++s) ASSERT_TRUE(three.Take(s));
  three.Lose(0, At(0), Away(), "x");
  three.Finish(2);
  EXPECT_FALSE(three.Take(2)) << "server 1 will have time for it";
  three.Finish(1);
  auto task = three.Take(1);
  ASSERT_TRUE(task);
  EXPECT_EQ(task->seed, 0u);
  EXPECT_EQ(task->from, 0);
  EXPECT_FALSE(task->anew);
}

TEST_F(Schedule, ASeedThatServersAreLostOverLetsOthersGoFirst) {
  schedule_.AddSeed(0, "");
  schedule_.AddSeed(1, "");
  BothUp();
  ASSERT_EQ(Take(0), 0);
  schedule_.Lose(0, At(0), Away(), "");
  EXPECT_EQ(Take(1), 1);
  schedule_.Finish(1);
  EXPECT_EQ(Take(1), 0);
}

TEST_F(Schedule, NoHopeOnceEveryServerWasSilentForThePatience) {
  schedule_.AddSeed(0, "");
  BothUp();
  ASSERT_EQ(Take(0), 0);
  schedule_.Progress(0);
  schedule_.Lose(0, At(0), Away(), "x");  // its call has waited 30 s by then
  EXPECT_TRUE(schedule_.Hope(At(5000)).ok()) << "the other one is there";
  schedule_.Silent(1, At(100), Away());
  schedule_.Silent(1, At(130), absl::UnavailableError("the last"));
  EXPECT_TRUE(schedule_.Hope(At(100 + 599)).ok());
  absl::Status none = schedule_.Hope(At(100 + 600));
  EXPECT_EQ(none.code(), absl::StatusCode::kUnavailable);
  EXPECT_NE(none.message().find("the last"), absl::string_view::npos) << none;
  schedule_.Up(0, "x");
  EXPECT_TRUE(schedule_.Hope(At(100 + 600)).ok()) << "it is back";
}

// A server that answers GetModel and fails at every seed must not keep a run going for ever.
TEST_F(Schedule, AnswersWithoutWorkAreNoLife) {
  schedule_.AddSeed(0, "");
  BothUp();
  schedule_.Out(1, absl::PermissionDeniedError("no"));
  double now = 0;
  int tries = 0;
  for (; schedule_.Hope(At(now)).ok() && tries < 1000; ++tries, now += 40) {
    schedule_.Up(0, "x");
    ASSERT_EQ(Take(0), 0);
    schedule_.Lose(0, At(now), Away(), "");
  }
  EXPECT_GE(now, 600);
  EXPECT_LE(now, 800) << tries;
}

TEST_F(Schedule, WorkIsLifeHoweverOftenAServerIsLost) {
  schedule_.AddSeed(0, "");
  BothUp();
  schedule_.Out(1, absl::PermissionDeniedError("no"));
  for (int i = 0; i < 100; ++i) {
    schedule_.Up(0, "x");
    ASSERT_EQ(Take(0), 0);
    schedule_.Progress(0);
    schedule_.Lose(0, At(40 * i), Away(), "x");
    ASSERT_TRUE(schedule_.Hope(At(40 * i)).ok()) << i;
  }
}

TEST_F(Schedule, WithEveryServerOutTheErrorIsTheirs) {
  schedule_.AddSeed(0, "");
  schedule_.Out(0, absl::PermissionDeniedError("no"));
  EXPECT_TRUE(schedule_.Hope(At(0)).ok());
  schedule_.Out(1, absl::PermissionDeniedError("no"));
  EXPECT_EQ(schedule_.Hope(At(0)).code(), absl::StatusCode::kPermissionDenied);
}

}  // namespace
}  // namespace steer
