// What fuzz targets assert. A broken property ends the process, as a crash would: libFuzzer and driver.cc both keep the input.
#ifndef STEER_TESTS_FUZZ_CHECK_H_
#define STEER_TESTS_FUZZ_CHECK_H_

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "common/utf8.h"

#define FUZZ_CHECK(condition)                                                               \
  do {                                                                                      \
    if (!(condition)) {                                                                     \
      std::fprintf(stderr, "%s:%d: property broken: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                         \
    }                                                                                       \
  } while (false)

namespace steer::fuzz {

inline absl::string_view Text(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

// A refusal says something, names `place` (empty: anything), and is no fault of our own.
inline void CheckRefusal(const absl::Status& status, absl::string_view place) {
  FUZZ_CHECK(!status.ok());
  FUZZ_CHECK(status.code() != absl::StatusCode::kInternal);
  FUZZ_CHECK(status.code() != absl::StatusCode::kUnknown);
  const absl::string_view message = status.message();
  FUZZ_CHECK(message.size() > place.size());
  FUZZ_CHECK(message.find(place) != absl::string_view::npos);
}

}  // namespace steer::fuzz

#endif  // STEER_TESTS_FUZZ_CHECK_H_
