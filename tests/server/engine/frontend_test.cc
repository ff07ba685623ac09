// From words to ids: what a prompt may be, and that a system turn is never dropped in silence.
#include "server/engine/frontend.h"

#include "gtest/gtest.h"
#include "server/planted/vocabulary.h"

namespace steer {
namespace {

Frontend MakeFrontend(const std::string& chat_template, int64_t max_tokens = 4096,
                      int64_t lacking = 0) {
  const planted::Vocabulary vocabulary = planted::MakeVocabulary();
  return Frontend(*Tokenizer::FromJson(planted::TokenizerJson(vocabulary), "planted"),
                  *ChatTemplate::Parse(chat_template, {}, "template"), vocabulary.size() - lacking,
                  max_tokens);
}

const char kTrims[] = "{% for m in messages %}<{{ m.role }}>{{ m.content|trim }}{% endfor %}";
const char kDrops[] = "{% for m in messages if m.role != 'system' %}{{ m.content }}{% endfor %}";

TEST(Frontend, SystemTextThatATemplateTrimsIsThere) {
  const Frontend frontend = MakeFrontend(kTrims);
  for (const char* system :
       {"Be brief.", "  Be brief.\n", "\u00a0Be brief.\u3000", "\x1c\x1f Be\u00a0brief.\u2028",
        "\x01 Be brief. \x1b", "", " \t\u2003"}) {
    auto prompt = frontend.Prepare("Hello", std::string(system));
    EXPECT_TRUE(prompt.ok()) << prompt.status() << system;
  }
}

TEST(Frontend, SystemTextThatATemplateDropsIsAnError) {
  const Frontend frontend = MakeFrontend(kDrops);
  EXPECT_TRUE(frontend.Prepare("Hello", absl::nullopt).ok());
  for (const char* system : {"Be brief.", "\u00a0x\u00a0"}) {
    auto prompt = frontend.Prepare("Hello", std::string(system));
    EXPECT_EQ(prompt.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_NE(std::string(prompt.status().message()).find("no place for it"), std::string::npos);
  }
}

TEST(Frontend, PromptsThatAreNoPrompts) {
  const Frontend frontend = MakeFrontend(kTrims, 64);
  struct Case {
    std::string user;
    const char* named;
  };
  for (const Case& c :
       {Case{"", "has 0 bytes; 1 to 32768 are allowed"},
        Case{std::string(32769, 'a'), "has 32769 bytes"},
        Case{std::string("a\0b", 3), "contains a NUL"}, Case{"a\xff", "not valid UTF-8"},
        Case{std::string(65, '!'), "tokens after templating; at most 64 fit"}}) {
    auto prompt = frontend.Prepare(c.user, absl::nullopt);
    EXPECT_EQ(prompt.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_NE(std::string(prompt.status().message()).find(c.named), std::string::npos)
        << prompt.status();
  }
}

// The template's output is encoded as it stands: special tokens in it are single ids, and none is added.
TEST(Frontend, IdsAreThoseOfTheTemplatesText) {
  const planted::Vocabulary vocabulary = planted::MakeVocabulary();
  const Frontend frontend = MakeFrontend("<|im_start|>{{ messages[0].content }}<|im_end|>");
  auto prompt = frontend.Prepare("!", absl::nullopt);
  ASSERT_TRUE(prompt.ok()) << prompt.status();
  EXPECT_EQ(prompt->ids,
            (std::vector<int32_t>{vocabulary.im_start, vocabulary.Find("!"), vocabulary.im_end}));
}

TEST(Frontend, ATemplateThatRaisesOrSaysNothingIsAnError) {
  const auto raised = MakeFrontend("{{ raise_exception('no such turn') }}").Prepare("!", {});
  EXPECT_NE(std::string(raised.status().message()).find("no such turn"), std::string::npos)
      << raised.status();
  const auto silent = MakeFrontend("{{ '' }}").Prepare("!", {});
  EXPECT_EQ(silent.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(std::string(silent.status().message()).find("has no tokens after templating"),
            std::string::npos);
}

// A tokenizer may have more tokens than the embedding has rows.
TEST(Frontend, ATokenThatTheEmbeddingLacksIsAnError) {
  const int32_t last = planted::MakeVocabulary().size() - 1;
  const std::string chat_template = "{{ messages[0].content }}<|im_start|><|im_end|>";
  EXPECT_TRUE(MakeFrontend(chat_template).Prepare("!", {}).ok());
  const auto prompt = MakeFrontend(chat_template, 4096, last).Prepare("!", {});
  EXPECT_EQ(prompt.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(
      std::string(prompt.status().message()).find("which the model's embedding of 1 rows lacks"),
      std::string::npos)
      << prompt.status();
}

}  // namespace
}  // namespace steer
