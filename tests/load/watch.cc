#include "tests/load/watch.h"

#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace steer {
namespace {

int EntriesOf(const std::string& folder) {
  std::error_code error;
  int count = 0;
  for (std::filesystem::directory_iterator it(folder, error), end; !error && it != end;
       it.increment(error))
    ++count;
  return count;
}

}  // namespace

int64_t ResidentBytes(pid_t pid) {
  std::ifstream file(absl::StrCat("/proc/", pid, "/statm"));
  int64_t size = 0, resident = 0;
  file >> size >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

int Descriptors(pid_t pid) { return EntriesOf(absl::StrCat("/proc/", pid, "/fd")); }

int Threads(pid_t pid) { return EntriesOf(absl::StrCat("/proc/", pid, "/task")); }

double SlopeOf(const std::vector<Sample>& samples) {
  if (samples.size() < 2) return 0;
  const double n = static_cast<double>(samples.size());
  double x = 0, y = 0, xx = 0, xy = 0;
  for (const Sample& s : samples) x += s.seconds / n, y += s.value / n;
  for (const Sample& s : samples) {
    xx += (s.seconds - x) * (s.seconds - x);
    xy += (s.seconds - x) * (s.value - y);
  }
  return xx > 0 ? xy / xx : 0;
}

double Quantile(std::vector<double> values, double share) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return values[std::min(values.size() - 1,
                         static_cast<size_t>(share * static_cast<double>(values.size())))];
}

Watch::Watch(std::function<double()> measure, absl::Duration period)
    : measure_(std::move(measure)),
      period_(period),
      begin_(absl::Now()),
      thread_([this] { Run(); }) {}

Watch::~Watch() {
  {
    absl::MutexLock lock(&mutex_);
    ended_ = true;
  }
  thread_.join();
}

void Watch::Run() {
  while (true) {
    const double value = measure_();
    absl::MutexLock lock(&mutex_);
    samples_.push_back({seconds(), value});
    if (mutex_.AwaitWithTimeout(absl::Condition(&ended_), period_)) return;
  }
}

double Watch::seconds() const { return absl::ToDoubleSeconds(absl::Now() - begin_); }

std::vector<Sample> Watch::samples(double since) const {
  absl::MutexLock lock(&mutex_);
  std::vector<Sample> later;
  for (const Sample& sample : samples_) {
    if (sample.seconds >= since) later.push_back(sample);
  }
  return later;
}

double Watch::Largest(double since) const {
  double largest = 0;
  for (const Sample& sample : samples(since)) largest = std::max(largest, sample.value);
  return largest;
}

int64_t FromEnvironment(const char* name, int64_t otherwise) {
  const char* text = getenv(name);
  int64_t value = 0;
  return text != nullptr && absl::SimpleAtoi(text, &value) ? value : otherwise;
}

}  // namespace steer
