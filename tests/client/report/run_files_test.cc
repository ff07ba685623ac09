// Single files of a run folder: links, outputs that other programs made or left out, kept sets.
#include <cstdlib>

#include "absl/strings/str_replace.h"
#include "client/report/html.h"
#include "client/report/output_check.h"
#include "common/set_digest.h"
#include "tests/client/report/run_folder_fixture.h"

namespace steer {
namespace {

namespace fs = std::filesystem;

class RunFiles : public RunFolderFixture {
 protected:
  // The file's line, in this state and with these words.
  void Expect(const std::string& what, CheckState state, const std::string& said) {
    const CheckedRun run = CheckIt();
    const CheckResult* check = Find(run, what);
    EXPECT_EQ(check->state, state) << what << ": " << check->said;
    EXPECT_TRUE(absl::StrContains(check->said, said)) << what << ": " << check->said;
  }
};

// PATH without gnuplot as long as it lives.
class WithoutGnuplot {
 public:
  WithoutGnuplot() { setenv("PATH", "/nonexistent", 1); }
  ~WithoutGnuplot() { setenv("PATH", path_.c_str(), 1); }

 private:
  const std::string path_ = getenv("PATH");
};

TEST_F(RunFiles, ALinkThatLeadsNowhereIsAFileThatIsGone) {
  for (const char* name : {"lock.json", "cells.jsonl", "summary.json", "run.json"}) {
    fs::remove(In(name));
    fs::create_symlink("nowhere", In(name));
    Expect(name, CheckState::kMissing, "");
    fs::remove(In(name));
    PutBack();
  }
}

TEST_F(RunFiles, AFileThatCannotBeReadDiffers) {
  for (const char* name : {"lock.json", "cells.jsonl", "summary.json", "figure.svg"}) {
    fs::remove(In(name));
    fs::create_symlink(name, In(name));  // to itself
    Expect(name, CheckState::kDiffers, name);
    fs::remove(In(name));
    PutBack();
  }
}

TEST_F(RunFiles, RecordsThatCannotBeReadFailWhateverFollowsFromThem) {
  ChangeRecord("seed-1/test/add/harmless", [](Json* json) { (*json)["payload"].erase("layer"); });
  Expect("outputs", CheckState::kDiffers, "field layer");
  ChangeRecord(FitKey(0, service_.behaviour.numeric_fingerprint),
               [](Json* json) { (*json)["payload"].erase("method"); });
  const CheckedRun run = CheckIt();
  EXPECT_FALSE(run.complete);
  EXPECT_FALSE(run.summary);
  EXPECT_TRUE(absl::StrContains(Find(run, "outputs")->said, "field method"));
}

TEST_F(RunFiles, AReportThatARunWithoutGnuplotLeftIsWhole) {
  {
    WithoutGnuplot none;
    for (const char* name : {"figure.svg", "figure.png"}) fs::remove(In(name));
    ASSERT_FALSE(WriteOutputs(*lock_, *log_, RunPaths(folder_ / "run"))->figures.ok());
    Expect("report.html", CheckState::kOk, "as lock and log give it, without figures");
  }
  Expect("report.html", CheckState::kOk, "without figures: the run could draw none");
}

TEST_F(RunFiles, AReportThatEndsWithItsFigureIsNotWhatLockAndLogGive) {
  const std::string html = whole_.at("report.html");
  const size_t end = html.find("</svg>") + 6;
  for (const char* tail : {"", "\n "}) {
    WriteAll(In("report.html"), html.substr(0, end) + tail);
    Expect("report.html", CheckState::kDiffers, "it is not what lock and log give");
  }
}

TEST_F(RunFiles, AnSvgIsHeldAgainstTheReportWhereverItCanBe) {
  // Nobody says who drew it, so that nothing excuses it.
  {
    WithoutGnuplot none;
    WriteAll(In("figure.svg"), "<svg></svg>");
    Expect("figure.svg", CheckState::kDiffers, "it is not what lock and log give");
    WriteAll(In("figure.svg"), absl::StrReplaceAll(whole_.at("figure.svg"), {{"<svg", "<svg "}}));
    Expect("figure.svg", CheckState::kDiffers, "it is not the figure that report.html shows");
    // A report without figures, or none, says nothing of it.
    WriteAll(In("report.html"), "<p>no figure</p>");
    Expect("figure.svg", CheckState::kNotChecked, "gnuplot");
    fs::remove(In("report.html"));
    Expect("figure.svg", CheckState::kNotChecked, "gnuplot");
  }
}

// CRC-32 of ISO 3309, bit by bit.
std::string Chunk(const std::string& type, const std::string& data) {
  const auto big_endian = [](uint32_t value) {
    std::string bytes;
    for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>(value >> shift));
    return bytes;
  };
  uint32_t crc = 0xffffffffu;
  for (const char c : type + data) {
    crc ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc & 1) != 0 ? crc >> 1 ^ 0xedb88320u : crc >> 1;
  }
  return big_endian(static_cast<uint32_t>(data.size())) + type + data + big_endian(~crc);
}

TEST(Png, IsWholeWithItsEndAndNothingBehindIt) {
  const std::string begin = "\x89PNG\r\n\x1a\n", text = Chunk("tEXt", "k");
  EXPECT_TRUE(IsWholePng(begin + text + Chunk("IEND", "")));
  for (const std::string& bytes :
       {std::string(), begin, begin + text, begin + text + Chunk("IEND", "x"),
        begin + text + Chunk("IEND", "") + "x", begin + text.substr(0, text.size() - 1),
        begin + "\xff" + text.substr(1)}) {
    EXPECT_FALSE(IsWholePng(bytes)) << bytes.size();
  }
}

