// Against a library of our own with NVML's interface: there is no card where tests run.
#include "server/telemetry/gpu_metrics.h"

#include <dlfcn.h>

#include <cstdlib>

#include "common/errors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "prometheus/text_serializer.h"
#include "tests/support/metrics_table.h"

namespace steer {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kCard[] = "0000:01:00.0";

absl::optional<AllocatorBytes> TwoAndThree() { return AllocatorBytes{2, 3}; }

class GpuMetricsTest : public ::testing::Test {
 protected:
  ~GpuMetricsTest() override { unsetenv("STEER_FAKE_NVML"); }
  static void MakeFail(const char* functions) { setenv("STEER_FAKE_NVML", functions, 1); }
  static std::string Page(GpuMetrics::ReadAllocator read = TwoAndThree,
                          const char* library = STEER_FAKE_NVML_LIBRARY) {
    auto metrics = GpuMetrics::Open(library, kCard, std::move(read));
    EXPECT_TRUE(metrics.ok()) << metrics.status();
    return prometheus::TextSerializer().Serialize((*metrics)->Collect());
  }
};

TEST_F(GpuMetricsTest, ReadsTheCardInBaseUnits) {
  const std::string page = Page();
  for (const char* line :
       {"steer_gpu_memory_bytes{kind=\"allocated\"} 2\n",
        "steer_gpu_memory_bytes{kind=\"reserved\"} 3\n",
        "steer_gpu_memory_bytes{kind=\"driver_used\"} 5368709120\n",
        "steer_gpu_memory_bytes{kind=\"driver_total\"} 8589934592\n",
        "steer_gpu_utilization_ratio 0.75\n", "steer_gpu_temperature_celsius 61\n",
        "steer_gpu_power_watts 143.5\n", "steer_gpu_energy_joules_total 7654.321\n",
        "# TYPE steer_gpu_energy_joules_total counter\n",
        "# TYPE steer_gpu_memory_bytes gauge\n"}) {
    EXPECT_THAT(page, HasSubstr(line));
  }
  // One family, or a scraper would see it twice.
  EXPECT_EQ(page.find("# TYPE steer_gpu_memory_bytes"),
            page.rfind("# TYPE steer_gpu_memory_bytes"));
}

TEST_F(GpuMetricsTest, IsDocumented) {
  const MetricsTable documented = DocumentedMetrics({"Server with a card"});
  EXPECT_EQ(Differences(documented, MetricsOfPage(Page())), "");
}

TEST_F(GpuMetricsTest, WhatTheDriverDoesNotTellIsAbsent) {
  MakeFail("power,energy,memory");
  const std::string page = Page([] { return absl::nullopt; });
  EXPECT_THAT(page, Not(HasSubstr("watts")));
  EXPECT_THAT(page, Not(HasSubstr("joules")));
  EXPECT_THAT(page, Not(HasSubstr("memory")));
  EXPECT_THAT(page, HasSubstr("steer_gpu_temperature_celsius 61\n"));
  MakeFail("utilization,temperature");
  const std::string other = Page();
  EXPECT_THAT(other, Not(HasSubstr("utilization")));
  EXPECT_THAT(other, Not(HasSubstr("celsius")));
  EXPECT_THAT(other, HasSubstr("steer_gpu_power_watts 143.5\n"));
}

TEST_F(GpuMetricsTest, AnOldDriversPageHasWhatTheAllocatorTells) {
  const std::string page = Page(TwoAndThree, STEER_FAKE_OLD_NVML_LIBRARY);
  EXPECT_THAT(page, HasSubstr("steer_gpu_memory_bytes{kind=\"reserved\"} 3\n"));
  for (const char* absent : {"kind=\"driver", "utilization", "celsius", "watts", "joules"})
    EXPECT_THAT(page, Not(HasSubstr(absent)));
  EXPECT_EQ(Page(nullptr, STEER_FAKE_OLD_NVML_LIBRARY), "");
}

TEST_F(GpuMetricsTest, SaysWhatIsMissing) {
  const auto no_library = GpuMetrics::Open("libno-such-library.so", kCard, nullptr);
  EXPECT_EQ(ReasonOf(no_library.status()), "NVML_UNAVAILABLE");
  EXPECT_THAT(std::string(no_library.status().message()), HasSubstr("libno-such-library.so"));
  const auto other = GpuMetrics::Open("libc.so.6", kCard, nullptr);
  EXPECT_THAT(std::string(other.status().message()), HasSubstr("is not NVML"));
  const auto no_card = GpuMetrics::Open(STEER_FAKE_NVML_LIBRARY, "0000:02:00.0", nullptr);
  EXPECT_THAT(std::string(no_card.status().message()), HasSubstr("0000:02:00.0 (code 6)"));
  MakeFail("init");
  const auto no_driver = GpuMetrics::Open(STEER_FAKE_NVML_LIBRARY, kCard, nullptr);
  EXPECT_THAT(std::string(no_driver.status().message()), HasSubstr("code 9"));
}

TEST_F(GpuMetricsTest, ClosesWhatItOpened) {
  void* library = dlopen(STEER_FAKE_NVML_LIBRARY, RTLD_NOW);
  ASSERT_NE(library, nullptr) << dlerror();
  const auto sessions = reinterpret_cast<int (*)()>(dlsym(library, "SteerFakeNvmlSessions"));
  {
    auto metrics = GpuMetrics::Open(STEER_FAKE_NVML_LIBRARY, kCard, nullptr);
    ASSERT_TRUE(metrics.ok());
    EXPECT_EQ(sessions(), 1);
  }
  EXPECT_EQ(sessions(), 0);
  (void)GpuMetrics::Open(STEER_FAKE_NVML_LIBRARY, "none", nullptr);
  EXPECT_EQ(sessions(), 0);
  dlclose(library);
}

}  // namespace
}  // namespace steer
