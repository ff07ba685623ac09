#include "tests/support/tiny_model.h"

#include "absl/strings/str_cat.h"
#include "tests/support/paths.h"

namespace steer {

std::string TinyCheckpoint(absl::string_view name) {
  return SourcePath(absl::StrCat("tests/golden/model/", name));
}

}  // namespace steer
