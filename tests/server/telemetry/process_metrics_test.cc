// What cannot be read is absent: a folder of our own stands for /proc.
#include "common/metrics/process_metrics.h"

#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "gmock/gmock.h"

namespace steer {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

class ProcessMetricsTest : public ::testing::Test {
 protected:
  ProcessMetricsTest() {
    std::string pattern = testing::TempDir() + "/steer_proc_XXXXXX";
    folder_ = mkdtemp(pattern.data());
    std::filesystem::create_directories(folder_ + "/self");
  }
  ~ProcessMetricsTest() override { std::filesystem::remove_all(folder_); }
  void Write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ + "/" + name) << text;
  }
  // By name, without the one that is not read from the folder.
  std::map<std::string, double> Read() {
    std::map<std::string, double> values;
    for (const prometheus::MetricFamily& family : ProcessMetrics(folder_).Collect()) {
      const prometheus::ClientMetric& metric = family.metric.at(0);
      values[family.name] = family.type == prometheus::MetricType::Counter ? metric.counter.value
                                                                           : metric.gauge.value;
    }
    EXPECT_EQ(values.erase("process_max_fds"), 1u);
    return values;
  }
  std::string folder_;
};

TEST_F(ProcessMetricsTest, NothingIsKnownWithoutItsFiles) { EXPECT_TRUE(Read().empty()); }

TEST_F(ProcessMetricsTest, AFileThatIsCutOffTellsNothing) {
  Write("self/stat", "12 (name");
  EXPECT_TRUE(Read().empty());
  Write("self/stat", "12 (name) S 1 2 3");
  EXPECT_TRUE(Read().empty());
}

// Fields as proc(5) counts them; the command may hold parentheses and spaces.
TEST_F(ProcessMetricsTest, FieldsAreThoseBehindTheCommand) {
  std::string stat = "12 (a (b) 7 8) S";
  for (int field = 4; field <= 25; ++field) stat += " " + std::to_string(field * 1000);
  Write("self/stat", stat);
  const double tick = static_cast<double>(sysconf(_SC_CLK_TCK));
  const double page = static_cast<double>(sysconf(_SC_PAGESIZE));
  EXPECT_THAT(Read(), ElementsAre(Pair("process_cpu_seconds_total", (14000 + 15000) / tick),
                                  Pair("process_resident_memory_bytes", 24000 * page),
                                  Pair("process_threads", 20000),
                                  Pair("process_virtual_memory_bytes", 23000)));
  Write("stat", "cpu 1 2 3\nbtime 1700000000\nprocesses 9\n");
  EXPECT_EQ(Read()["process_start_time_seconds"], 1700000000 + 22000 / tick);
  Write("stat", "cpu 1 2 3\n");
  EXPECT_EQ(Read().count("process_start_time_seconds"), 0u);
}

TEST_F(ProcessMetricsTest, OpenFilesAreCountedWithoutTheFolderItself) {
  std::filesystem::create_directories(folder_ + "/self/fd");
  for (const char* fd : {"0", "1", "2", "3"}) Write(std::string("self/fd/") + fd, "");
  EXPECT_THAT(Read(), ElementsAre(Pair("process_open_fds", 3)));
}

}  // namespace
}  // namespace steer
