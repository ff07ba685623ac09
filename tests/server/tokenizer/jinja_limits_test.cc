// What is too deep, too long or too much ends in a status that says which limit it met: nesting of the source, steps, bytes built or read,
// output, nesting of values and of evaluation. Every case that a limit did not hold once ran for minutes.
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/errors.h"
#include "gtest/gtest.h"
#include "server/tokenizer/jinja/template.h"

namespace steer::jinja {
namespace {

std::string Repeat(const std::string& unit, int count) {
  std::string out;
  for (int i = 0; i < count; ++i) out += unit;
  return out;
}

// "a0,a1,..." with each name followed by `tail`.
std::string Names(int count, const std::string& tail) {
  std::vector<std::string> names;
  for (int i = 0; i < count; ++i) names.push_back(absl::StrCat("a", i, tail));
  return absl::StrJoin(names, ",");
}

void ExpectTooMuch(const std::string& source, const std::string& limit) {
  SCOPED_TRACE(source.substr(0, 300));
  auto compiled = Template::Compile(source);
  ASSERT_TRUE(compiled.ok()) << compiled.status();
  auto text = (*compiled)->Render({});
  ASSERT_EQ(text.status().code(), absl::StatusCode::kResourceExhausted) << text.status();
  EXPECT_EQ(ReasonOf(text.status()), "TEMPLATE_TOO_EXPENSIVE");
  EXPECT_NE(std::string(text.status().message()).find(limit), std::string::npos) << text.status();
}

TEST(JinjaLimits, RefusesDeepNesting) {
  for (int count : {500, 20000}) {
    for (const std::string& source :
         {"{{ " + Repeat("(", count) + "1" + Repeat(")", count) + " }}",
          "{{ " + Repeat("[", count) + Repeat("]", count) + " }}",
          "{{ " + Repeat("not ", count) + "1 }}", "{{ " + Repeat("-", count) + "1 }}",
          "{{ 1" + Repeat(" + 1", count) + " }}", "{{ x" + Repeat("|trim", count) + " }}",
          "{{ x" + Repeat(".y", count) + " }}", "{{ " + Repeat("1 if 1 else ", count) + "1 }}",
          Repeat("{% if 1 %}", count) + Repeat("{% endif %}", count),
          Repeat("{% for i in l %}", count) + Repeat("{% endfor %}", count),
          Repeat("{% macro m() %}", count) + Repeat("{% endmacro %}", count),
          Repeat("{% filter trim %}", count) + Repeat("{% endfilter %}", count),
          "{{ " + Repeat("{1:", count) + "1" + Repeat("}", count) + " }}",
          "{{ x" + Repeat("[0", count) + Repeat("]", count) + " }}",
          "{{ " + Repeat("f(", count) + Repeat(")", count) + " }}",
          "{{ 1" + Repeat(" and 1", count) + " }}", "{{ 2" + Repeat(" ** 2", count) + " }}",
          "{% set " + Repeat("(", count) + "a" + Repeat(")", count) + " = 1 %}"}) {
      EXPECT_EQ(Template::Compile(source).status().code(), absl::StatusCode::kInvalidArgument)
          << source.substr(0, 40);
    }
  }
}

const char kSteps[] = "more than 1000000 steps", kBytes[] = "more than 134217728 bytes",
           kOutput[] = "gives more than 1048576 bytes", kEvaluation[] = "nested deeper than 800",
           kValues[] = "nested deeper than 200", kRange[] = "a range of more than 100000 items";

// Grows a value 60-fold by naming it twice: 2^60 leaves, of which all share their memory.
std::string Doubling(const std::string& start, const std::string& twice, const std::string& use) {
  return absl::StrCat("{% set ns = namespace(v=", start,
                      ") %}{% for i in range(60) %}{% set ns.v = ", twice, " %}{% endfor %}{{ ",
                      use, " }}");
}

TEST(JinjaLimits, Loops) {
  ExpectTooMuch("{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}",
                kSteps);
  ExpectTooMuch("{{ range(100001) }}", kRange);
  ExpectTooMuch("{{ range(-100000, 100000) }}", kRange);
  ExpectTooMuch("{{ range(10 ** 15)|list }}", kRange);
  ExpectTooMuch("{% set l = range(100000)|list %}{% for i in l %}{{ -1 in l }}{% endfor %}",
                kSteps);
  ExpectTooMuch("{% set l = range(100000)|list %}{{ l|unique|list|length }}", kSteps);
  ExpectTooMuch(
      "{% set l = range(100000)|list %}{% for i in range(99) %}{% set m = l|sort %}{% endfor %}",
      kSteps);
  ExpectTooMuch(
      "{% set l = range(100000)|list %}{% for i in range(99) %}{% set m = l|map('string')|join "
      "%}{% endfor %}",
      kSteps);
  ExpectTooMuch(
      "{% set l = range(100000)|list %}{% for i in l %}{{ l.index(i) }}{{ l.count(i) }}{% endfor "
      "%}",
      kSteps);
}

TEST(JinjaLimits, Macros) {
  ExpectTooMuch("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", kEvaluation);
  ExpectTooMuch("{% macro f(x) %}{{ f([x]) }}{% endmacro %}{{ f(1) }}", "nested deeper than");
  ExpectTooMuch(
      "{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}{{ a() }}{% endmacro %}{{ a() }}",
      kEvaluation);
  ExpectTooMuch(
      "{% macro a() %}{% call a() %}x{% endcall %}{{ caller() }}{% endmacro %}{% call a() %}y{% "
      "endcall %}",
      kEvaluation);
  ExpectTooMuch(
      "{% macro a(n) %}{% if n %}{{ a(n - 1) }}{{ a(n - 1) }}{% endif %}{% endmacro %}{{ a(60) }}",
      kSteps);
}

TEST(JinjaLimits, TextsThatGrow) {
  ExpectTooMuch("{{ 'x' * 2000000 }}", kOutput);
  ExpectTooMuch("{{ 'x' * 9000000000000000000 }}", kBytes);
  ExpectTooMuch("{% for i in range(2000) %}{{ 'x' * 1000 }}{% endfor %}", kOutput);
  ExpectTooMuch("{% set x %}{% for i in range(2000) %}{{ 'x' * 1000 }}{% endfor %}{% endset %}",
                kOutput);
  ExpectTooMuch(
      "{% filter upper %}{% for i in range(2000) %}{{ 'x' * 1000 }}{% endfor %}{% endfilter %}",
      kOutput);
  ExpectTooMuch(
      "{% set ns = namespace(s='x') %}{% for i in range(99) %}{% set ns.s = ns.s + ns.s %}{% "
      "endfor %}",
      kBytes);
  ExpectTooMuch(
      "{% set ns = namespace(s='x') %}{% for i in range(99) %}{% set ns.s = ns.s ~ ns.s %}{% "
      "endfor %}",
      kBytes);
  ExpectTooMuch(
      "{% set ns = namespace(s='xx') %}{% for i in range(99) %}{% set ns.s = ns.s|replace('x', "
      "'xx') %}{% endfor %}",
      kBytes);
  ExpectTooMuch(
      "{% set ns = namespace(s='\"') %}{% for i in range(99) %}{% set ns.s = ns.s|tojson %}{% "
      "endfor %}",
      kBytes);
  ExpectTooMuch(
      "{% set ns = namespace(s='<') %}{% for i in range(99) %}{% set ns.s = ns.s|escape|string ~ "
      "ns.s %}{% endfor %}",
      kBytes);
  ExpectTooMuch(
      "{% set s = 'ab' * 500000 %}{% for i in range(9999) %}{% set t = s.replace('a', 'bb') %}{% "
      "endfor %}",
      kBytes);
  ExpectTooMuch("{{ (['x' * 100000] * 50000)|join }}", kBytes);
  ExpectTooMuch("{{ ['a', 'b', 'c']|join('x' * 100000000) }}", kBytes);
  ExpectTooMuch("{{ ('x' * 100000000).join(['a', 'b', 'c']) }}", kBytes);
  ExpectTooMuch("{{ 'a'.center(9000000000000) }}", kBytes);
  ExpectTooMuch("{{ 'a'.zfill(9000000000000) }}", kBytes);
  ExpectTooMuch("{{ 'a'|indent(9000000000000) }}", "indent is too wide");
  ExpectTooMuch("{{ ('a\n' * 500000)|indent(1000) }}", kBytes);
  ExpectTooMuch("{{ [1]|tojson(indent=9999999) }}", "the indent is too wide");
  ExpectTooMuch("{{ ([[1] * 10] * 10)|tojson(separators=('x' * 2000000, 'y')) }}", kBytes);
}

TEST(JinjaLimits, ListsThatGrow) {
  ExpectTooMuch("{{ [1] * 9000000000000 }}", kBytes);
  ExpectTooMuch(
      "{% set ns = namespace(l=[1]) %}{% for i in range(99) %}{% set ns.l = ns.l + ns.l %}{% "
      "endfor %}",
      kBytes);
  ExpectTooMuch(
      "{% set ns = namespace(l=[]) %}{% for i in range(100000) %}{% set ns.l = [ns.l] %}{% endfor "
      "%}",
      kValues);
  ExpectTooMuch(
      "{% set ns = namespace(d={}) %}{% for i in range(100000) %}{% set ns.d = dict(ns.d, a=ns.d) "
      "%}{% endfor %}",
      kValues);
  ExpectTooMuch(
      "{% set ns = namespace(l=none) %}{% for i in range(100000) %}{% for j in [ns.l] %}{% set "
      "ns.l = loop %}{% endfor %}{% endfor %}",
      kValues);
  const std::string deep =
      "{% set ns = namespace(l=[]) %}{% for i in range(199) %}{% set ns.l = [ns.l] %}{% endfor %}";
  ExpectTooMuch(deep + "{% set ns.l = [ns.l] %}", kValues);
  ExpectTooMuch(deep + "{{ namespace(a=[ns.l]) }}", kValues);
  ExpectTooMuch(deep + "{% macro m(a) %}{% endmacro %}{{ m([ns.l]) }}", kValues);
  ExpectTooMuch(deep + "{% macro m(a) %}{% endmacro %}{{ m(a=[ns.l]) }}", kValues);
  ExpectTooMuch("{% set ns = namespace() %}{% set ns.me = ns %}{{ ns }}", kEvaluation);
}

TEST(JinjaLimits, ValuesThatShareTheirParts) {
  for (const char* use : {"ns.v", "ns.v|tojson", "ns.v|string|length", "ns.v ~ ''", "ns.v|join",
                          "ns.v == [ns.v[0], ns.v[1] + []]"}) {
    ExpectTooMuch(Doubling("[1]", "[ns.v, ns.v]", use), "more than");
  }
  for (const char* use : {"ns.v < ns.v", "{ns.v: 1}", "[ns.v, ns.v]|unique|list|length",
                          "{1: 2}.get(ns.v)", "{1: 2}[ns.v]", "ns.v in {1: 2}"}) {
    ExpectTooMuch(Doubling("(1,)", "(ns.v, ns.v)", use), kSteps);
  }
  for (const char* use :
       {"ns.v", "ns.v|tojson(indent=4)", "ns.v == {'a': ns.v.a, 'b': dict(ns.v.b)}"}) {
    ExpectTooMuch(Doubling("{'a': 1}", "{'a': ns.v, 'b': ns.v}", use), "more than");
  }
}

// What only reads a long text costs as much as what builds one.
TEST(JinjaLimits, ReadingLongTexts) {
  for (const char* use : {"s.strip()",
                          "s.startswith('y')",

                          "s.find('x')",
                          "s.rfind('x')",
                          "s.count(s)",
                          "s|int",
                          "s|float",
                          "s == t",
                          "s < t",
                          "s in [t]",
                          "'x' in s",
                          "s|trim",

                          "s.removeprefix('y')",
                          "[s, s]|max",

                          "[s]|unique|list",
                          "{'k': s}|dictsort(by='value')",
                          "{s: 1}[t]",
                          "s.partition('x')",

                          "s.split('y')",

                          "[1]|map('default', s)|list"}) {
    ExpectTooMuch(absl::StrCat("{% set s = 'x' * 4000000 %}{% set t = 'x' * 4000000 %}{% for i in "
                               "range(50000) %}{% set u = ",
                               use, " %}{% endfor %}"),
                  kBytes);
  }
}

// Each of these once took the product of two lengths.
TEST(JinjaLimits, SearchingLongTextsForLongTexts) {
  for (auto [use, want] : {std::make_pair("n in s", "False"),
                           {"s.find(n)", "-1"},
                           {"s.rfind(m)", "-1"},
                           {"s.count(n)", "0"},
                           {"s.split(n)|length", "1"},
                           {"s.rsplit(m)|length", "1"},
                           {"s.replace(n, '')|length", "1000000"},
                           {"s|replace(n, '')|length", "1000000"},
                           {"s.partition(n)[1]|length", "0"},
                           {"s.rpartition(m)[1]|length", "0"},
                           {"s.strip(n)|length", "0"},
                           {"s|trim(c ~ 'x')|length", "0"}}) {
    SCOPED_TRACE(use);
    auto compiled = Template::Compile(
        absl::StrCat("{% set s = 'x' * 1000000 %}{% set n = 'x' * 500000 ~ 'y' %}{% set m = 'y' ~ "
                     "'x' * 500000 %}{% set c = 'y' * 1000000 %}{% for i in range(8) %}{{ ",
                     use, " }} {% endfor %}"));
    ASSERT_TRUE(compiled.ok()) << compiled.status();
    auto text = (*compiled)->Render({});
    ASSERT_TRUE(text.ok()) << text.status();
    EXPECT_EQ(*text, Repeat(absl::StrCat(want, " "), 8));
  }
}

TEST(JinjaLimits, ManyNames) {
  std::string many;
  for (int i = 0; i < 20000; ++i) absl::StrAppend(&many, "{% set a", i, " = 1 %}");
  ExpectTooMuch(many + "{% for i in range(100000) %}{{ a19999 }}{% endfor %}", kSteps);
  many.clear();
  for (int i = 0; i < 20000; ++i) absl::StrAppend(&many, "{% set ns.a", i, " = 1 %}");
  ExpectTooMuch("{% set ns = namespace() %}" + many, kSteps);
  many.clear();
  for (int i = 0; i < 1000; ++i) absl::StrAppend(&many, "{% set ns.a", i, " = 1 %}");
  ExpectTooMuch("{% set ns = namespace() %}" + many +
                    "{% for i in range(100000) %}{% if ns.b %}{% endif %}{% endfor %}",
                kSteps);
  ExpectTooMuch("{% macro m(" + Names(20000, "") + ") %}{% endmacro %}{{ m() }}", kSteps);
  ExpectTooMuch("{% macro m() %}{{ kwargs|length }}{% endmacro %}{% for i in range(9999) %}{{ m(" +
                    Names(5000, "=1") + ") }}{% endfor %}",
                kSteps);
  ExpectTooMuch("{% with " + Names(20000, "=1") + " %}{% endwith %}", kSteps);
  ExpectTooMuch("{% for " + Names(1000, "") + " in [[1] * 1000] * 9999 %}{% endfor %}", kSteps);
}

}  // namespace
}  // namespace steer::jinja
