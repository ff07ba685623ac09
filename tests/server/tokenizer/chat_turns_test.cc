// Chat templates and the ids of what they write equal transformers' apply_chat_template: one to five turns, odd white space, thoughts, and
// roles in every order, with the template's own words where it refuses them.
#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/server/tokenizer/golden_tokenizers.h"
#include "tests/server/tokenizer/jinja_golden.h"
#include "tests/server/tokenizer/tokenizer_golden.h"

namespace steer {
namespace {

class ChatTurnsTest : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    auto chat = GoldenChatTemplate(GetParam());
    if (absl::IsUnavailable(chat.status())) GTEST_SKIP() << chat.status().message();
    ASSERT_TRUE(chat.ok()) << chat.status();
    chat_ = *chat;
    auto tokenizer = GoldenTokenizer(GetParam());
    ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
    tokenizer_ = *tokenizer;
  }

  std::shared_ptr<const ChatTemplate> chat_;
  std::shared_ptr<const Tokenizer> tokenizer_;
};

std::vector<ChatMessage> Messages(const OrderedJson& conversation) {
  std::vector<ChatMessage> messages;
  for (const auto& m : conversation)
    messages.push_back({m[0].get<std::string>(), m[1].get<std::string>()});
  return messages;
}

TEST_P(ChatTurnsTest, TextsIdsAndRefusalsEqualTransformers) {
  const OrderedJson golden = ReadGolden("turns.json");
  const OrderedJson& conversations = golden["conversations"];
  std::string family = GetParam();
  if (family == "smollm2_file") family = "smollm2";
  const OrderedJson& results = golden["families"][family];
  ASSERT_GE(conversations.size(), 300u);
  ASSERT_EQ(results.size(), 2 * conversations.size());
  int rendered = 0;
  for (size_t i = 0; i < results.size(); ++i) {
    const OrderedJson& conversation = conversations[i / 2];
    SCOPED_TRACE(absl::StrCat(conversation.dump(-1, ' ', true), i % 2 != 0 ? " with prompt" : ""));
    auto text = chat_->Render(Messages(conversation), i % 2 != 0);
    if (results[i].is_array()) {
      ASSERT_TRUE(text.ok()) << text.status();
      ++rendered;
      EXPECT_EQ(Checksum(*text), results[i][0].get<uint32_t>()) << *text;
      auto ids = tokenizer_->Encode(*text);
      ASSERT_TRUE(ids.ok()) << ids.status();
      EXPECT_EQ(Checksum(*ids), results[i][1].get<uint32_t>()) << *text;
      continue;
    }
    EXPECT_EQ(text.status().code(), absl::StatusCode::kInvalidArgument);
    if (results[i].is_string()) {
      EXPECT_TRUE(absl::EndsWith(text.status().message(), ": " + results[i].get<std::string>()))
          << text.status();
    }
  }
  EXPECT_GT(rendered, 300);
}

// All but the one that has no template.
std::vector<std::string> Families() {
  std::vector<std::string> names = GoldenTokenizerNames();
  names.erase(std::remove(names.begin(), names.end(), "gpt2_style"), names.end());
  return names;
}

INSTANTIATE_TEST_SUITE_P(Families, ChatTurnsTest, testing::ValuesIn(Families()),
                         [](const auto& info) { return info.param; });

std::string RenderedBy(const char* name, const std::vector<ChatMessage>& messages) {
  auto chat = GoldenChatTemplate(name);
  return chat.ok() ? (*chat)->Render(messages, true).value_or("refused") : "missing";
}

// What a reader of a result must know about each family, in plain sight.
TEST(ChatTurns, DefaultSystemTexts) {
  if (SharedTokenizer("qwen2_5").empty())
    GTEST_SKIP() << "no ../shared/tokenizers/qwen2_5 beside the repository";
  EXPECT_EQ(RenderedBy("qwen2_5", {{"user", "Hi"}}),
            "<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful "
            "assistant.<|im_end|>\n"
            "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n");
  EXPECT_EQ(
      RenderedBy("qwen2_5", {{"system", ""}, {"user", "Hi"}}),
      "<|im_start|>system\n<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n");
  EXPECT_EQ(RenderedBy("qwen3", {{"user", "Hi"}}),
            "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n");
  EXPECT_EQ(RenderedBy("gemma3", {{"system", "S"}, {"user", " Hi\n"}}),
            "<bos><start_of_turn>user\nS\n\nHi<end_of_turn>\n<start_of_turn>model\n");
  EXPECT_EQ(RenderedBy("smollm2", {{"user", "Hi"}}),
            "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging "
            "Face<|im_end|>\n"
            "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n");
}

// The template writes the BOS; the tokenizer, whose post-processor would, adds no second one.
TEST(ChatTurns, OneBeginningOfText) {
  for (auto [name, token] :
       {std::make_pair("gemma3", "<bos>"), {"llama3_2", "<|begin_of_text|>"}}) {
    auto tokenizer = GoldenTokenizer(name);
    if (absl::IsUnavailable(tokenizer.status())) GTEST_SKIP() << tokenizer.status().message();
    ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
    const auto bos = (*tokenizer)->FindToken(token);
    ASSERT_TRUE(bos.has_value());
    for (const char* content : {"Hi", "", " <b>"}) {
      auto ids = (*tokenizer)->Encode(RenderedBy(name, {{"user", content}}));
      ASSERT_TRUE(ids.ok()) << ids.status();
      EXPECT_EQ(std::count(ids->begin(), ids->end(), *bos), 1) << name;
      EXPECT_EQ(ids->front(), *bos) << name;
    }
  }
}

// The candidate positions of a direction are the tokens behind the instruction.
TEST(ChatTurns, EndOfInstructionTokens) {
  struct Case {
    const char* name;
    std::vector<int32_t> ids;
  };
  for (const Case& c : {Case{"qwen2_5", {151645, 198, 151644, 77091, 198}},
                        Case{"qwen3", {151645, 198, 151644, 77091, 198}},
                        Case{"gemma3", {106, 107, 105, 4368, 107}},
                        Case{"llama3_2", {128009, 128006, 78191, 128007, 271}}}) {
    auto tokenizer = GoldenTokenizer(c.name);
    if (absl::IsUnavailable(tokenizer.status())) GTEST_SKIP() << tokenizer.status().message();
    ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
    auto ids = (*tokenizer)->Encode(RenderedBy(c.name, {{"user", "Name a colour"}}));
    ASSERT_TRUE(ids.ok()) << ids.status();
    ASSERT_GT(ids->size(), c.ids.size());
    EXPECT_EQ(std::vector<int32_t>(ids->end() - static_cast<ptrdiff_t>(c.ids.size()), ids->end()),
              c.ids)
        << c.name;
  }
}

}  // namespace
}  // namespace steer
