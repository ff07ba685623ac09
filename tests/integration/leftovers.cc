#include "tests/integration/leftovers.h"

#include <filesystem>
#include <system_error>
#include <utility>

#include <gtest/gtest.h>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/files.h"

namespace steer {
namespace {

namespace fs = std::filesystem;

// A completion that answers, one that refuses, and what prompts begin with.
constexpr std::pair<const char*, const char*> kWords[] = {
    {"short", "zqcanaryanswer"},    {"subject", "zqcanaryrefusal"}, {"Describe", "Zqcanaryprompta"},
    {"Explain", "Zqcanarypromptb"}, {"Show", "Zqcanarypromptc"},    {"List", "Zqcanarypromptd"},
    {"Compare", "Zqcanaryprompte"}, {"Draw", "Zqcanarypromptf"},    {"Sketch", "Zqcanarypromptg"},
    {"Count", "Zqcanaryprompth"}};

std::string Marked(std::string text, bool tokenizer) {
  for (const auto& [word, mark] : kWords) {
    if (tokenizer) {
      absl::StrReplaceAll(
          {{absl::StrCat("\"", word, "\""), absl::StrCat("\"", mark, "\"")},
           {absl::StrCat("\u0120", word, "\""), absl::StrCat("\u0120", mark, "\"")}},
          &text);
    } else {
      absl::StrReplaceAll({{absl::StrCat("\"", word, " "), absl::StrCat("\"", mark, " ")}}, &text);
    }
  }
  return text;
}

}  // namespace

void MarkModel(const std::string& model, const std::string& folder) {
  fs::copy(model, folder, fs::copy_options::recursive);
  for (const fs::directory_entry& file : fs::directory_iterator(folder)) {
    const std::string path = file.path().string();
    const bool tokenizer = absl::EndsWith(path, "tokenizer.json");
    if (!tokenizer && !absl::EndsWith(path, ".jsonl")) continue;
    const std::string text = Marked(ReadFile(path).value(), tokenizer);
    EXPECT_TRUE(absl::StrContains(absl::AsciiStrToLower(text), kMarkStem)) << path;
    EXPECT_TRUE(WriteFileAtomically(path, text).ok()) << path;
  }
  const std::string chat = folder + "/chat_template.jinja";
  EXPECT_TRUE(WriteFileAtomically(chat, absl::StrCat("{%- set zqcanaryname = 'zqcanarytemplate' %}",
                                                     ReadFile(chat).value()))
                  .ok());
}

std::vector<std::string> FilesThatHold(const std::string& folder,
                                       const std::vector<std::string>& sought,
                                       const std::vector<std::string>& inside, int* searched) {
  std::vector<std::string> found;
  *searched = 0;
  for (const fs::directory_entry& file : fs::recursive_directory_iterator(folder)) {
    const std::string path = file.path().string();
    const auto holds = [&](const std::string& above) {
      return absl::StartsWith(path, above + "/");
    };
    if (!file.is_regular_file() || file.is_symlink() || absl::c_any_of(inside, holds)) continue;
    ++*searched;
    // A file may go while programs still run.
    const std::string text = absl::AsciiStrToLower(ReadFile(path).value_or(""));
    const bool core = absl::StartsWith(file.path().filename().string(), "core");
    const auto in_text = [&](const std::string& word) { return absl::StrContains(text, word); };
    if (core || absl::c_any_of(sought, in_text)) found.push_back(path);
  }
  return found;
}

}  // namespace steer
