// A header that both programs of the sample include.
#ifndef STEER_SAMPLE_H_
#define STEER_SAMPLE_H_

#define SAMPLE_CHECK(ok) \
  do {                   \
    if (!(ok)) return 2; \
  } while (false)

// Clamps below. One of its instantiations sees each outcome.
template <typename T>
T AtLeast(T value, T low) {
  return value < low ? low : value;
}

int Classify(int a, int b);

#endif  // STEER_SAMPLE_H_
