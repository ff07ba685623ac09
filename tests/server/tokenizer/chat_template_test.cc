#include "server/tokenizer/chat_template.h"

#include <filesystem>
#include <fstream>

#include "common/errors.h"
#include "gtest/gtest.h"
#include "tests/server/tokenizer/jinja_golden.h"
#include "tests/support/paths.h"

namespace steer {
namespace {

class ChatTemplateGolden : public testing::TestWithParam<const char*> {};

TEST_P(ChatTemplateGolden, EqualsTransformers) {
  const std::string folder = SharedPath(std::string("tokenizers/") + GetParam());
  if (folder.empty())
    GTEST_SKIP() << "no ../shared/tokenizers/" << GetParam() << " beside the repository";
  auto chat = ChatTemplate::Load(folder);
  ASSERT_TRUE(chat.ok()) << chat.status();
  int checked = 0;
  for (const auto& c : ReadGolden("chat.json")) {
    if (c["family"] != GetParam()) continue;
    SCOPED_TRACE(c["messages"].dump().substr(0, 300));
    ++checked;
    std::vector<ChatMessage> messages;
    for (const auto& m : c["messages"]) {
      messages.push_back({m["role"].get<std::string>(), m["content"].get<std::string>()});
    }
    auto text = (*chat)->Render(messages, c["add_generation_prompt"].get<bool>());
    if (c.contains("error")) {
      EXPECT_EQ(text.status().code(), absl::StatusCode::kInvalidArgument);
    } else {
      ASSERT_TRUE(text.ok()) << text.status();
      EXPECT_EQ(*text, c["text"].get<std::string>());
    }
  }
  EXPECT_EQ(checked, 66);
}

INSTANTIATE_TEST_SUITE_P(Families, ChatTemplateGolden,
                         testing::Values("qwen2_5", "qwen3", "llama3_2", "gemma3"));

// Files in a folder of their own.
class ChatTemplateFiles : public testing::Test {
 protected:
  ChatTemplateFiles() {
    folder_ = testing::TempDir() + "/chat_template_" +
              testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  ~ChatTemplateFiles() override { std::filesystem::remove_all(folder_); }
  void Write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ + "/" + name) << text;
  }
  std::string RenderLoaded() {
    auto chat = ChatTemplate::Load(folder_);
    if (!chat.ok()) return chat.status().ToString();
    return (*chat)->Render({{"user", "hi"}}, true).value_or("failed");
  }
  std::string folder_;
};

TEST_F(ChatTemplateFiles, TheFileWinsOverTheInlineTemplate) {
  Write(
      "tokenizer_config.json",
      R"({"chat_template": "inline {{ messages[0].content }}", "bos_token": {"content": "<b>"}, "eos_token": "<e>"})");
  EXPECT_EQ(RenderLoaded(), "inline hi");
  Write("chat_template.jinja", "{{ bos_token }}{{ messages[0].content }}{{ eos_token }}\n");
  EXPECT_EQ(RenderLoaded(), "<b>hi<e>");
}

TEST_F(ChatTemplateFiles, TakesTheEntryNamedDefault) {
  Write(
      "tokenizer_config.json",
      R"({"chat_template": [{"name": "rag", "template": "r"}, {"name": "default", "template": "d"}]})");
  EXPECT_EQ(RenderLoaded(), "d");
  Write("tokenizer_config.json", R"({"chat_template": [{"name": "rag", "template": "r"}]})");
  EXPECT_NE(RenderLoaded().find("\"default\""), std::string::npos);
}

TEST_F(ChatTemplateFiles, NamesWhatIsMissingOrMalformed) {
  auto none = ChatTemplate::Load(folder_);
  EXPECT_EQ(none.status().code(), absl::StatusCode::kFailedPrecondition);
  for (const char* config :
       {"[]", "{", R"({"chat_template": 1})", R"({"chat_template": [1]})",
        R"({"chat_template": [{"template": "x"}]})", R"({"chat_template": [{"name": "default"}]})",
        R"({"chat_template": [{"name": 1, "template": "x"}]})",
        R"({"chat_template": [{"name": "default", "template": 1}]})",
        R"({"chat_template": "x", "bos_token": {}})",
        R"({"chat_template": "x", "eos_token": {"content": 1}})",
        R"({"chat_template": "x", "bos_token": 3})", R"({"chat_template": "{% if %}"})"}) {
    SCOPED_TRACE(config);
    Write("tokenizer_config.json", config);
    auto chat = ChatTemplate::Load(folder_);
    EXPECT_EQ(chat.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_NE(std::string(chat.status().message()).find("tokenizer_config.json"),
              std::string::npos);
  }
}

TEST_F(ChatTemplateFiles, ANullTemplateIsNone) {
  Write("tokenizer_config.json", R"({"chat_template": null})");
  const absl::Status status = ChatTemplate::Load(folder_).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ReasonOf(status), "NO_CHAT_TEMPLATE");
}

// A file that is there and cannot be read is not taken for one that is not there.
TEST_F(ChatTemplateFiles, AFolderInPlaceOfAFile) {
  for (const char* name : {"chat_template.jinja", "tokenizer_config.json"}) {
    std::filesystem::create_directories(folder_ + "/" + name);
    const absl::Status status = ChatTemplate::Load(folder_).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ(status.message(), folder_ + "/" + name + " is not a regular file");
  }
}

constexpr char kChatMl[] =
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>' + "
    "'\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

TEST(ChatTemplate, RendersChatMl) {
  auto chat = ChatTemplate::Parse(kChatMl, {}, "t");
  ASSERT_TRUE(chat.ok()) << chat.status();
  EXPECT_EQ((*chat)->Render({{"user", "{{ hi }}"}}, true).value(),
            "<|im_start|>user\n{{ hi }}<|im_end|>\n<|im_start|>assistant\n");
  EXPECT_EQ((*chat)->Render({}, false).value(), "");
}

TEST(ChatTemplate, HandsOnTheTemplatesOwnWords) {
  auto chat = ChatTemplate::Parse("{{ raise_exception('roles must ' ~ 'alternate') }}", {}, "t");
  ASSERT_TRUE(chat.ok());
  const absl::Status status = (*chat)->Render({{"user", "x"}}, true).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ReasonOf(status), "TEMPLATE_REFUSED");
  EXPECT_EQ(status.message(), "t: roles must alternate");
}

