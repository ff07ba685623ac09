// The hook contract: which calls come, in which order, and what an edit changes.
#include <ATen/TensorOperators.h>
#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>

#include "tests/server/model/golden.h"

namespace steer {
namespace {

// Records every call; may overwrite the write or the stream of one site with zeros.
class Recorder : public SiteHook {
 public:
  explicit Recorder(int zero_write = -1, int zero_stream = -1)
      : zero_write_(zero_write), zero_stream_(zero_stream) {}
  bool WantsWrite(int) const override { return true; }
  void OnWrite(int site, at::Tensor& write) override {
    EXPECT_EQ(site, static_cast<int>(writes.size()));
    EXPECT_EQ(writes.size(), streams.size());
    EXPECT_TRUE(write.is_contiguous());
    if (site == zero_write_) write.zero_();
    writes.push_back(write.clone());
  }
  void OnStream(int site, at::Tensor& x) override {
    EXPECT_EQ(site, static_cast<int>(streams.size()));
    if (site == zero_stream_) x.zero_();
    streams.push_back(x.clone());
  }
  std::vector<at::Tensor> writes, streams;

 private:
  const int zero_write_, zero_stream_;
};

class SiteTest : public testing::TestWithParam<const char*> {
 protected:
  at::Tensor Run(Decoder& decoder, SiteHook* hook) {
    const std::vector<int32_t> ids = Golden(GetParam()).Ids("prompt", 1);
    const StepRow row{0, 0, 0, static_cast<int32_t>(ids.size())};
    return decoder.Forward({ids, absl::MakeConstSpan(&row, 1)}, hook);
  }
  c10::InferenceMode inference_;
};
INSTANTIATE_TEST_SUITE_P(Models, SiteTest, testing::ValuesIn(kTinyModels));

TEST_P(SiteTest, AHookThatEditsNothingChangesNoBit) {
  for (const char* dtype : {"float32", "bfloat16"}) {
    std::unique_ptr<Decoder> decoder = LoadTiny(GetParam(), dtype);
    const at::Tensor plain = Run(*decoder, nullptr);
    Recorder recorder;
    EXPECT_TRUE(Run(*decoder, &recorder).equal(plain));
    EXPECT_EQ(recorder.streams.size(), static_cast<size_t>(decoder->config().sites()));
    Capture capture;
    EXPECT_TRUE(Run(*decoder, &capture).equal(plain));
  }
}

TEST_P(SiteTest, TheStreamIsTheSumOfTheWrites) {
  std::unique_ptr<Decoder> decoder = LoadTiny(GetParam());
  Recorder recorder;
  Run(*decoder, &recorder);
  EXPECT_TRUE(recorder.streams[0].equal(recorder.writes[0]));
  for (size_t site = 1; site < recorder.streams.size(); ++site) {
    EXPECT_TRUE(recorder.streams[site].equal(recorder.streams[site - 1] + recorder.writes[site]))
        << "site " << site;
  }
}

TEST_P(SiteTest, AnEditedWriteIsWhatIsAdded) {
  std::unique_ptr<Decoder> decoder = LoadTiny(GetParam());
  Recorder plain;
  Run(*decoder, &plain);
  for (int site = 1; site < static_cast<int>(decoder->config().sites()); ++site) {
    const size_t s = static_cast<size_t>(site);
    Recorder zeroed(site);
    const at::Tensor last = Run(*decoder, &zeroed);
    EXPECT_TRUE(zeroed.streams[s].equal(plain.streams[s - 1])) << "site " << site;
    EXPECT_FALSE(last.equal(plain.streams.back())) << "site " << site;
  }
}

TEST_P(SiteTest, AnEditedStreamIsWhatLaterBlocksRead) {
  std::unique_ptr<Decoder> decoder = LoadTiny(GetParam());
  const int last = static_cast<int>(decoder->config().sites()) - 1;
  Recorder end(-1, last);
  EXPECT_EQ(MaxAbs(Run(*decoder, &end)), 0);
  if (decoder->config().layers < 2) return;
  // An all-zero stream into a block: its attention sees zero queries, keys and, where there are no
  // biases, zero values.
  Recorder plain, middle(-1, 2);
  Run(*decoder, &plain);
  Run(*decoder, &middle);
  EXPECT_TRUE(middle.writes[2].equal(plain.writes[2]));
  EXPECT_FALSE(middle.writes[3].equal(plain.writes[3]));
  EXPECT_TRUE(middle.streams[3].equal(middle.writes[3]));
}

}  // namespace
}  // namespace steer
