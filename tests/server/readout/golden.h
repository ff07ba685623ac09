// Golden values of tests/golden/readout.
#ifndef STEER_TESTS_SERVER_READOUT_GOLDEN_H_
#define STEER_TESTS_SERVER_READOUT_GOLDEN_H_

#include <string>

#include "common/json.h"
#include "tests/support/paths.h"

namespace steer {

// Null, which every use fails on, if the file cannot be read.
inline Json Golden(const std::string& name) {
  auto json = ReadJsonFile(SourcePath("tests/golden/readout/" + name));
  return json.ok() ? *json : Json();
}

}  // namespace steer

#endif  // STEER_TESTS_SERVER_READOUT_GOLDEN_H_
