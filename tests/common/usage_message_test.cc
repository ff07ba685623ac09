#include "common/usage_message.h"

#include <gmock/gmock.h>

namespace steer {
namespace {

using testing::HasSubstr;
using testing::Not;

const std::vector<std::string>& Words() {
  static const std::vector<std::string> words = {"--server", "--store", "run", "report"};
  return words;
}

TEST(UsageMessage, OffersWhatIsClose) {
  EXPECT_EQ(ClosestWord("--serverr", Words()), "--server");
  EXPECT_EQ(ClosestWord("--sever", Words()), "--server");
  EXPECT_EQ(ClosestWord("--stroe", Words()), "--store");
  EXPECT_EQ(ClosestWord("rnu", Words()), "run");
  EXPECT_EQ(ClosestWord("nur", Words()), "");
  EXPECT_EQ(ClosestWord("rum", Words()), "run");
  EXPECT_EQ(ClosestWord("reprot", Words()), "report");
  EXPECT_EQ(ClosestWord("--temperature", Words()), "");
  EXPECT_EQ(ClosestWord("", Words()), "");
  EXPECT_EQ(ClosestWord(std::string(100000, 'r'), Words()), "");
  EXPECT_EQ(ClosestWord("run", {}), "");
}

TEST(UsageMessage, NamesTheProgramTheMistakeAndTheHelp) {
  EXPECT_EQ(UsageMessage("steerd", "--model is required", {}, Words()),
            "steerd: --model is required\nRun steerd --help for more information.\n");
  EXPECT_THAT(UsageMessage("p", "", {"--stor=x"}, Words()),
              HasSubstr("p: there is no flag --stor; did you mean --store?\n"));
  EXPECT_THAT(UsageMessage("p", "", {"--zzz"}, Words()), HasSubstr("there is no flag --zzz\n"));
  EXPECT_THAT(UsageMessage("p", "", {"raport"}, Words()),
              HasSubstr("\"raport\" is not understood here; did you mean report?"));
}

// `generate --prmpt Some words` must not print the words.
TEST(UsageMessage, RepeatsOneWordAtMost) {
  const std::string flag = UsageMessage("p", "first", {"some", "--prmpt", "words"}, Words());
  EXPECT_THAT(flag, HasSubstr("--prmpt"));
  EXPECT_THAT(flag, Not(testing::ContainsRegex("some|words|first")));
  EXPECT_THAT(UsageMessage("p", "", {"some", "words"}, Words()), Not(HasSubstr("words")));
}

}  // namespace
}  // namespace steer