TEST(Svg, SaysWhoDrewItInAFewWords) {
  EXPECT_EQ(SvgProducer("<desc>Produced by GNUPLOT 5.4 patchlevel 4 </desc>"),
            "gnuplot 5.4 patchlevel 4");
  EXPECT_EQ(SvgProducer("<desc>Produced by hand</desc>"), "");
  EXPECT_EQ(SvgProducer("<desc>Produced by GNUPLOT " + std::string(41, '5') + "</desc>"), "");
}

// A set of one direction in one dimension, as steerd exports it without states, and its fit.
struct KeptSet {
  FitRecord fit;
  std::string bytes;
};

KeptSet MakeSet(const std::string& plan_digest) {
  const std::string one("\0\0\x80\x3f", 4), three = one + one + one;
  KeptSet set;
  set.fit.plan_digest = plan_digest;
  set.fit.set_id = std::string(64, 'e');
  set.fit.method = "difference-of-means";
  set.fit.model_fingerprint = set.fit.numeric_fingerprint = std::string(64, 'a');
  set.fit.layers = set.fit.hidden = 1;
  set.fit.harmful_prompts = set.fit.harmless_prompts = 8;
  set.fit.reports = {{-1, 0, true, 1, 1, 1, 1, 1, 1, Sha256Hex(one)}};
  set.fit.content_digest =
      SetContentDigest({1, set.fit.method, 1, 1, {-1}, one, three, three, three, three, {true}});
  Json facts = ToRecord(set.fit, Json::object()).payload;
  for (const char* key : {"kind", "plan_digest", "seed"}) facts.erase(key);
  facts["format_version"] = 1;
  facts["positions"] = {-1};
  const std::string text = *CanonicalJson(facts);
  const auto tensor = [](std::vector<int> shape, int at, int bytes) {
    return Json{{"dtype", "F32"}, {"shape", shape}, {"data_offsets", {at, at + bytes}}};
  };
  const Json header = {
      {"__metadata__", {{kSetFactsKey, text}, {kSetFactsDigestKey, Sha256Hex(text)}}},
      {"directions", tensor({1, 1, 1}, 0, 4)},
      {"harmful_mean_norms", tensor({1, 3}, 4, 12)},
      {"harmful_means", tensor({1, 3, 1}, 16, 12)},
      {"harmless_mean_norms", tensor({1, 3}, 28, 12)},
      {"harmless_means", tensor({1, 3, 1}, 40, 12)}};
  std::string head = *CanonicalJson(header);
  head.resize((head.size() + 7) / 8 * 8, ' ');
  for (size_t size = head.size(), i = 0; i < 8; ++i, size >>= 8)
    set.bytes.push_back(static_cast<char>(size & 0xff));
  set.bytes += head + one + three + three + three + three;
  return set;
}

TEST_F(RunFiles, AKeptSetIsTheOneOfAFitOfTheLog) {
  const KeptSet set = MakeSet(lock_->digest);
  const std::string name = "sets/" + set.fit.content_digest + ".safetensors";
  const std::string renamed = "sets/" + std::string(64, '0') + ".safetensors";
  fs::create_directory(In("sets"));
  WriteAll(In(name), set.bytes);
  WriteAll(In(renamed), set.bytes);
  WriteAll(In("sets/x.safetensors.tmp.1.2"), "x");
  Expect(name, CheckState::kDiffers, "no fit of the log names it");
  Expect(renamed, CheckState::kDiffers, "its content digest is not the one of its name");
  Expect("sets/x.safetensors.tmp.1.2", CheckState::kNotChecked, "a client that was killed");

  const std::string fit = FitKey(0, service_.behaviour.numeric_fingerprint);
  const Json payload = ToRecord(set.fit, Json::object()).payload;
  ChangeRecord(fit, [&payload](Json* json) { (*json)["payload"] = payload; });
  Expect(name, CheckState::kOk, "the set of seed 0");
  ChangeRecord(fit, [&payload](Json* json) {
    (*json)["payload"] = payload;
    (*json)["payload"]["hidden"] = 2;
  });
  Expect(name, CheckState::kDiffers, "another hidden");
  // Without the log nobody knows whose it is.
  fs::remove(In("cells.jsonl"));
  Expect(name, CheckState::kOk, "whole");
}

TEST_F(RunFiles, ASetOfASeedThatBeganAnewIsNamedByNoFit) {
  const KeptSet set = MakeSet(lock_->digest);
  const std::string name = "sets/" + set.fit.content_digest + ".safetensors";
  fs::create_directory(In("sets"));
  WriteAll(In(name), set.bytes);
  const Record restart =
      ToRecord(RestartRecord{lock_->digest, 0, 1, service_.behaviour.numeric_fingerprint, 18});
  const Json line = {{"key", restart.key},
                     {"schema", kRecordSchema},
                     {"observed", restart.observed},
                     {"payload", restart.payload}};
  // Before the records that count.
  WriteAll(In("cells.jsonl"), absl::StrCat(Reseal(line.dump()), "\n", whole_.at("cells.jsonl")));
  Expect(name, CheckState::kOk, "whole; of a seed that began anew elsewhere");
}

}  // namespace
}  // namespace steer
