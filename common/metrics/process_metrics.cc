#include "common/metrics/process_metrics.h"

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

namespace steer {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

MetricFamily One(const char* name, const char* help, MetricType type, double value) {
  MetricFamily family;
  family.name = name;
  family.help = help;
  family.type = type;
  ClientMetric metric;
  if (type == MetricType::Counter) {
    metric.counter.value = value;
  } else {
    metric.gauge.value = value;
  }
  family.metric.push_back(std::move(metric));
  return family;
}

std::string Slurp(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// Fields of /proc/self/stat after the parenthesised command (which may hold spaces): [0] is the
// third of proc(5), so proc(5)'s field n is [n - 3].
std::vector<std::string> StatFields(const std::string& proc) {
  const std::string text = Slurp(proc + "/self/stat");
  const size_t close = text.rfind(')');
  std::vector<std::string> fields;
  if (close == std::string::npos) return fields;
  std::istringstream rest(text.substr(close + 1));
  for (std::string field; rest >> field;) fields.push_back(field);
  return fields;
}

double BootTime(const std::string& proc) {
  std::istringstream lines(Slurp(proc + "/stat"));
  for (std::string line; std::getline(lines, line);) {
    if (line.rfind("btime ", 0) == 0) return std::atof(line.c_str() + 6);
  }
  return 0;
}

int OpenFiles(const std::string& proc) {
  DIR* folder = opendir((proc + "/self/fd").c_str());
  if (folder == nullptr) return -1;
  int count = 0;
  while (const dirent* entry = readdir(folder)) {
    if (entry->d_name[0] != '.') ++count;
  }
  closedir(folder);
  return count - 1;  // the folder itself is open while we count
}

}  // namespace

std::vector<MetricFamily> ProcessMetrics::Collect() const {
  std::vector<MetricFamily> out;
  const double tick = static_cast<double>(sysconf(_SC_CLK_TCK));
  const std::vector<std::string> stat = StatFields(proc_);
  if (stat.size() > 21) {
    const double cpu = (std::atof(stat[11].c_str()) + std::atof(stat[12].c_str())) / tick;
    out.push_back(
        One("process_cpu_seconds_total", "User and system CPU time.", MetricType::Counter, cpu));
    out.push_back(One("process_resident_memory_bytes", "Resident memory.", MetricType::Gauge,
                      std::atof(stat[21].c_str()) * static_cast<double>(sysconf(_SC_PAGESIZE))));
    out.push_back(One("process_virtual_memory_bytes", "Virtual memory.", MetricType::Gauge,
                      std::atof(stat[20].c_str())));
    out.push_back(
        One("process_threads", "Threads.", MetricType::Gauge, std::atof(stat[17].c_str())));
    if (const double boot = BootTime(proc_); boot > 0) {
      out.push_back(One("process_start_time_seconds", "Unix time of the start.", MetricType::Gauge,
                        boot + std::atof(stat[19].c_str()) / tick));
    }
  }
  if (const int files = OpenFiles(proc_); files >= 0) {
    out.push_back(One("process_open_fds", "Open file descriptors.", MetricType::Gauge, files));
  }
  // Never "unlimited": Linux allows no more than fs.nr_open.
  rlimit limit = {};
  getrlimit(RLIMIT_NOFILE, &limit);
  out.push_back(One("process_max_fds", "Most file descriptors that may be open.", MetricType::Gauge,
                    static_cast<double>(limit.rlim_cur)));
  return out;
}

}  // namespace steer
