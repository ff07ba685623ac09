// common/json: what parses is written and read again as the same value.
#include "common/json.h"

#include "tests/fuzz/check.h"

namespace {

int Depth(const steer::Json& value) {
  int deepest = 0;
  if (value.is_structured()) {
    for (const steer::Json& item : value) deepest = std::max(deepest, 1 + Depth(item));
    if (value.empty()) deepest = 1;
  }
  return deepest;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view text = steer::fuzz::Text(data, size);
  const auto value = steer::ParseJson(text);
  const auto ordered = steer::ParseOrderedJson(text);
  FUZZ_CHECK(value.ok() == ordered.ok());
  if (!value.ok()) {
    steer::fuzz::CheckRefusal(value.status(), "not valid JSON");
    return 0;
  }
  FUZZ_CHECK(steer::IsValidUtf8(text));
  FUZZ_CHECK(Depth(*value) <= steer::kMaxJsonDepth);
  const auto canonical = steer::CanonicalJson(*value);
  FUZZ_CHECK(canonical.ok());
  const auto again = steer::ParseJson(*canonical);
  FUZZ_CHECK(again.ok() && *again == *value);
  FUZZ_CHECK(*steer::CanonicalJson(*again) == *canonical);
  FUZZ_CHECK(steer::CanonicalJson(steer::Json(*ordered)).value() == *canonical);
  // The typed readers on whatever stands under the first key.
  if (value->is_object() && !value->empty()) {
    const std::string key = value->begin().key();
    const bool kinds[] = {
        steer::JsonInt(*value, key, "x").ok(), steer::JsonNumber(*value, key, "x").ok(),
        steer::JsonBool(*value, key, "x").ok(), steer::JsonString(*value, key, "x").ok()};
    FUZZ_CHECK(!kinds[0] || kinds[1]);
    FUZZ_CHECK(kinds[1] + kinds[2] + kinds[3] <= 1);
  }
  return 0;
}
