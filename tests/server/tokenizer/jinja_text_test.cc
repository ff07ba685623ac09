// Expressions whose texts jinja2 3.1.6 under Python 3.11 gives: characters beyond ASCII, JSON, escapes, and what a loop's variable
// knows.
#include "gtest/gtest.h"
#include "server/tokenizer/jinja/template.h"

namespace steer::jinja {
namespace {

struct Rendering {
  const char* source;
  const char* want;
};

void ExpectTexts(std::initializer_list<Rendering> renderings) {
  const Variables variables = {{"l", Value::List({Value::Int(3), Value::Int(1), Value::Int(2)})}};
  for (const Rendering& rendering : renderings) {
    SCOPED_TRACE(rendering.source);
    auto compiled = Template::Compile(rendering.source);
    ASSERT_TRUE(compiled.ok()) << compiled.status();
    const auto text = (*compiled)->Render(variables);
    ASSERT_TRUE(text.ok()) << text.status();
    EXPECT_EQ(*text, rendering.want);
  }
}

// White space and line ends beyond ASCII.
TEST(JinjaText, SpacesAndLineEnds) {
  ExpectTexts(
      {{"{{ '\\u1680a\\u202f\\u205f'.strip() ~ '|' }}", "a|"},
       {"{{ '\\x1ca\\x1f'.strip() ~ '|' }}", "a|"},
       {"{{ '\\x01a'.strip()|length }}", "2"},
       {"{{ 'a b'.rsplit(none, 9)|join('|') }}", "a|b"},
       {"a\r", "a"},
       {"{{ '\\x85\\u2029a\\u2028\\xa0'.strip() ~ '|' }}", "a|"},
       {"{{ ('\\x1ba\\x0e'.strip())|length }}", "3"},
       {"{{ 'a\\x85b\\u2029c\\u2000d'.split()|join('|') }}", "a|b|c|d"},
       {"{{ 'a\\x1cb\\x1dc\\x1ed\\x85e\\u2028f\\u2029g\\x0bh\\x0ci\\tj'.splitlines()|join('|') }}",
        "a|b|c|d|e|f|g|h|i\x09j"},
       {"{{ '\\ta\\x0eb\\x1fc\\u2027d\\u202ae'.splitlines()|length }}", "1"},
       {"{{ 'a\\r'.splitlines(true) }}", "['a\\r']"},
       {"{{ 'a\\rb\\r\\nc'.splitlines()|join('|') }}", "a|b|c"}});
}

// An empty text to replace matches between all characters.
TEST(JinjaText, ReplacesNothing) {
  ExpectTexts({{"{{ 'abc'.replace('', '-', 2) }}", "-a-bc"},
               {"{{ 'abc'.replace('', '-', 0) }}", "abc"},
               {"{{ 'abc'.replace('', '-', 4) }}", "-a-b-c-"},
               {"{{ 'abc'.replace('', '-', 9) }}", "-a-b-c-"}});
}

// What is cased, and what a final sigma looks past.
TEST(JinjaText, Case) {
  ExpectTexts(
      {{"{{ '\\u01c5x'.title() }}", "\xc7\x85x"},
       {"{{ '\\u01c5'.isupper() }}", "False"},
       {"{{ '\\u01c5'.islower() }}", "False"},
       {"{{ 'A\\u01c5'.isupper() }}", "False"},
       {"{{ 'a\\u01c5'.islower() }}", "False"},
       {"{{ '\\u24b6x \\u24d0x'.title() }}", "\xe2\x92\xb6x \xe2\x92\xb6x"},
       {"{{ '\\u0345a'.title() }}",
        "\xce\x99"
        "a"},
       {"{{ '\\u2160x'.title() }}", "\xe2\x85\xa0x"},
       {"{{ '\\u0391\\u03a3'.lower() }}", "\xce\xb1\xcf\x82"},
       {"{{ '\\u0391\\u03a3\\u0391'.lower() }}", "\xce\xb1\xcf\x83\xce\xb1"},
       {"{{ '\\u03a3'.lower() }}", "\xcf\x83"},
       {"{{ '1\\u03a3'.lower() }}", "1\xcf\x83"},
       {"{{ '\\u0391\\u0301\\u03a3'.lower() }}", "\xce\xb1\xcc\x81\xcf\x82"},
       {"{{ '\\u0391\\u03a3\\u0301'.lower() }}", "\xce\xb1\xcf\x82\xcc\x81"},
       {"{{ '\\u0391\\u03a3\\u0488\\u0391'.lower() }}", "\xce\xb1\xcf\x83\xd2\x88\xce\xb1"},
       {"{{ '\\u0391\\u03a3\\u00ad'.lower() }}", "\xce\xb1\xcf\x82\xc2\xad"},
       {"{{ '\\u0391\\u03a3\\u02c6\\u0391'.lower() }}", "\xce\xb1\xcf\x83\xcb\x86\xce\xb1"},
       {"{{ '\\u0391\\u03a3\\u00a8'.lower() }}", "\xce\xb1\xcf\x82\xc2\xa8"},
       {"{{ '\\u0391\\u03a3\\u02b0'.lower() }}", "\xce\xb1\xcf\x82\xca\xb0"},
       {"{{ '\\u0391\\u03a3\\u02d0\\u0391'.lower() }}", "\xce\xb1\xcf\x83\xcb\x90\xce\xb1"},
       {"{{ '\\u0391\\u03a3\\''.lower() }}", "\xce\xb1\xcf\x82'"},
       {"{{ '\\u0391\\u03a3.\\u0391'.lower() }}", "\xce\xb1\xcf\x83.\xce\xb1"},
       {"{{ '\\u0391\\u03a3:\\u0391'.lower() }}", "\xce\xb1\xcf\x83:\xce\xb1"},
       {"{{ '\\u0391\\u03a3\\u00b7\\u0391'.lower() }}", "\xce\xb1\xcf\x83\xc2\xb7\xce\xb1"},
       {"{{ '\\u0391\\u03a3\\u2018\\u0391'.lower() }}", "\xce\xb1\xcf\x83\xe2\x80\x98\xce\xb1"},
       {"{{ '\\u0391\\u03a3\\u2019\\u0391'.lower() }}", "\xce\xb1\xcf\x83\xe2\x80\x99\xce\xb1"},
       {"{{ '\\u0391\\u03a3\\u2024\\u0391'.lower() }}", "\xce\xb1\xcf\x83\xe2\x80\xa4\xce\xb1"},
       {"{{ '\\u0391\\u03a3\\u2027\\u0391'.lower() }}", "\xce\xb1\xcf\x83\xe2\x80\xa7\xce\xb1"},
       {"{{ '\\u0391\\u03a3-\\u0391'.lower() }}", "\xce\xb1\xcf\x82-\xce\xb1"},
       {"{{ '\\u0378'.isalpha() }}", "False"},
       {"{{ '\\u00aa'.isalpha() }}", "True"},
       {"{{ '+'.isalpha() }}", "False"},
       {"{{ '\\u0300'.isalpha() }}", "False"}});
}

// What repr shows as it is.
TEST(JinjaText, Printable) {
  ExpectTexts({{"{{ ['\\u0378\\u00a0\\u2028\\u2029\\ue000\\u200b\\u0085 \\u3000!'] }}",
                "['\\u0378\\xa0\\u2028\\u2029\\ue000\\u200b\\x85 \\u3000!']"}});
}

// Keys, numbers and characters as JSON.
TEST(JinjaText, Json) {
  ExpectTexts(
      {{"{{ {true: 1, false: 2, none: 3, 4: 5, 1.5: 6}|tojson }}",
        "{\"true\": 1, \"false\": 2, \"null\": 3, \"4\": 5, \"1.5\": 6}"},
       {"{{ 'a\\n\\r\\t\\\\\\\"'|tojson }}", "\"a\\n\\r\\t\\\\\\\"\""},
       {"{{ 'a\\b\\f\\x7f'|tojson }}", "\"a\\b\\f\x7f\""},
       {"{{ 'a\\b\\f\\x7f\\u00e9\\U0001f600'|tojson(ensure_ascii=true) }}",
        "\"a\\b\\f\\u007f\\u00e9\\ud83d\\ude00\""},
       {"{{ [1e999, -1e999, 1e999 - 1e999]|tojson }}", "[Infinity, -Infinity, NaN]"},
       {"{{ {'b': 1, 'a': {'d': 2, 'c': [3, {}]}, 'c': []}|tojson(sort_keys=true, indent=2) }}",
        "{\n  \"a\": {\n    \"c\": [\n      3,\n      {}\n    ],\n    \"d\": 2\n  },\n  \"b\": "
        "1,\n  \"c\": []\n}"},
       {"{{ {1e999: 1}|tojson }}", "{\"Infinity\": 1}"}});
}

// Escapes of string literals.
TEST(JinjaText, Escapes) {
  ExpectTexts({{"{{ '\\a\\b\\f\\v' == '\\x07\\x08\\x0c\\x0b' }}", "True"},
               {"{{ '\\7' == '\\x07' }}", "True"},
               {"{{ '\\!' }}", "\\!"},
               {"{{ '\\7!' }}", "\x07!"},
               {"{{ '\\78' }}",
                "\x07"
                "8"},
               {"{{ '\\1234' }}", "S4"},
               {"{{ '\\400' }}", "\xc4\x80"},
               {"{{ '\\8' }}", "\\8"},
               {"{{ 'a\\\nb' }}", "ab"}});
}

// Constants and numbers.
TEST(JinjaText, ConstantsAndNumbers) {
  ExpectTexts(
      {{"{{ [True, False, None, true, false, none] }}", "[True, False, None, True, False, None]"},
       {"{{ 00 }}", "0"},
       {"{{ 0_0 }}", "0"},
       {"{{ l.1 }}", "1"},
       {"{{ l.1 }}{", "1{"},
       {"{{ l[-9] is defined }}", "False"},
       {"{{ 1 is eq 1.0 }}", "True"},
       {"{{ {} is eq {} }}", "True"},
       {"{{ 1 }}{% print %}", "1"},
       {"{% set (a,) = [1] %}{{ a }}", "1"},
       {"{% raw %}a{% endraw x %}{% endraw %}", "a{% endraw x %}"},
       {"{{ 1_0.5e1_0 }}", "105000000000.0"},
       {"{{ 1.e }}", ""},
       {"{{ 2e+1 }}", "20.0"}});
}

// Ranges and strings.
TEST(JinjaText, Ranges) {
  ExpectTexts({{"{{ range(1, 9, 2).start ~ range(1, 9, 2).stop ~ range(1, 9, 2).step }}", "192"},
               {"{{ range(9)['start'] ~ range(9)['fancy'] }}", "0"},
               {"{{ range(9).fancy is defined }}", "False"}});
}

// The variable loop looks ahead of its filter.
TEST(JinjaText, Loops) {
  ExpectTexts(
      {{"{% for a in l if a > 1 %}{{ loop.length }}{{ loop.revindex }}{{ loop.revindex0 }}{{ "
        "loop.last }}{{ loop.nextitem }};{% endfor %}",
        "221False2;210True;"},
       {"{% for a in l if a > 1 %}{{ loop.last }}{{ loop.length }};{% endfor %}", "False2;True2;"},
       {"{% for a in l if a > 9 %}{{ loop.length }}{% else %}none{% endfor %}", "none"},
       {"{% for a in l %}{{ loop.fancy is defined }}{{ loop['index'] }}{% endfor %}",
        "False1False2False3"},
       {"{% set ns = namespace() %}{% for a in l %}{% set ns.l = loop %}{{ loop.changed(1) }}{% "
        "endfor %}{{ ns.l.index }}",
        "TrueFalseFalse3"},
       {"{% for a in l %}{% set x %}{{ a }}{% if a == 1 %}{% continue %}{% endif %}!{% endset %}{{ "
        "x }}{% endfor %}",
        "3!2!"},
       {"{% for a in l %}{% filter upper %}b{% if a == 1 %}{% break %}{% endif %}{% endfilter %}{% "
        "endfor %}",
        "B"}});
}

}  // namespace
}  // namespace steer::jinja
