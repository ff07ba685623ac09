// One loop compiled for several generations of x86-64 and chosen at start, where the compiler can.
#ifndef STEER_COMMON_TARGET_CLONES_H_
#define STEER_COMMON_TARGET_CLONES_H_

// Not under ThreadSanitizer: the choice is made before it has started, in code that it has instrumented.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_THREAD__)
#define STEER_TARGET_CLONES \
  __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define STEER_TARGET_CLONES
#endif

#endif  // STEER_COMMON_TARGET_CLONES_H_