TEST(ChatTemplate, RefusesTextThatIsNotUtf8) {
  auto chat = ChatTemplate::Parse(kChatMl, {}, "t");
  ASSERT_TRUE(chat.ok());
  EXPECT_EQ((*chat)->Render({{"user", "a\xff"}}, true).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ((*chat)->Render({{"us\xff", "a"}}, true).status().message(),
            "messages[0]: role or content is not UTF-8");
  EXPECT_EQ(ChatTemplate::Parse("\xff", {}, "t").status().code(),
            absl::StatusCode::kInvalidArgument);
  for (const ChatTemplateTokens& tokens :
       {ChatTemplateTokens{"\xff", ""}, ChatTemplateTokens{"", "\xff"}}) {
    const absl::Status status = ChatTemplate::Parse(kChatMl, tokens, "t").status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(status.message(), "t: bos_token or eos_token is not UTF-8");
  }
}

TEST(ChatTemplate, DigestCoversTemplateAndTokens) {
  auto digest = [](const char* source, ChatTemplateTokens tokens) {
    return (*ChatTemplate::Parse(source, tokens, "t"))->digest();
  };
  EXPECT_EQ(digest("a", {"b", "c"}), digest("a", {"b", "c"}));
  EXPECT_NE(digest("a", {"b", "c"}), digest("a", {"bc", ""}));
  EXPECT_NE(digest("a", {"b", "c"}), digest("ab", {"", "c"}));
  EXPECT_EQ(digest("a", {}).size(), 64u);
}

}  // namespace
}  // namespace steer
