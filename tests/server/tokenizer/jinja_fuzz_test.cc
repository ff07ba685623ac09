// Mutated templates end in text or a status, never in a crash. Seeds are fixed; run it under the
// sanitizers, too.
#include <string>
#include <vector>

#include "common/philox.h"
#include "common/utf8.h"
#include "gtest/gtest.h"
#include "tests/server/tokenizer/jinja_golden.h"

namespace steer {
namespace {

class Mutator {
 public:
  explicit Mutator(std::vector<std::string> corpus)
      : corpus_(std::move(corpus)), stream_(20240726, 1) {}
  std::string Next() {
    std::string text = corpus_[Below(corpus_.size())];
    for (size_t i = 0, count = 1 + Below(4); i < count; ++i) {
      const size_t at = Below(text.size() + 1);
      switch (Below(4)) {
        case 0:
          text.erase(at, 1 + Below(6));
          break;
        case 1:
          text.insert(at, 1, static_cast<char>(Below(256)));
          break;
        case 2:
          text.insert(at, kPieces[Below(std::size(kPieces))]);
          break;
        default: {
          const std::string& other = corpus_[Below(corpus_.size())];
          const size_t from = Below(other.size() + 1);
          text.insert(at, other.substr(from, Below(40)));
        }
      }
    }
    return text;
  }

 private:
  static constexpr const char* kPieces[] = {"{{",
                                            "}}",
                                            "{%",
                                            "%}",
                                            "{%-",
                                            "-%}",
                                            "{#",
                                            "#}",
                                            "(",
                                            ")",
                                            "[",
                                            "]",
                                            ":",
                                            "::-1",
                                            "|",
                                            ".",
                                            ",",
                                            " is ",
                                            " not ",
                                            " in ",
                                            " if ",
                                            " else ",
                                            "{% for x in messages %}",
                                            "{% endfor %}",
                                            "{% set x = ",
                                            "{% endif %}",
                                            "|tojson",
                                            "|list",
                                            "|first",
                                            "|int",
                                            "-9223372036854775808",
                                            "9223372036854775807",
                                            "0",
                                            "-1",
                                            "1e308",
                                            "'",
                                            "\"",
                                            "\\",
                                            "loop",
                                            "namespace(",
                                            "range(",
                                            "missing",
                                            "none",
                                            "{% raw %}",
                                            "{% endraw %}",
                                            "{% macro m() %}",
                                            "{% endmacro %}",
                                            "m()",
                                            " ~ ",
                                            " ** ",
                                            " // ",
                                            " % "};
  size_t Below(size_t limit) { return static_cast<size_t>(stream_.Word(index_++) % limit); }
  std::vector<std::string> corpus_;
  PhiloxStream stream_;
  uint64_t index_ = 0;
};

TEST(JinjaFuzz, NoTemplateCrashes) {
  std::vector<std::string> corpus;
  for (const auto& c : ReadGolden("language.json"))
    corpus.push_back(c["template"].get<std::string>());
  ASSERT_FALSE(corpus.empty());
  const jinja::Variables context = GoldenContext();
  Mutator mutator(std::move(corpus));
  int compiled_count = 0, rendered = 0;
  for (int i = 0; i < 40000; ++i) {
    const std::string source = mutator.Next();
    auto compiled = jinja::Template::Compile(source);
    if (!compiled.ok()) {
      ASSERT_FALSE(compiled.status().message().empty()) << source;
      continue;
    }
    ++compiled_count;
    auto text = (*compiled)->Render(context);
    if (text.ok()) {
      ++rendered;
      ASSERT_TRUE(IsValidUtf8(*text)) << source;
    }
  }
  RecordProperty("compiled", compiled_count);
  RecordProperty("rendered", rendered);
  // The mutations must leave enough alive to mean something.
  EXPECT_GT(compiled_count, 5000);
  EXPECT_GT(rendered, 3000);
}

}  // namespace
}  // namespace steer
