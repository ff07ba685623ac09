#include "common/audit_chain.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/errors.h"
#include "common/files.h"

namespace steer {
namespace {

class AuditChain : public testing::Test {
 protected:
  void SetUp() override {
    path_ = (std::filesystem::path(testing::TempDir()) / absl::StrCat("chain_", getpid())).string();
    std::string head = kAuditChainStart;
    for (int i = 0; i < 6; ++i) {
      lines_.push_back(SealAuditLine(
          absl::StrCat("{\"time\":\"t", i, "\",\"method\":\"Evaluate\",\"code\":\"OK\"}"), &head));
      heads_.push_back(head);
    }
  }
  void TearDown() override { std::filesystem::remove(path_); }

  absl::StatusOr<AuditReport> VerifyText(const std::string& text, const std::string& head = "") {
    std::ofstream(path_, std::ios::binary) << text;  // not synced: there are thousands
    return VerifyAudit({path_}, head);
  }
  absl::StatusOr<AuditReport> VerifyLines(const std::vector<std::string>& lines) {
    return VerifyText(absl::StrCat(absl::StrJoin(lines, "\n"), "\n"));
  }
  // The line that the error names; 0 if there is none.
  int BadLine(const absl::StatusOr<AuditReport>& report) {
    if (report.ok()) return 0;
    EXPECT_EQ(ReasonOf(report.status()), "AUDIT_LOG_DAMAGED");
    const std::string message(report.status().message());
    EXPECT_TRUE(absl::StartsWith(message, path_ + ":")) << message;
    return std::atoi(message.c_str() + path_.size() + 1);
  }

  std::string path_;
  std::vector<std::string> lines_, heads_;
};

TEST_F(AuditChain, AnIntactLogIsSound) {
  const auto report = VerifyLines(lines_);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->lines, 6);
  EXPECT_EQ(report->torn, 0);
  EXPECT_EQ(report->first, kAuditChainStart);
  EXPECT_EQ(report->head, heads_.back());
  EXPECT_EQ(VerifyText("")->lines, 0);
  EXPECT_FALSE(VerifyAudit({path_ + ".none"}).ok());
}

// Each byte of a line in the middle, each bit pattern class: another letter, a quote, a NUL, a
// newline, gone, doubled. The line named is that one (or the piece of it that is left).
TEST_F(AuditChain, AnyByteChangedIsFoundInItsLine) {
  const size_t victim = 2;
  for (size_t i = 0; i < lines_[victim].size(); ++i) {
    for (const char with : {'0', '"', '\0', '\n', '}'}) {
      std::vector<std::string> lines = lines_;
      if (lines[victim][i] == with) continue;
      lines[victim][i] = with;
      EXPECT_EQ(BadLine(VerifyLines(lines)), 3) << "byte " << i << " is " << static_cast<int>(with);
    }
    std::vector<std::string> lines = lines_;
    lines[victim][i] ^= 1;
    EXPECT_EQ(BadLine(VerifyLines(lines)), 3) << "bit of byte " << i;
    lines = lines_;
    lines[victim].erase(i, 1);
    EXPECT_EQ(BadLine(VerifyLines(lines)), 3) << "without byte " << i;
    lines = lines_;
    lines[victim].insert(i, 1, lines[victim][i]);
    EXPECT_EQ(BadLine(VerifyLines(lines)), 3) << "byte " << i << " twice";
  }
}

TEST_F(AuditChain, LinesRemovedInsertedOrMovedAreFound) {
  for (size_t i = 0; i + 1 < lines_.size(); ++i) {
    std::vector<std::string> lines = lines_;
    lines.erase(lines.begin() + i);
    // Without its first line a log looks like one that goes on from another; `first` shows it.
    const auto report = VerifyLines(lines);
    if (i == 0) {
      ASSERT_TRUE(report.ok());
      EXPECT_EQ(report->first, heads_[0]);
    } else {
      EXPECT_EQ(BadLine(report), static_cast<int>(i) + 1);
    }
    lines = lines_;
    std::swap(lines[i], lines[i + 1]);
    EXPECT_NE(BadLine(VerifyLines(lines)), 0);
    lines = lines_;
    lines.insert(lines.begin() + i, lines[i]);
    EXPECT_EQ(BadLine(VerifyLines(lines)), static_cast<int>(i) + 2);
    lines = lines_;
    lines.insert(lines.begin() + i, "");
    EXPECT_EQ(BadLine(VerifyLines(lines)), static_cast<int>(i) + 1);
  }
  // A line sealed anew is sound in itself; the next one gives it away.
  std::vector<std::string> lines = lines_;
  std::string head = heads_[1];
  lines[2] = SealAuditLine("{\"time\":\"t2\",\"method\":\"GetModel\",\"code\":\"OK\"}", &head);
  EXPECT_EQ(BadLine(VerifyLines(lines)), 4);
}

TEST_F(AuditChain, ACutIsSeenInsideALineAndByAKeptHeadAtItsEnd) {
  const std::string text = absl::StrCat(absl::StrJoin(lines_, "\n"), "\n");
  size_t begin = 0;
  int line = 1;
  for (size_t size = 1; size < text.size(); ++size) {
    const std::string cut = text.substr(0, size);
    if (cut.back() == '\n') {
      // What a chain alone cannot show.
      const auto report = VerifyText(cut);
      ASSERT_TRUE(report.ok()) << report.status();
      EXPECT_EQ(report->head, heads_[line - 1]);
      EXPECT_FALSE(VerifyText(cut, heads_.back()).ok());
      EXPECT_TRUE(VerifyText(cut, heads_[line - 1]).ok());
      begin = size;
      ++line;
    } else {
      EXPECT_EQ(BadLine(VerifyText(cut)), line) << "after " << size - begin << " bytes";
    }
  }
}

TEST_F(AuditChain, ACutLineThatTheServerRecordedIsNoDamage) {
  const std::string piece = lines_[3].substr(0, 40);
  std::string head = heads_[2];
  const std::string declared = SealAuditLine(TornAuditObject(piece, "t"), &head);
  const std::string next = SealAuditLine("{\"time\":\"t\"}", &head);
  std::vector<std::string> lines(lines_.begin(), lines_.begin() + 3);
  for (const std::string& line : {piece, declared, next}) lines.push_back(line);
  const auto report = VerifyLines(lines);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->torn, 1);
  EXPECT_EQ(report->lines, 5);
  // Not for another piece, and not for two.
  std::vector<std::string> other = lines;
  other[3][0] = '[';
  EXPECT_EQ(BadLine(VerifyLines(other)), 4);
  other = lines;
  other.insert(other.begin() + 3, "junk");
  EXPECT_EQ(BadLine(VerifyLines(other)), 4);
  other = lines;
  other.erase(other.begin() + 4);
  EXPECT_EQ(BadLine(VerifyLines(other)), 4);
}

