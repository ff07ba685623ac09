// A library with the plugin's interface, for cuda_runtime_test.cc, which also lets it stand for
// libtorch_cuda.so. STEER_FAKE_CUDA: "no device" and "no address" make the functions fail.
#include <cstdlib>
#include <cstring>

#include "server/cuda/plugin.h"

namespace {

bool Fails(const char* how) {
  const char* wanted = std::getenv("STEER_FAKE_CUDA");
  return wanted != nullptr && std::strcmp(wanted, how) == 0;
}

int Answer(const char* answer, bool fails, char* text, size_t size) {
  std::strncpy(text, answer, size - 1);
  return fails ? 1 : 0;
}

}  // namespace

extern "C" {

int SteerCudaDescribe(char* text, size_t size) {
  const bool fails = Fails("no device");
  return Answer(fails ? "no CUDA device is seen" : "a card of paper", fails, text, size);
}
size_t SteerCudaMemory() { return size_t{8} << 30; }
int SteerCudaBusId(char* text, size_t size) {
  return Answer("0000:01:00.0", Fails("no address"), text, size);
}

}  // extern "C"
