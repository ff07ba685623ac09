// client/plan: a plan in YAML. What is accepted is written as JSON and read again as the same plan; what is not names lines.
#include "client/plan/plan.h"

#include "absl/strings/match.h"
#include "common/errors.h"
#include "tests/fuzz/check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto plan = steer::ParsePlan(steer::fuzz::Text(data, size), "in.yaml");
  if (!plan.ok()) {
    steer::fuzz::CheckRefusal(plan.status(), "in.yaml:");
    const std::vector<steer::Violation> violations = steer::ViolationsOf(plan.status());
    FUZZ_CHECK(!violations.empty());
    for (const steer::Violation& violation : violations) {
      FUZZ_CHECK(absl::StartsWith(violation.field, "in.yaml:"));
      FUZZ_CHECK(!violation.description.empty());
    }
    return 0;
  }
  FUZZ_CHECK(!plan->seeds.empty() && !plan->positions.empty() && plan->max_new_tokens > 0);
  const steer::Json json = steer::PlanToJson(*plan);
  const auto again = steer::PlanFromJson(json);
  if (!again.ok()) std::fprintf(stderr, "%s\n", again.status().ToString().c_str());
  FUZZ_CHECK(again.ok());
  FUZZ_CHECK(*again == *plan);
  FUZZ_CHECK(steer::PlanToJson(*again) == json);
  return 0;
}
