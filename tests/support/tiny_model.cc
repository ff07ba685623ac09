#include "tests/support/tiny_model.h"

#include "absl/strings/str_cat.h"

namespace steer {

std::string TinyCheckpoint(absl::string_view name) {
  return absl::StrCat(STEER_SOURCE_DIR, "/tests/golden/model/", name);
}

}  // namespace steer
