#include "common/white_space.h"

#include <gtest/gtest.h>

#include "common/json.h"
#include "tests/support/paths.h"

namespace steer {
namespace {

// Oniguruma's \s, which is the property White_Space, over every code point.
TEST(WhiteSpace, IsTheUnicodeProperty) {
  auto golden = ReadJsonFile(SourcePath("tests/golden/tokenizer/unicode.json"));
  ASSERT_TRUE(golden.ok()) << golden.status();
  const Json& ranges = (*golden)["classes"]["\\s"];
  ASSERT_FALSE(ranges.empty());
  for (uint32_t c = 0; c < 0x110000; ++c) {
    bool want = false;
    for (const Json& range : ranges) want |= c >= range[0].get<uint32_t>() && c <= range[1].get<uint32_t>();
    ASSERT_EQ(IsWhiteSpace(c), want) << "U+" << std::hex << c;
  }
}

}  // namespace
}  // namespace steer
