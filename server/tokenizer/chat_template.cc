#include "server/tokenizer/chat_template.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/digest.h"
#include "common/errors.h"
#include "common/files.h"
#include "common/json.h"
#include "common/status_macros.h"
#include "common/utf8.h"
#include "server/tokenizer/jinja/template.h"

namespace steer {
namespace {

using jinja::Value;

constexpr int64_t kMaxTemplateFile = int64_t{16}
                                     << 20;  // tokenizer_config.json of Gemma has 1.2 MB

class JinjaChatTemplate : public ChatTemplate {
 public:
  JinjaChatTemplate(std::shared_ptr<const jinja::Template> compiled, ChatTemplateTokens tokens,
                    std::string name, std::string digest)
      : compiled_(std::move(compiled)),
        tokens_(std::move(tokens)),
        name_(std::move(name)),
        digest_(std::move(digest)) {}

  absl::StatusOr<std::string> Render(const std::vector<ChatMessage>& messages,
                                     bool add_generation_prompt) const override {
    jinja::Items list;
    for (size_t i = 0; i < messages.size(); ++i) {
      if (!IsValidUtf8(messages[i].role) || !IsValidUtf8(messages[i].content)) {
        return MakeError(absl::StatusCode::kInvalidArgument, "INVALID_UTF8",
                         absl::StrCat("messages[", i, "]: role or content is not UTF-8"));
      }
      list.push_back(Value::Dict({{Value::String("role"), Value::String(messages[i].role)},
                                  {Value::String("content"), Value::String(messages[i].content)}}));
    }
    jinja::Variables variables = {{"messages", Value::List(std::move(list))},
                                  {"tools", Value::None()},
                                  {"documents", Value::None()},
                                  {"add_generation_prompt", Value::Bool(add_generation_prompt)}};
    // A token that the tokenizer lacks is undefined, not empty.
    if (!tokens_.bos_token.empty())
      variables.emplace_back("bos_token", Value::String(tokens_.bos_token));
    if (!tokens_.eos_token.empty())
      variables.emplace_back("eos_token", Value::String(tokens_.eos_token));
    absl::StatusOr<std::string> text = compiled_->Render(variables);
    if (!text.ok()) return Annotate(text.status(), name_);
    return text;
  }

  const std::string& digest() const override { return digest_; }

 private:
  std::shared_ptr<const jinja::Template> compiled_;
  ChatTemplateTokens tokens_;
  std::string name_;
  std::string digest_;
};

// A special token: a string, or an object with "content"; null or absent is none.
absl::StatusOr<std::string> TokenOf(const Json& config, const char* key) {
  auto it = config.find(key);
  if (it == config.end() || it->is_null()) return std::string();
  if (it->is_string()) return it->get<std::string>();
  if (it->is_object() && it->contains("content") && (*it)["content"].is_string()) {
    return (*it)["content"].get<std::string>();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("\"", key, "\" is neither a string nor an object with \"content\""));
}

// The template of tokenizer_config.json; NOT_FOUND if it has none.
absl::StatusOr<std::string> InlineTemplate(const Json& config) {
  auto it = config.find("chat_template");
  if (it == config.end() || it->is_null()) return absl::NotFoundError("no chat_template");
  if (it->is_string()) return it->get<std::string>();
  if (!it->is_array())
    return absl::InvalidArgumentError("\"chat_template\" is neither a string nor a list");
  for (const Json& entry : *it) {
    if (!entry.is_object() || !entry.contains("name") || !entry.contains("template") ||
        !entry["name"].is_string() || !entry["template"].is_string()) {
      return absl::InvalidArgumentError(
          "\"chat_template\" is a list with an entry that lacks \"name\" or \"template\"");
    }
    if (entry["name"] == "default") return entry["template"].get<std::string>();
  }
  return absl::InvalidArgumentError(
      "\"chat_template\" is a list without an entry named \"default\"");
}

}  // namespace

absl::StatusOr<std::shared_ptr<const ChatTemplate>> ChatTemplate::Parse(absl::string_view source,
                                                                        ChatTemplateTokens tokens,
                                                                        absl::string_view name) {
  if (!IsValidUtf8(tokens.bos_token) || !IsValidUtf8(tokens.eos_token)) {
    return absl::InvalidArgumentError(absl::StrCat(name, ": bos_token or eos_token is not UTF-8"));
  }
  absl::StatusOr<std::shared_ptr<const jinja::Template>> compiled =
      jinja::Template::Compile(source);
  if (!compiled.ok()) return Annotate(compiled.status(), name);
  std::string digest = Sha256().Field(source).Field(tokens.bos_token).Field(tokens.eos_token).Hex();
  return std::make_shared<const JinjaChatTemplate>(*std::move(compiled), std::move(tokens),
                                                   std::string(name), std::move(digest));
}

absl::StatusOr<std::shared_ptr<const ChatTemplate>> ChatTemplate::Load(const std::string& folder) {
  const std::string config_path = absl::StrCat(folder, "/tokenizer_config.json");
  Json config = Json::object();
  absl::StatusOr<std::string> config_text = ReadFile(config_path, kMaxTemplateFile);
  if (config_text.ok()) {
    absl::StatusOr<Json> parsed = ParseJson(*config_text);
    if (!parsed.ok()) return Annotate(parsed.status(), config_path);
    config = *std::move(parsed);
    if (!config.is_object())
      return absl::InvalidArgumentError(absl::StrCat(config_path, ": not a JSON object"));
  } else if (!absl::IsNotFound(config_text.status())) {
    return config_text.status();
  }
  ChatTemplateTokens tokens;
  for (auto [key, token] :
       {std::make_pair("bos_token", &tokens.bos_token), {"eos_token", &tokens.eos_token}}) {
    absl::StatusOr<std::string> value = TokenOf(config, key);
    if (!value.ok()) return Annotate(value.status(), config_path);
    *token = *std::move(value);
  }
  const std::string template_path = absl::StrCat(folder, "/chat_template.jinja");
  absl::StatusOr<std::string> source = ReadFile(template_path, kMaxTemplateFile);
  if (source.ok()) return Parse(*source, std::move(tokens), template_path);
  if (!absl::IsNotFound(source.status())) return source.status();
  source = InlineTemplate(config);
  if (absl::IsNotFound(source.status())) {
    return MakeError(
        absl::StatusCode::kFailedPrecondition, "NO_CHAT_TEMPLATE",
        absl::StrCat(
            folder,
            ": neither chat_template.jinja nor a chat_template in tokenizer_config.json. A "
            "base model has none: take its chat version (\"-Instruct\", \"-it\"), or write "
            "one into chat_template.jinja"));
  }
  if (!source.ok()) return Annotate(source.status(), config_path);
  return Parse(*source, std::move(tokens), absl::StrCat(config_path, ": chat_template"));
}

}  // namespace steer
