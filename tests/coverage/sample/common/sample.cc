#include "common/sample.h"

int Classify(int a, int b) {
  SAMPLE_CHECK(a != 7);
  SAMPLE_CHECK(b != 7);
  if (a > 0 && b > 100) {
    return 1;
  }
  if constexpr (sizeof(int) == 1) {
    return 3;
  }
  while (true) {
    if (b >= 0) return 0;
    ++b;
  }
}