TEST_F(AuditChain, ADamagedLastLineAndALineTooLongAreDamage) {
  std::vector<std::string> lines = lines_;
  lines.back()[2] ^= 1;
  EXPECT_EQ(BadLine(VerifyLines(lines)), 6);
  // Sealed rightly, but longer than any line of ours.
  std::string head = heads_.back();
  lines = lines_;
  lines.push_back(SealAuditLine("{\"x\":\"" + std::string(1 << 20, 'x') + "\"}", &head));
  EXPECT_EQ(BadLine(VerifyLines(lines)), 7);
}

TEST_F(AuditChain, ALineThatIsNoJsonDeclaresNothing) {
  std::string head = kAuditChainStart;
  const std::string no_json = SealAuditLine("{x}", &head);
  EXPECT_EQ(BadLine(VerifyLines({"a piece", no_json})), 1);
}

TEST_F(AuditChain, RotatedFilesAreOneChain) {
  const std::string newer = path_ + ".new";
  ASSERT_TRUE(WriteFileAtomically(path_, absl::StrCat(lines_[0], "\n", lines_[1], "\n")).ok());
  ASSERT_TRUE(WriteFileAtomically(newer, absl::StrCat(lines_[2], "\n", lines_[3], "\n")).ok());
  EXPECT_EQ(VerifyAudit({path_, newer})->lines, 4);
  EXPECT_EQ(VerifyAudit({newer})->first, heads_[1]);
  const auto wrong = VerifyAudit({newer, path_});
  ASSERT_FALSE(wrong.ok());
  EXPECT_TRUE(absl::StartsWith(wrong.status().message(), path_ + ":1:")) << wrong.status();
  std::filesystem::remove(newer);
}

}  // namespace
}  // namespace steer
