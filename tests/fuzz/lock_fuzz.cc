// client/plan: a lock. An input that is a JSON object with "format" is its content, and gets its true digest here, which no mutation could
// find; any other input is a file as it stands.
#include "client/plan/lock.h"

#include "common/digest.h"
#include "tests/fuzz/check.h"

namespace {

std::string FileOf(absl::string_view input) {
  const auto content = steer::ParseJson(input);
  if (!content.ok() || !content->is_object() || !content->contains("format"))
    return std::string(input);
  const std::string canonical = steer::CanonicalJson(*content).value();
  return steer::Json({{"content", *content}, {"digest", steer::Sha256Hex(canonical)}}).dump();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text = FileOf(steer::fuzz::Text(data, size));
  const auto lock = steer::ParseLock(text, "in.lock");
  if (!lock.ok()) {
    steer::fuzz::CheckRefusal(lock.status(), "in.lock: ");
    return 0;
  }
  FUZZ_CHECK(lock->splits.size() == lock->plan.seeds.size());
  for (const uint64_t seed : lock->plan.seeds) FUZZ_CHECK(lock->FindSeed(seed) != nullptr);
  const auto again = steer::ParseLock(lock->canonical, "again");
  FUZZ_CHECK(again.ok());
  FUZZ_CHECK(again->canonical == lock->canonical && again->digest == lock->digest);
  FUZZ_CHECK(again->plan == lock->plan);
  return 0;
}
