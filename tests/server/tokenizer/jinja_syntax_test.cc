// What is not in the grammar, or fails in a rendering, is named with its line.
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/errors.h"
#include "gtest/gtest.h"
#include "server/tokenizer/jinja/string_literal.h"
#include "server/tokenizer/jinja/template.h"

namespace steer::jinja {
namespace {

struct Mistake {
  const char* source;
  const char* named;  // must be in the message
};

void ExpectNamed(const absl::Status& status, absl::string_view reason, absl::string_view named) {
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_EQ(ReasonOf(status), reason);
  EXPECT_TRUE(absl::StartsWith(status.message(), "line 2: ")) << status;
  EXPECT_TRUE(absl::StrContains(status.message(), named)) << status;
}

TEST(JinjaSyntax, EveryMistakeIsNamed) {
  for (const Mistake& mistake : {
           Mistake{"{{ f(a=1, a=2) }}", "the argument 'a' is given twice"},
           {"{{ f(a=1, 2) }}", "without a name follows one with a name"},
           {"{{ x|trim()(*a) }}", "'*' before an argument is not built"},
           {"{{ x|trim()(1 2) }}", "expected ')', got '2'"},
           {"{{ x.99999999999999999999 }}", "an integer beyond 64 bits"},
           {"{{ x.'a' }}", "expected a name or a number after '.', got a string"},
           {"{{ x[1:, 2] }}", "a tuple of slices is not built"},
           {"{{ 00x1 }}", "expected '}}', got 'x1'"},
           {"{{ 1_", "expected '}}', got '_'"},
           {"{{ 1_0e }}", "expected '}}', got 'e'"},
           {"{{ 2e+ }}", "expected '}}', got 'e'"},
           {"{{ 1 %}", "unexpected '}'"},
           {"{% if 1 }}", "unexpected '}'"},
           {"{% set x = 1", "expected '%}', got the end of the template"},
           {"{% set (a = 1) %}", "expected ')', got '='"},
           {"{% set x | 1 %}{% endset %}", "expected a name, got '1'"},
           {"{% set x | trim | 1 %}{% endset %}", "expected a name, got '1'"},
           {"{% filter upper | 1 %}{% endfilter %}", "expected a name, got '1'"},
           {"{% with 1 = 2 %}{% endwith %}", "expected a name, got '1'"},
           {"{% macro m(a, a) %}{% endmacro %}", "the parameter 'a' is named twice"},
           {"{% macro m(caller) %}{% endmacro %}", "a parameter named 'caller' is not built"},
           {"{% macro m(a=) %}{% endmacro %}", "expected an expression, got ')'"},
           {"{% call(a, a) m() %}{% endcall %}", "the parameter 'a' is named twice"},
           {"{% macro m 1 %}{% endmacro %}", "expected '(', got '1'"},
           {"{{ 1 or }}", "expected an expression, got '}}'"},
           {"{{ 1 and }}", "expected an expression, got '}}'"},
           {"{{ 1 < }}", "expected an expression, got '}}'"},
           {"{{ 1 ~ }}", "expected an expression, got '}}'"},
           {"{{ 1 * }}", "expected an expression, got '}}'"},
           {"{{ 1 ** }}", "expected an expression, got '}}'"},
           {"{{ (1 2) }}", "expected ')', got '2'"},
           {"{{ {1: 2 3} }}", "expected '}', got '3'"},
           {"{{ x not y }}", "expected '}}', got 'not'"},
           {"{{ x[1, ] }}", "expected an expression, got ']'"},
           {"{{ x[1, *] }}", "expected an expression, got '*'"},
           {"{{ x[1 2] }}", "expected ']', got '2'"},
           {"{{ x[1:*] }}", "expected an expression, got '*'"},
           {"{{ f(a=) }}", "expected an expression, got ')'"},
           {"{{ x|a.1 }}", "expected a name, got '1'"},
           {"{{ x|trim(*a) }}", "'*' before an argument"},
           {"{{ x is eq(*a) }}", "'*' before an argument"},
           {"{{ (x is eq [*]) }}", "expected an expression, got '*'"},
           {"{{ x is eq y.* }}", "after '.', got '*'"},
           {"{{ x|trim()() }}", "a call of a computed value"},
           {"{% for a in %}{% endfor %}", "expected an expression, got '%}'"},
           {"{% for a in b if %}{% endfor %}", "expected an expression, got '%}'"},
           {"{% for a in b %}{% else %}", "a block needs {% endfor %}"},
           {"{% if 1 %}{% else %}", "a block needs {% endif %}"},
           {"{% set a. = 1 %}", "expected a name, got '='"},
           {"{% set %}", "expected a name to assign to, got '%}'"},
           {"{% macro m(1) %}{% endmacro %}", "expected a name, got '1'"},
           {"{% call 1 + %}{% endcall %}", "expected an expression, got '%}'"},
           {"{% call x %}{% endcall %}", "the tag 'call' needs a call"},
           {"{% call f() %}", "a block needs {% endcall %}"},
           {"{% filter 1 %}{% endfilter %}", "expected a name, got '1'"},
           {"{% with a %}{% endwith %}", "expected '=', got '%}'"},
           {"{% with a = %}{% endwith %}", "expected an expression, got '%}'"},
           {"{% with a = 1 %}", "a block needs {% endwith %}"},
           {"{% print * %}", "expected an expression, got '*'"},
           {"{% generation %}", "a block needs {% endgeneration %}"},
           {"{{ '\\x4!' }}", "a truncated \\x"},
           {"{{ '\\xg0' }}", "a truncated \\x"},
           {"{{ '\\x:0' }}", "a truncated \\x"},
           {"{{ '\\\u00e9' }}", "a backslash before a character outside ASCII"},
           {"{{", "expected an expression, got the end of the template"},
           {"{{ 0", "expected '}}', got the end of the template"},
           {"{{ 1.", "after '.', got the end of the template"},
           {"{{ 1e", "expected '}}', got 'e'"},
           {"{{ 1_x }}", "expected '}}', got '_x'"},
           {"{{ a\u00e9 }}", "a name with a character outside ASCII"},
           {"{% raw %}a{% endraw", "{% raw %} has no {% endraw %}"},
           {"{{ '\\U00110000' }}", "an escape that is not a character"},
           {"{{ '\\x4' }}", "a truncated \\x, \\u or \\U escape"},
       }) {
    SCOPED_TRACE(mistake.source);
    ExpectNamed(Template::Compile(absl::StrCat("a\n", mistake.source)).status(), "INVALID_TEMPLATE",
                mistake.named);
  }
}

TEST(JinjaSyntax, EveryFailureOfARenderingIsNamed) {
  for (const Mistake& mistake : {
           Mistake{"{{ 'a'.format }}", "the attribute 'format' of 'str object' is not built"},
           {"{{ 'a'['format'] }}", "the attribute 'format' of 'str object' is not built"},
           {"{{ 'a'['__class__'] }}", "the attribute '__class__' is not built"},
           {"{{ range(0 - 2**52, 2**52, 2**51)[::5] }}", "a range with a step beyond 2^53"},
           {"{{ range(0 - 2**52, 2**52, 2**51)[::-5] }}", "a range with a step beyond 2^53"},
           {"{% for a in [1, 0] if 1 // a %}{{ loop.length }}{% endfor %}", "zero"},
           {"{% for a in [1, 0] if 1 // a %}{{ loop.revindex }}{% endfor %}", "zero"},
           {"{% for a in [1, 0] if 1 // a %}{{ loop.last }}{% endfor %}", "zero"},
           {"{% for a in [1, 0] if 1 // a %}{{ loop['nextitem'] }}{% endfor %}", "zero"},
           {"{% for a, b in [[1]] if a %}{% endfor %}", "cannot unpack 1 value(s) into 2"},
           {"{% for a in [1] %}{{ loop.cycle() }}{% endfor %}", "no items for cycling given"},
           {"{% set ns = namespace() %}{% for a in [1] %}{% set ns.l = loop %}{% endfor %}"
            "{{ ns.l.changed(1) }}",
            "loop.changed after the end of its loop is not built"},
           {"{% set x | join(missing.y) %}a{% endset %}", "'missing' is undefined"},
           {"{% filter join(missing.y) %}a{% endfilter %}", "'missing' is undefined"},
           {"{% set a, b | trim %}abc{% endset %}", "cannot unpack 3 value(s) into 2"},
           {"{% set a.b %}abc{% endset %}", "which is not a namespace"},
           {"{% for a in missing.b %}{% endfor %}", "'missing' is undefined"},
           {"{% with a = missing.b %}{% endwith %}", "'missing' is undefined"},
           {"{{ {1: 2, 'a': 3, none: 4, 'b': 5}|tojson(sort_keys=true) }}", "'<' is not supported"},
           {"{{ {(1, 2): 3}|tojson }}", "a key of type 'tuple' has no JSON form"},
       }) {
    SCOPED_TRACE(mistake.source);
    auto compiled = Template::Compile(absl::StrCat("a\n", mistake.source));
    ASSERT_TRUE(compiled.ok()) << compiled.status();
    ExpectNamed((*compiled)->Render({}).status(), "TEMPLATE_FAILED", mistake.named);
  }
}

// Whatever stands around an expression that is as high as can be makes it too high.
TEST(JinjaSyntax, EveryNodeCountsTheHeight) {
  auto compile = [](absl::string_view form, const std::string& sum) {
    return Template::Compile(absl::StrCat("a\n{{ ", absl::StrReplaceAll(form, {{"@", sum}}), " }}"))
        .status();
  };
  std::string highest;
  for (std::string sum = "1"; compile("@", sum).ok(); absl::StrAppend(&sum, " + 1")) highest = sum;
  ASSERT_GT(highest.size(), 1000u);
  for (absl::string_view form : {"(@) + 1",
                                 "(@) * 1",
                                 "(@) ** 1",
                                 "(@) ~ 1",
                                 "(@) < 1",
                                 "(@) or 1",
                                 "(@) and 1",
                                 "not (@)",
                                 "-(@)",
                                 "1 if (@)",
                                 "[@]",
                                 "(@,)",
                                 "{@: 1}",
                                 "{1: @}",
                                 "(@).x",
                                 "(@).1",
                                 "(@)[1]",
                                 "x[@]",
                                 "x[@, 1]",
                                 "x[@:]",
                                 "x[:@]",
                                 "x[::@]",
                                 "range(@)",
                                 "dict(a=@)",
                                 "(@)|trim",
                                 "x|trim()(@)",
                                 "x|trim(@)",
                                 "(@) is defined",
                                 "x is eq(@)",
                                 "x is eq (@)",
                                 "(@) is not defined"}) {
    SCOPED_TRACE(form);
    ExpectNamed(compile(form, highest), "INVALID_TEMPLATE", "nested deeper than 300");
  }
  // A condition is met at the limit of nesting too, not only what it stands in.
  for (absl::string_view before : {"", "not "}) {
    ExpectNamed(
        compile(absl::StrCat(before, "@"), std::string(200, '(') + "1" + std::string(200, ')')),
        "INVALID_TEMPLATE", "nested deeper than 100");
  }
  std::string conditions = "1";
  for (int i = 0; i < 400; ++i) conditions += " if 1";
  ExpectNamed(compile("@", conditions), "INVALID_TEMPLATE", "nested deeper than 300");
}

TEST(JinjaSyntax, ABackslashAtTheEndOfALiteral) {
  const absl::Status status = Unescape("a\\", 2).status();
  ExpectNamed(status, "INVALID_TEMPLATE", "a string ends in a backslash");
}

TEST(JinjaSyntax, ATemplateOfMoreThanAMebibyte) {
  const std::string longest(size_t{1} << 20, 'a');
  EXPECT_TRUE(Template::Compile(longest).ok());
  const absl::Status status = Template::Compile(longest + "a").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ReasonOf(status), "TEMPLATE_TOO_EXPENSIVE");
  EXPECT_TRUE(absl::StrContains(status.message(), "longer than 1048576 bytes")) << status;
}

// Each way of writing meets a text that is as long as it may be.
TEST(JinjaSyntax, OneByteMoreThanARenderingMayGive) {
  for (absl::string_view more :
       {"", "y", "{{ 1 }}", "{{ 'y' }}", "{% filter upper %}y{% endfilter %}",
        "{% macro m() %}{{ caller() }}{% endmacro %}{% call m() %}y{% endcall %}"}) {
    SCOPED_TRACE(more);
    auto compiled = Template::Compile(absl::StrCat("{{ 'x' * 1048576 }}", more));
    ASSERT_TRUE(compiled.ok()) << compiled.status();
    const absl::Status status = (*compiled)->Render({}).status();
    if (more.empty()) {
      EXPECT_TRUE(status.ok()) << status;
    } else {
      EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
      EXPECT_TRUE(absl::StrContains(status.message(), "gives more than 1048576 bytes")) << status;
    }
  }
}

}  // namespace
}  // namespace steer::jinja
