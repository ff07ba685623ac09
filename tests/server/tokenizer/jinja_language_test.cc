// The language, snippet by snippet, against the real jinja2 in the environment that transformers
// sets up.
#include <set>

#include "gtest/gtest.h"
#include "tests/server/tokenizer/jinja_golden.h"

namespace steer {
namespace {

// What Python renders and this engine refuses, with a word of the reason.
const std::pair<std::string, std::string> kRefused[] = {
    {"{% block a %}x{% endblock %}", "tag 'block'"},
    {"{{ none[1:] }}", "cannot be sliced"},
    {"{% set ns = namespace() %}{% for i in l %}{% macro m() %}{{ i }}{% endmacro %}{% set ns.m = "
     "m %}{% endfor %}{{ ns.m() }}",
     "after the block"},
};

void ExpectEqualsJinja2(const OrderedJson& cases) {
  const jinja::Variables context = GoldenContext();
  std::set<std::string> refused;
  for (const auto& [source, reason] : kRefused) refused.insert(source);
  for (const auto& c : cases) {
    const std::string source = c["template"].get<std::string>();
    SCOPED_TRACE(source);
    auto compiled = jinja::Template::Compile(source);
    const absl::StatusOr<std::string> text =
        compiled.ok() ? (*compiled)->Render(context) : compiled.status();
    if (c.contains("error") || refused.count(source) != 0) {
      EXPECT_FALSE(text.ok()) << "gives " << *text << " where jinja2 raises";
    } else if (text.ok()) {
      EXPECT_EQ(*text, c["text"].get<std::string>());
    } else {
      ADD_FAILURE() << text.status() << "\nwant: " << c["text"].get<std::string>();
    }
  }
}

TEST(JinjaLanguage, EqualsJinja2) {
  const OrderedJson cases = ReadGolden("language.json");
  ASSERT_GT(cases.size(), 1000u);
  ExpectEqualsJinja2(cases);
}

// Unusual operands and arguments of operators, filters, tests, methods and functions.
TEST(JinjaLanguage, EqualsJinja2AtTheEdgesOfValues) {
  const OrderedJson cases = ReadGolden("values.json");
  ASSERT_GT(cases.size(), 500u);
  ExpectEqualsJinja2(cases);
}

TEST(JinjaLanguage, RefusesByNameWhatIsNotBuilt) {
  const jinja::Variables context = GoldenContext();
  for (const auto& [source, reason] : kRefused) {
    SCOPED_TRACE(source);
    auto compiled = jinja::Template::Compile(source);
    absl::Status status = compiled.status();
    if (compiled.ok()) status = (*compiled)->Render(context).status();
    EXPECT_FALSE(status.ok());
    EXPECT_NE(std::string(status.message()).find(reason), std::string::npos) << status;
  }
}

}  // namespace
}  // namespace steer
