// What is not built is refused by name and line when the template is loaded.
#include "common/errors.h"
#include "gtest/gtest.h"
#include "server/tokenizer/jinja/template.h"

namespace steer::jinja {
namespace {

struct Refusal {
  const char* source;
  const char* message;
};

class JinjaRefusal : public testing::TestWithParam<Refusal> {};

// The construct stands on line 3, in a branch that no rendering takes.
TEST_P(JinjaRefusal, NamesConstructAndLine) {
  auto compiled =
      Template::Compile(std::string("a\n{% if false %}\n") + GetParam().source + "\n{% endif %}");
  EXPECT_EQ(compiled.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ReasonOf(compiled.status()), "INVALID_TEMPLATE");
  const std::string message(compiled.status().message());
  EXPECT_EQ(message.substr(0, 8), "line 3: ") << message;
  EXPECT_NE(message.find(GetParam().message), std::string::npos) << message;
}

INSTANTIATE_TEST_SUITE_P(
    Constructs, JinjaRefusal,
    testing::Values(
        Refusal{"{{ x|urlize }}", "the filter 'urlize'"},
        Refusal{"{{ x|a.b }}", "the filter 'a.b'"},
        Refusal{"{{ x|map('urlize')|list }}", "the filter 'urlize'"},
        Refusal{"{{ x|map(y)|list }}", "computed name"},
        Refusal{"{{ x|map(1)|list }}", "computed name"},
        Refusal{"{{ x|select('fancy') }}", "the test 'fancy'"},
        Refusal{"{{ x|selectattr('a', 'fancy') }}", "the test 'fancy'"},
        Refusal{"{{ x is fancy }}", "the test 'fancy'"},
        Refusal{"{% filter urlize %}{% endfilter %}", "the filter 'urlize'"},
        Refusal{"{% set y | urlize %}{% endset %}", "the filter 'urlize'"},
        Refusal{"{{ x.fancy() }}", "the method 'fancy'"},
        Refusal{"{{ x['fancy']() }}", "the method 'fancy'"},
        Refusal{"{{ x.append(1) }}", "the method 'append'"},
        Refusal{"{{ x.format(1) }}", "the method 'format'"},
        Refusal{"{{ x[y]() }}", "computed value"}, Refusal{"{{ x[1]() }}", "computed value"},
        Refusal{"{{ x|tojson(indent=y|urlize) }}", "the filter 'urlize'"},
        Refusal{"{% macro m(a=1|urlize) %}{% endmacro %}", "the filter 'urlize'"},
        Refusal{"{% macro m() %}{{ 1|urlize }}{{ cycler }}{% endmacro %}", "the filter 'urlize'"},
        Refusal{"{{ 'a'|trim('b', chars='c') }}", "trim gets two values for 'chars'"},
        Refusal{"{{ fancy(1) }}", "the function 'fancy'"},
        Refusal{"{{ cycler }}", "the variable 'cycler'"},
        Refusal{"{{ pad_token }}", "the variable 'pad_token'"},
        Refusal{"{{ x.__class__ }}", "the attribute '__class__'"}, Refusal{"{{ '%s' % x }}", "'%'"},
        Refusal{"{% include 'x' %}", "the tag 'include'"},
        Refusal{"{% extends 'x' %}", "the tag 'extends'"},
        Refusal{"{% block x %}{% endblock %}", "the tag 'block'"},
        Refusal{"{% import 'x' as y %}", "the tag 'import'"},
        Refusal{"{% from 'x' import y %}", "the tag 'from'"},
        Refusal{"{% autoescape true %}{% endautoescape %}", "the tag 'autoescape'"},
        Refusal{"{% do x %}", "the tag 'do'"},
        Refusal{"{% trans %}{% endtrans %}", "the tag 'trans'"},
        Refusal{"{% for a in b recursive %}{% endfor %}", "'recursive'"},
        Refusal{"{{ f(*x) }}", "'*'"}, Refusal{"{{ f(**x) }}", "'**'"},
        Refusal{"{{ 0x1f }}", "hexadecimal"}, Refusal{"{{ 99999999999999999999 }}", "64 bits"},
        Refusal{"{{ '\\N{DASH}' }}", "\\N{...}"}, Refusal{"{{ '\\ud83d' }}", "not a character"},
        Refusal{"{{ x[1:2, 3] }}", "tuple of slices"},
        Refusal{"{{ x|trim(1, 2) }}", "trim takes at most 1"},
        Refusal{"{{ x|tojson(fancy=1) }}", "no argument named 'fancy'"},
        Refusal{"{{ x|replace('a') }}", "needs the argument 'new'"},
        Refusal{"{{ x is divisibleby }}", "needs the argument"},
        Refusal{"{{ range() }}", "needs the argument 'start'"},
        Refusal{"{% break %}", "'break' outside a loop"}));

TEST(JinjaErrors, ErrorsOfARenderingNameTheLine) {
  auto compiled = Template::Compile("a\nb\n{{ missing.x }}");
  ASSERT_TRUE(compiled.ok());
  const absl::Status status = (*compiled)->Render({}).status();
  EXPECT_EQ(status.message(), "line 3: 'missing' is undefined");
  EXPECT_EQ(ReasonOf(status), "TEMPLATE_FAILED");
}

TEST(JinjaErrors, OverflowIsAnErrorAndNotAWrap) {
  for (const char* source :
       {"9223372036854775807 + 1", "-9223372036854775807 - 2", "9223372036854775807 * 2", "3 ** 99",
        "-(-9223372036854775807 - 1)", "(-9223372036854775807 - 1)|abs",
        "(-9223372036854775807 - 1) // -1"}) {
    auto compiled = Template::Compile(std::string("{{ ") + source + " }}");
    ASSERT_TRUE(compiled.ok()) << source;
    EXPECT_EQ((*compiled)->Render({}).status().code(), absl::StatusCode::kInvalidArgument)
        << source;
  }
}

}  // namespace
}  // namespace steer::jinja
