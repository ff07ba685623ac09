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
  Budget (*with)(int left);
};

const Limit kLimits[] = {
    {"more than 1000000 steps",
     [](int left) {
       Budget budget;
       EXPECT_TRUE(budget.Step(kMaxSteps - left).ok());
       return budget;
     }},
    {"more than 134217728 bytes",
     [](int left) {
       Budget budget;
       EXPECT_TRUE(budget.Bytes(static_cast<size_t>(kMaxBytes - left)).ok());
       return budget;
     }},
    {"nested deeper than 800",
     [](int left) {
       Budget budget;
       for (int i = left; i < kMaxEvalDepth; ++i) EXPECT_TRUE(budget.Enter().ok());
       return budget;
     }},
};

std::string Shown(const absl::StatusOr<std::string>& text) {
  return text.ok() ? "gives " + *text : text.status().ToString();
}

// Returns how many budgets were too small.
size_t ExpectEveryBudgetHolds(const std::string& source, const Variables& variables,
                              const Limit& limit) {
  SCOPED_TRACE(source);
  absl::StatusOr<std::vector<Token>> tokens = Lex(source);
  if (!tokens.ok()) return 0;
  absl::StatusOr<Body> body = Parse(*std::move(tokens));
  if (!body.ok() || !Check(*body).ok()) return 0;
  const std::string want = Shown(Interpreter().Run(*body, variables));
  constexpr int kEnough = 100000;
  for (int left = 0; left < kEnough; ++left) {
    const auto text = Interpreter(limit.with(left)).Run(*body, variables);
    if (ReasonOf(text.status()) != "TEMPLATE_TOO_EXPENSIVE" || Shown(text) == want) {
      EXPECT_EQ(Shown(text), want) << left;
      return static_cast<size_t>(left);
    }
    EXPECT_NE(std::string(text.status().message()).find(limit.message), std::string::npos)
        << text.status();
  }
  ADD_FAILURE() << "no budget is large enough";
  return 0;
}

TEST(JinjaBudget, HoldsAtEveryPlaceOfTheGoldenTemplates) {
  const Variables context = GoldenContext();
  for (const char* name : {"language.json", "values.json"}) {
    const OrderedJson cases = ReadGolden(name);
    ASSERT_GT(cases.size(), 500u);
    for (const Limit& limit : kLimits) {
      size_t refused = 0;
      for (const auto& c : cases)
        refused += ExpectEveryBudgetHolds(c["template"].get<std::string>(), context, limit);
      EXPECT_GT(refused, cases.size()) << limit.message;
    }
  }
}

}  // namespace
}  // namespace steer::jinja
