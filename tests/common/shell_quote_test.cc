#include "common/shell_quote.h"

#include <stdio.h>

#include <gtest/gtest.h>

namespace steer {
namespace {

// What a real shell makes of a command line.
std::string FromShell(const std::string& command) {
  FILE* pipe = popen(command.c_str(), "r");
  std::string out;
  char buffer[256];
  for (size_t n; pipe != nullptr && (n = fread(buffer, 1, sizeof(buffer), pipe)) > 0;)
    out.append(buffer, n);
  if (pipe != nullptr) pclose(pipe);
  return out;
}

TEST(ShellQuote, TheShellReadsBackEveryByte) {
  std::string all;
  for (int c = 1; c < 256; ++c) all.push_back(static_cast<char>(c));
  for (const std::string& text :
       {std::string(), std::string("plain/path-1.0"), std::string("it's"), std::string("''"),
        std::string("a b"), std::string("$(touch x) `y` ${z} !1"), std::string("~/x"),
        std::string("*?[a]"), std::string("a;b|c&d>e<f#g"), std::string("\\"), std::string("\n"),
        std::string("#"), std::string("--flag=x y"), std::string("\"${A:?b}\""), all}) {
    EXPECT_EQ(FromShell("printf '<%s>' " + ShellQuote(text) + " x"), "<" + text + "><x>");
  }
  EXPECT_EQ(ShellQuote("plain/path-1.0"), "plain/path-1.0");
  EXPECT_EQ(ShellQuote("it's"), "'it'\\''s'");
}

TEST(OneLine, LeavesTextAndShowsControls) {
  EXPECT_EQ(OneLine("é 'x' \\n"), "é 'x' \\n");
  EXPECT_EQ(OneLine("a\nb\r\x1b[2J\x7f"), "a\\x0ab\\x0d\\x1b[2J\\x7f");
  EXPECT_EQ(OneLine("\xc2\x9b"), "\\xc2\\x9b");  // CSI as one character
  EXPECT_EQ(OneLine("\xc2\xa0"), "\xc2\xa0");
  EXPECT_EQ(OneLine("\xff"
                    "a"),
            "\\xffa");
}

}  // namespace
}  // namespace steer
