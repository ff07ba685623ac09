// What is not built is refused by name and line when the template is loaded; what is too large ends
// in a status.
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
        Refusal{"{{ x|select('fancy') }}", "the test 'fancy'"},
        Refusal{"{{ x|selectattr('a', 'fancy') }}", "the test 'fancy'"},
        Refusal{"{{ x is fancy }}", "the test 'fancy'"},
        Refusal{"{% filter urlize %}{% endfilter %}", "the filter 'urlize'"},
        Refusal{"{% set y | urlize %}{% endset %}", "the filter 'urlize'"},
        Refusal{"{{ x.fancy() }}", "the method 'fancy'"},
        Refusal{"{{ x['fancy']() }}", "the method 'fancy'"},
        Refusal{"{{ x.append(1) }}", "the method 'append'"},
        Refusal{"{{ x.format(1) }}", "the method 'format'"},
        Refusal{"{{ x[y]() }}", "computed value"},
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

TEST(JinjaLimits, RefusesDeepNesting) {
  auto repeat = [](const std::string& unit, int count) {
    std::string out;
    for (int i = 0; i < count; ++i) out += unit;
    return out;
  };
  for (int count : {500, 20000}) {
    for (const std::string& source :
         {"{{ " + repeat("(", count) + "1" + repeat(")", count) + " }}",
          "{{ " + repeat("[", count) + repeat("]", count) + " }}",
          "{{ " + repeat("not ", count) + "1 }}", "{{ " + repeat("-", count) + "1 }}",
          "{{ 1" + repeat(" + 1", count) + " }}", "{{ x" + repeat("|trim", count) + " }}",
          "{{ x" + repeat(".y", count) + " }}", "{{ " + repeat("1 if 1 else ", count) + "1 }}",
          repeat("{% if 1 %}", count) + repeat("{% endif %}", count),
          "{% set " + repeat("(", count) + "a" + repeat(")", count) + " = 1 %}"}) {
      EXPECT_EQ(Template::Compile(source).status().code(), absl::StatusCode::kInvalidArgument)
          << source.substr(0, 40);
    }
  }
}

TEST(JinjaLimits, EndsRunawaysWithAStatus) {
  for (const char* source : {
           "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}",
           "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
           "{% macro f(x) %}{{ f([x]) }}{% endmacro %}{{ f(1) }}",
           "{% set ns = namespace(s='x') %}{% for i in range(99) %}{% set ns.s = ns.s + ns.s %}{% "
           "endfor %}",
           "{% set ns = namespace(l=[1]) %}{% for i in range(99) %}{% set ns.l = ns.l + ns.l %}{% "
           "endfor %}",
           "{% set ns = namespace(l=[1]) %}{% for i in range(60) %}{% set ns.l = [ns.l, ns.l] %}{% "
           "endfor %}{{ ns.l }}",
           "{% set ns = namespace(l=[1]) %}{% for i in range(60) %}{% set ns.l = [ns.l, ns.l] %}{% "
           "endfor %}{{ ns.l|tojson }}",
           "{% set ns = namespace(a=[1], b=[1]) %}{% for i in range(60) %}{% set ns.a = [ns.a, "
           "ns.a] %}"
           "{% set ns.b = [ns.b, ns.b] %}{% endfor %}{{ ns.a == ns.b }}",
           "{% set ns = namespace(l=[]) %}{% for i in range(100000) %}{% set ns.l = [ns.l] %}{% "
           "endfor %}",
           "{% set ns = namespace(l=none) %}{% for i in range(100000) %}{% for j in [ns.l] %}{% "
           "set ns.l = loop %}{% endfor %}{% endfor %}",
           "{% set ns = namespace() %}{% set ns.me = ns %}{{ ns }}",
           "{{ 'x' * 2000000 }}",
           "{{ 'x' * 9000000000000000000 }}",
           "{% for i in range(2000) %}{{ 'x' * 1000 }}{% endfor %}",
           "{{ [1] * 9000000000000 }}",
           "{{ 'a'.center(9000000000000) }}",
           "{{ 'a'|indent(9000000000000) }}",
           "{{ range(100001) }}",
           "{{ [1]|tojson(indent=9999999) }}",
           "{% set l = range(100000)|list %}{% for i in l %}{{ -1 in l }}{% endfor %}",
           "{% set l = range(100000)|list %}{{ l|unique|list|length }}",
           "{% set s = 'ab' * 500000 %}{% for i in range(9999) %}{% set t = s.replace('a', 'bb') "
           "%}{% endfor %}",
       }) {
    SCOPED_TRACE(source);
    auto compiled = Template::Compile(source);
    ASSERT_TRUE(compiled.ok()) << compiled.status();
    auto text = (*compiled)->Render({});
    EXPECT_EQ(text.status().code(), absl::StatusCode::kResourceExhausted) << text.status();
  }
}

TEST(JinjaLimits, ErrorsOfARenderingNameTheLine) {
  auto compiled = Template::Compile("a\nb\n{{ missing.x }}");
  ASSERT_TRUE(compiled.ok());
  const absl::Status status = (*compiled)->Render({}).status();
  EXPECT_EQ(status.message(), "line 3: 'missing' is undefined");
  EXPECT_EQ(ReasonOf(status), "TEMPLATE_FAILED");
}

TEST(JinjaLimits, OverflowIsAnErrorAndNotAWrap) {
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
