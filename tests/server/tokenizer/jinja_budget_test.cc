// A rendering may meet its limits at any place. Each golden template is rendered with every smaller budget of steps, bytes and
// depth: until the budget suffices, the status must name that limit; then the outcome must be that of an untouched budget.
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "common/errors.h"
#include "gtest/gtest.h"
#include "server/tokenizer/jinja/check.h"
#include "server/tokenizer/jinja/interpreter.h"
#include "server/tokenizer/jinja/lexer.h"
#include "server/tokenizer/jinja/parser.h"
#include "tests/server/tokenizer/jinja_golden.h"

namespace steer::jinja {
namespace {

struct Limit {
  const char* message;
  int stride;  // between two budgets
  Budget (*with)(int left);
};

const Limit kLimits[] = {
    {"more than 1000000 steps", 1,
     [](int left) {
       Budget budget;
       EXPECT_TRUE(budget.Step(kMaxSteps - left).ok());
       return budget;
     }},
    {"more than 134217728 bytes", 1,
     [](int left) {
       Budget budget;
       EXPECT_TRUE(budget.Bytes(static_cast<size_t>(kMaxBytes - left)).ok());
       return budget;
     }},
    {"nested deeper than 800", 1,
     [](int left) {
       Budget budget;
       for (int i = left; i < kMaxEvalDepth; ++i) EXPECT_TRUE(budget.Enter().ok());
       return budget;
     }},
};

std::string Shown(const absl::StatusOr<std::string>& text) {
  return text.ok() ? "gives " + *text : text.status().ToString();
}

// Renders with 0, stride, 2 * stride, ... left. Returns how many budgets were too small.
int ExpectEveryBudgetHolds(const std::string& source, const Variables& variables,
                           const Limit& limit) {
  SCOPED_TRACE(source);
  absl::StatusOr<std::vector<Token>> tokens = Lex(source);
  if (!tokens.ok()) return 0;
  absl::StatusOr<Body> body = Parse(*std::move(tokens));
  if (!body.ok() || !Check(*body).ok()) return 0;
  const std::string want = Shown(Interpreter().Run(*body, variables));
  constexpr int kEnough = 100000;
  for (int left = 0; left < kEnough; left += limit.stride) {
    const auto text = Interpreter(limit.with(left)).Run(*body, variables);
    if (ReasonOf(text.status()) != "TEMPLATE_TOO_EXPENSIVE" || Shown(text) == want) {
      EXPECT_EQ(Shown(text), want) << left;
      return left / limit.stride;
    }
    EXPECT_NE(std::string(text.status().message()).find(limit.message), std::string::npos)
        << text.status();
  }
  ADD_FAILURE() << "no budget is large enough";
  return 0;
}

TEST(JinjaBudget, HoldsAtEveryPlaceOfTheGoldenTemplates) {
  const Variables context = GoldenContext();
  const OrderedJson cases = ReadGolden("language.json");
  for (const Limit& limit : kLimits) {
    int64_t refused = 0;
    for (const auto& c : cases)
      refused += ExpectEveryBudgetHolds(c["template"].get<std::string>(), context, limit);
    EXPECT_GT(refused, static_cast<int64_t>(cases.size())) << limit.message;
    RecordProperty(limit.message, std::to_string(refused));
  }
}

}  // namespace
}  // namespace steer::jinja
