// One small tokenizer for each kind of node and option: ids, texts and streams equal the library's.
#include "tests/server/tokenizer/tokenizer_golden.h"

namespace steer {
namespace {

TEST(VariantsTest, IdsAndTextsEqualTheLibrarys) {
  Json golden = GoldenJson("variants.json");
  ASSERT_GE(golden["variants"].size(), 60u);
  for (const Json& variant : golden["variants"]) {
    SCOPED_TRACE(variant["name"].get<std::string>());
    Json node = golden[variant["base"].get<std::string>()];
    node.update(variant["top"]);
    node["model"].update(variant["model"]);
    auto loaded = Tokenizer::FromJson(node.dump(), "variant");
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    const Tokenizer& tokenizer = **loaded;
    const Json& texts = golden["texts"];
    for (size_t i = 0; i < variant["ids"].size(); ++i) {
      auto want = variant["ids"][i].get<std::vector<int32_t>>();
      if (i < texts.size()) {
        auto ids = tokenizer.Encode(texts[i].get<std::string>());
        ASSERT_TRUE(ids.ok()) << ids.status();
        EXPECT_EQ(*ids, want) << texts[i].dump(-1, ' ', true);
      }
      EXPECT_EQ(Checksum(tokenizer.Decode(want, false)), variant["decoded"][2 * i].get<uint32_t>())
          << testing::PrintToString(want);
      std::string text = tokenizer.Decode(want, true);
      EXPECT_EQ(Checksum(text), variant["decoded"][2 * i + 1].get<uint32_t>())
          << testing::PrintToString(want);
      StreamDecoder stream(*loaded);
      for (int32_t id : want) {
        std::string before = stream.text();
        stream.Push(id);
        ASSERT_EQ(stream.text().substr(0, before.size()), before);
      }
      EXPECT_EQ(text.substr(0, stream.text().size()), stream.text());
      stream.Finish();
      EXPECT_EQ(stream.text(), text);
    }
  }
}

}  // namespace
}  // namespace steer
