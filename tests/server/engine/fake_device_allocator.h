// Stands for libtorch's allocator of a CUDA device, which allocates nothing: there is no card where
// tests run. In place while it lives.
#ifndef STEER_TESTS_SERVER_ENGINE_FAKE_DEVICE_ALLOCATOR_H_
#define STEER_TESTS_SERVER_ENGINE_FAKE_DEVICE_ALLOCATOR_H_

#include <c10/core/CachingDeviceAllocator.h>

#include <cstdint>
#include <new>

namespace steer {

class FakeDeviceAllocator final : public c10::DeviceAllocator {
 public:
  static constexpr int64_t kAllocated = 1000;
  static constexpr int64_t kReserved = 4000;

  FakeDeviceAllocator() { c10::SetAllocator(c10::DeviceType::CUDA, this); }
  ~FakeDeviceAllocator() override { c10::SetAllocator(c10::DeviceType::CUDA, nullptr); }
  int emptied() const { return emptied_; }

  c10::DataPtr allocate(size_t) override { throw std::bad_alloc(); }
  void copy_data(void*, const void*, std::size_t) const override {}
  bool initialized() override { return true; }
  void emptyCache(c10::MempoolId_t) override { ++emptied_; }
  void recordStream(const c10::DataPtr&, c10::Stream) override {}
  c10::CachingDeviceAllocator::DeviceStats getDeviceStats(c10::DeviceIndex) override {
    constexpr auto kAll = static_cast<size_t>(c10::CachingAllocator::StatType::AGGREGATE);
    c10::CachingDeviceAllocator::DeviceStats stats;
    stats.allocated_bytes[kAll].current = kAllocated;
    stats.reserved_bytes[kAll].current = kReserved;
    return stats;
  }
  void resetAccumulatedStats(c10::DeviceIndex) override {}
  void resetPeakStats(c10::DeviceIndex) override {}

 private:
  int emptied_ = 0;
};

}  // namespace steer

#endif  // STEER_TESTS_SERVER_ENGINE_FAKE_DEVICE_ALLOCATOR_H_
