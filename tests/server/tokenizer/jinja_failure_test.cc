// Rendering fails with the cause where Python raises, and says "not built" where Python has an answer that the engine has not.
#include <string>

#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "gtest/gtest.h"
#include "tests/server/tokenizer/jinja_golden.h"

namespace steer::jinja {
namespace {

struct Failure {
  const char* expression;
  const char* message;
};

void ExpectFailures(const std::vector<Failure>& failures) {
  const Variables context = GoldenContext();
  for (const Failure& failure : failures) {
    SCOPED_TRACE(failure.expression);
    const std::string source(failure.expression);
    auto compiled =
        Template::Compile(source.substr(0, 2) == "{%" ? source : "{{ " + source + " }}");
    ASSERT_TRUE(compiled.ok()) << compiled.status();
    const auto text = (*compiled)->Render(context);
    EXPECT_EQ(text.status().code(), absl::StatusCode::kInvalidArgument) << text.value_or("");
    EXPECT_EQ(ReasonOf(text.status()), "TEMPLATE_FAILED");
    const std::string message(text.status().message());
    EXPECT_EQ(message.substr(0, 8), "line 1: ") << message;
    EXPECT_NE(message.find(failure.message), std::string::npos) << message;
  }
}

TEST(JinjaFailure, Arithmetic) {
  ExpectFailures({
      {"0 ** -1", "0 cannot be raised to a negative power"},
      {"0.0 ** -1", "0.0 cannot be raised to a negative power"},
      {"(-8.0) ** 0.5", "complex numbers are not built"},
      {"1e300 ** 2", "the result is too large"},
      {"10 ** 20", "beyond 64 bits is not built"},
      {"1.0 // 0", "float division by zero"},
      {"1 % 0", "division by zero"},
      {"(2 ** 60) / 1", "dividing integers beyond 2^53 is not built"},
      {"-(2 ** 60) / 1", "dividing integers beyond 2^53 is not built"},
      {"1 / (2 ** 60)", "dividing integers beyond 2^53 is not built"},
      {"1 / -(2 ** 60)", "dividing integers beyond 2^53 is not built"},
      {"d.keys() - l", "set operations on views are not built"},
      {"l - d.keys()", "set operations on views are not built"},
      {"l - l", "unsupported operand types for -: 'list' and 'list'"},
      {"2 * {}", "unsupported operand types for *: 'int' and 'dict'"},
      {"(s|safe) - 1", "unsupported operand types for -: 'Markup' and 'int'"},
      {"-range(3)", "bad operand type for unary -: 'range'"},
      {"+range", "bad operand type for unary +: 'function'"},
      {"-(l|map('string'))", "bad operand type for unary -: 'generator'"},
      {"-d.items()", "bad operand type for unary -: 'dict_items'"},
      {"-namespace()", "bad operand type for unary -: 'Namespace'"},
      {"{% for x in l %}{{ -loop }}{% endfor %}", "bad operand type for unary -: 'LoopContext'"},
      {"s % 1", "formatting a string with % is not built"},
  });
}

TEST(JinjaFailure, Comparison) {
  ExpectFailures({
      {"d.keys() == d.keys()", "comparing the views that keys(), values() and items() give"},
      {"range == dict", "comparing functions is not built"},
      {"('nan'|float) <= 'a'", "'<' is not supported between 'float' and 'str'"},
      {"'a' >= ('nan'|float)", "'<' is not supported between 'str' and 'float'"},
      {"missing < 1", "'missing' is undefined"},
      {"1 < missing", "'missing' is undefined"},
      {"[1, 'a']|sort", "'<' is not supported between 'str' and 'int'"},
      {"1 in 's'", "'in <string>' requires a string on its left, not 'int'"},
      {"1 in n", "a value of type 'int' is not iterable"},
      {"{l: 1}", "a value of type 'list' cannot be hashed"},
      {"{d: 1}", "a value of type 'dict' cannot be hashed"},
      {"{d.items(): 1}", "a value of type 'dict_items' cannot be hashed"},
      {"{(1, l): 1}", "a value of type 'list' cannot be hashed"},
      {"(l|map('string'))|length", "a value of type 'generator' has no length"},
      {"{% for x in l %}{{ loop|list }}{% endfor %}", "iterating over the loop variable"},
      {"[range, dict]|unique|list", "comparing functions is not built"},
      {"1 is sameas 1", "'sameas' is built for none, true and false only"},
  });
}

TEST(JinjaFailure, NumberFilters) {
  ExpectFailures({
      {"'\\u0663'|int", "int: digits outside ASCII are not built"},
      {"'\\u0663'|float", "float: digits outside ASCII are not built"},
      {"'99999999999999999999'|int", "an integer beyond 64 bits is not built"},
      {"'-99999999999999999999'|int", "an integer beyond 64 bits is not built"},
      {"1e300|int", "an integer beyond 64 bits is not built"},
      {"'1e300'|int", "an integer beyond 64 bits is not built"},
      {"('inf'|float)|int", "cannot convert float infinity to integer"},
      {"'1'|int(0, 'x')", "int needs an integer, not a value of type 'str'"},
      {"'1'|int(0, missing)", "'missing' is undefined"},
      {"'1'|int(0, 7)", "int: only bases 2, 8, 10 and 16 are built"},
      {"7|round(-1)", "round: a negative precision is not built"},
      {"7.5|round(-1)", "round: a negative precision is not built"},
      {"7.5|round(-1, 'ceil')", "round: a precision outside 0..15 is not built"},
      {"7.5|round(16, 'floor')", "round: a precision outside 0..15 is not built"},
      {"1e16|round(0, 'ceil')", "round: the number is too large"},
      {"('inf'|float)|round(0, 'floor')", "round: the number is too large"},
      {"1.5|round('a')", "round needs an integer, not a value of type 'str'"},
      {"1.5|round(1, 2)", "round needs a string, not a value of type 'int'"},
      {"1.5|round(1, 'up')", "round: method must be common, ceil or floor"},
      {"s|round", "round: bad operand type 'str'"},
      {"s|abs", "abs: bad operand type 'str'"},
      {"l|sum(start='a')", "sum cannot add strings"},
      {"[1]|sum(attribute='a.b')", "'int object' has no attribute 'a'"},
      {"words|sum", "unsupported operand types for +: 'int' and 'str'"},
  });
}

TEST(JinjaFailure, SequenceFilters) {
  ExpectFailures({
      {"rows|map(attribute='n.99999999999999999999')|list", "an attribute's index is too large"},
      {"rows|map(attribute='zz.y')|list", "'dict object' has no attribute 'zz'"},
      {"l|map(default=1)|list", "map needs the name of a filter or attribute=..."},
      {"l|map()|list", "map needs the name of a filter or attribute=..."},
      {"[[1]]|map('map', 1)|map('list')|list", "map needs the name of a filter or attribute=..."},
      {"l|map(attribute='a', fancy=1)", "map has no argument named 'fancy'"},
      {"['a']|map('replace', 'a')", "replace needs the argument 'new'"},
      {"['a']|map('trim', 'a', chars='b')", "trim gets two values for 'chars'"},
      {"[['a']]|map('map', 'fancy')", "the filter 'fancy' is not built"},
      {"[[1]]|map('select', 'fancy')", "the test 'fancy' is not built"},
      {"[[1]]|map('select', 1)", "the name of a test must be a string"},
      {"[[1]]|map('rejectattr')", "need the name of an attribute"},
      {"[[1]]|map('select', 'eq')", "eq needs the argument 'other'"},
      {"n|map('upper')", "a value of type 'int' is not iterable"},
      {"n|select", "a value of type 'int' is not iterable"},
      {"n|last", "a value of type 'int' is not iterable"},
      {"(l|map('string'))|last", "last: a generator cannot be reversed"},
      {"n|sort", "a value of type 'int' is not iterable"},
      {"n|unique", "a value of type 'int' is not iterable"},
      {"n|min", "a value of type 'int' is not iterable"},
      {"[1]|sort(attribute='a.b')", "'int object' has no attribute 'a'"},
      {"[1]|unique(attribute='a.b')", "'int object' has no attribute 'a'"},
      {"[1]|max(attribute='a.b')", "'int object' has no attribute 'a'"},
      {"d|dictsort(by=1)", "dictsort needs a string, not a value of type 'int'"},
      {"d|dictsort(by='x')", "dictsort: by must be \"key\" or \"value\""},
      {"n|dictsort", "dictsort needs a mapping"},
      {"l|items", "items needs a mapping"},
      {"n|attr(1)", "attr needs a string, not a value of type 'int'"},
      {"d|attr('keys')", "attr is built for namespaces and loops only"},
      {"n|attr('_x')", "attr is built for namespaces and loops only"},
  });
}

TEST(JinjaFailure, TextFilters) {
  ExpectFailures({
      {"range|upper", "printing a value of type 'function'"},
      {"range|title", "printing a value of type 'function'"},
      {"range|trim", "printing a value of type 'function'"},
      {"range|string", "printing a value of type 'function'"},
      {"range|safe", "printing a value of type 'function'"},
      {"range|e", "printing a value of type 'function'"},
      {"range|replace('a', 'b')", "printing a value of type 'function'"},
      {"s|replace(range, 'b')", "printing a value of type 'function'"},
      {"s|replace('a', range)", "printing a value of type 'function'"},
      {"s|replace('a', 'b', 'x')", "replace needs an integer, not a value of type 'str'"},
      {"range is lower", "printing a value of type 'function'"},
      {"l|join(range)", "printing a value of type 'function'"},
      {"[range]|join", "printing a value of type 'function'"},
      {"['a']|join(attribute='b.c')", "'str object' has no attribute 'b'"},
      {"{% for x in [1, 'a'] if x < 5 %}{{ loop }}{% endfor %}", "'<' is not supported"},
      {"s|trim(1)", "trim needs a string, not a value of type 'int'"},
      {"missing|indent", "'missing' is undefined"},
      {"n|indent", "indent needs a string, not a value of type 'int'"},
      {"s|safe|indent", "indent of a safe string is not built"},
      {"s|indent([1])", "indent needs an integer, not a value of type 'list'"},
      {"d|tojson(indent=[1])", "tojson needs an integer, not a value of type 'list'"},
      {"d|tojson(separators=1)", "tojson: separators must be two strings"},
      {"d|tojson(separators=(',',))", "tojson: separators must be two strings"},
      {"d|tojson(separators=(1, 'a'))", "tojson: separators must be two strings"},
      {"d|tojson(separators=('a', 1))", "tojson: separators must be two strings"},
  });
}

TEST(JinjaFailure, Methods) {
  ExpectFailures({
      {"s.casefold", "the attribute 'casefold' of 'str object' is not built"},
      {"s['format']", "the attribute 'format' of 'str object' is not built"},
      {"(s|safe).striptags", "the attribute 'striptags' of 'Markup object' is not built"},
      {"f.is_integer", "the attribute 'is_integer' of 'float object' is not built"},
      {"n.bit_length", "the attribute 'bit_length' of 'int object' is not built"},
      {"t.real", "the attribute 'real' of 'bool object' is not built"},
      {"d.fromkeys", "the attribute 'fromkeys' of 'dict object' is not built"},
      {"d.keys().mapping", "the attribute 'mapping' of 'dict_keys object' is not built"},
      {"(l|map('string')).send", "the attribute 'send' of 'generator object' is not built"},
      {"{% macro m() %}{% endmacro %}{{ m.name }}", "the attribute 'name' of 'function object'"},
      {"{% for x in l %}{{ loop.cycle(a=1) }}{% endfor %}", "loop.cycle takes no arguments with"},
      {"{% for x in l %}{{ loop.cycle() }}{% endfor %}", "no items for cycling given"},
      {"('a'|safe).replace('<', 'b')", "'replace' of a safe string with an argument that needs"},
      {"(','|safe).join(words)", "'join' of a safe string is not built"},
      {"[1].index(1, 'a')", "index needs an integer, not a value of type 'str'"},
      {"[1].index(1, 0, 'a')", "index needs an integer, not a value of type 'str'"},
      {"[1].index(2, 0, 99)", "the value is not in the list"},
      {"range(3).index(7)", "the value is not in the list"},
      {"[range].index(dict)", "comparing functions is not built"},
      {"[range].count(dict)", "comparing functions is not built"},
      {"s.split('o', 'x')", "split needs an integer, not a value of type 'str'"},
      {"s.split(1)", "split needs a string, not a value of type 'int'"},
      {"s.rsplit('')", "split: the separator is empty"},
      {"s.partition('')", "partition: the separator is empty"},
      {"s.partition(1)", "partition needs a string, not a value of type 'int'"},
      {"s.find('o', 'x')", "find needs an integer, not a value of type 'str'"},
      {"s.find('o', 0, 'x')", "find needs an integer, not a value of type 'str'"},
      {"s.find(1)", "find needs a string, not a value of type 'int'"},
      {"s.count(1)", "count needs a string, not a value of type 'int'"},
      {"s.count('l', 'x')", "count needs an integer, not a value of type 'str'"},
      {"s.index('zz')", "substring not found"},
      {"s.startswith('H', 'x')", "startswith needs an integer, not a value of type 'str'"},
      {"s.startswith(('x', 1))", "need a string or a tuple of strings"},
      {"s.endswith((missing,))", "'missing' is undefined"},
      {"s.replace(1, 'a')", "replace needs a string, not a value of type 'int'"},
      {"s.replace('a', 1)", "replace needs a string, not a value of type 'int'"},
      {"s.replace('a', 'b', 'x')", "replace needs an integer, not a value of type 'str'"},
      {"','.join(5)", "a value of type 'int' is not iterable"},
      {"','.join(['a', none])", "join: item 1 is of type 'NoneType', not a string"},
      {"s.removeprefix(1)", "removeprefix needs a string, not a value of type 'int'"},
      {"s.center(20, 1)", "center needs a string, not a value of type 'int'"},
      {"s.center(20, 'ab')", "the fill must be one character"},
      {"s.zfill('x')", "zfill needs an integer, not a value of type 'str'"},
      {"s.strip(1)", "strip needs a string, not a value of type 'int'"},
  });
}

TEST(JinjaFailure, CallsAndFunctions) {
  ExpectFailures({
      {"{% set q = 1 %}{{ q() }}", "a value of type 'int' is not callable"},
      {"{% set r = range %}{{ r() }}", "range needs the argument 'start'"},
      {"{% set r = raise_exception %}{{ r() }}", "raise_exception needs the argument 'message'"},
      {"raise_exception(range)", "printing a value of type 'function'"},
      {"range('a')", "range needs an integer, not a value of type 'str'"},
      {"range(1, 'a')", "range needs an integer, not a value of type 'str'"},
      {"range(1, 2, 'a')", "range needs an integer, not a value of type 'str'"},
      {"range(1, 2, 0)", "range: the step must not be zero"},
      {"range(2 ** 60)", "range: a bound beyond 2^53 is not built"},
      {"range(-(2 ** 60), 0)", "range: a bound beyond 2^53 is not built"},
      {"dict(1, 2)", "take one argument without a name at most"},
      {"dict([(1, 2, 3)])", "dict needs pairs"},
      {"dict([([], 1)])", "a value of type 'list' cannot be hashed"},
      {"dict([1])", "a value of type 'int' is not iterable"},
      {"namespace({1: 2})", "namespace: a name is not a string"},
      {"{% macro m(a) %}{% endmacro %}{{ m(b=1) }}", "the macro 'm' has no parameter 'b'"},
      {"{% macro m(a) %}{% endmacro %}{{ m(1, 2) }}", "the macro 'm' takes not more than 1"},
      {"{% macro m(a=missing.x) %}{% endmacro %}{{ m() }}", "'missing' is undefined"},
  });
}

// A value that came with no message at all, as from a caller in C++.
TEST(JinjaFailure, AnUndefinedValueWithoutAMessage) {
  auto compiled = Template::Compile("{{ x is defined }}{{ x.y }}");
  ASSERT_TRUE(compiled.ok()) << compiled.status();
  EXPECT_EQ((*compiled)->Render({{"x", Value()}}).status().message(),
            "line 1: a value is undefined");
}

}  // namespace
}  // namespace steer::jinja
