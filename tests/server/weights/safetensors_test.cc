// Every rule of the format, the round trip, conversions, and damaged files.
#include "server/weights/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>

#include "absl/strings/str_cat.h"
#include "common/files.h"

namespace steer {
namespace {

using testing::AllOf;
using testing::HasSubstr;

std::string File(const std::string& header, const std::string& data) {
  std::string bytes;
  for (int shift = 0; shift < 64; shift += 8) {
    bytes.push_back(static_cast<char>(uint64_t{header.size()} >> shift & 0xff));
  }
  return bytes + header + data;
}

std::string Refusal(const std::string& bytes) {
  auto file = SafetensorsFile::FromBytes(bytes, "x.safetensors");
  if (file.ok()) return "accepted";
  EXPECT_EQ(file.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(file.status().message()), HasSubstr("x.safetensors"));
  return std::string(file.status().message());
}

std::string Refusal(const std::string& header, const std::string& data) {
  return Refusal(File(header, data));
}

TEST(SafetensorsTest, RoundTrip) {
  const std::vector<float> a = {1, -2, 3.5f, 0, 1e30f, -0.0f};
  std::map<std::string, TensorView> tensors;
  tensors["b"] = Float32View(a, {2, 3});
  tensors["a.bytes"] = {TensorType::kUInt8, {3}, "xyz"};
  tensors["scalar"] = {TensorType::kInt64, {}, "12345678"};
  tensors["none"] = {TensorType::kBFloat16, {0, 7}, ""};
  const std::string bytes = SerializeSafetensors(tensors, {{"format", "pt"}}).value();
  auto file = SafetensorsFile::FromBytes(bytes, "x");
  ASSERT_TRUE(file.ok()) << file.status();
  ASSERT_EQ((*file)->tensors().size(), 4u);
  EXPECT_EQ((*file)->metadata().at("format"), "pt");
  const TensorView& b = (*file)->tensors().at("b");
  EXPECT_EQ(b.shape, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(b.elements(), 6);
  EXPECT_EQ(ToFloat32(b).value(), a);
  EXPECT_EQ((*file)->tensors().at("a.bytes").bytes, "xyz");
  EXPECT_EQ((*file)->tensors().at("scalar").elements(), 1);
  EXPECT_EQ((*file)->tensors().at("none").elements(), 0);
  EXPECT_EQ(SerializeSafetensors(tensors, {{"format", "pt"}}).value(), bytes);
  EXPECT_TRUE(SafetensorsFile::FromBytes(SerializeSafetensors({}, {}).value(), "x").ok());
  // What is written starts its data on a multiple of eight.
  EXPECT_EQ((reinterpret_cast<const unsigned char&>(bytes[0])) % 8, 0);
}

TEST(SafetensorsTest, OpensAFileAndNamesItInErrors) {
  const std::string path = absl::StrCat(testing::TempDir(), "/steer_open.safetensors");
  const std::vector<float> a = {1, 2};
  ASSERT_TRUE(
      WriteFileAtomically(path, SerializeSafetensors({{"a", Float32View(a, {2})}}, {}).value())
          .ok());
  auto file = SafetensorsFile::Open(path);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(ToFloat32((*file)->tensors().at("a")).value(), a);
  ASSERT_TRUE(WriteFileAtomically(path, "short").ok());
  EXPECT_THAT(std::string(SafetensorsFile::Open(path).status().message()), HasSubstr(path));
  EXPECT_EQ(SafetensorsFile::Open(path + ".absent").status().code(), absl::StatusCode::kNotFound);
}

TEST(SafetensorsTest, RefusesABadHeader) {
  EXPECT_THAT(Refusal(""), HasSubstr("is an empty file"));
  EXPECT_THAT(Refusal("1234567"), HasSubstr("has 7 bytes"));
  EXPECT_THAT(Refusal(std::string("\x01\xe1\xf5\x05\0\0\0\0", 8)),
              HasSubstr("over the limit of 100000000"));
  EXPECT_THAT(Refusal(std::string("\xff\xff\xff\xff\xff\xff\xff\xff", 8)),
              HasSubstr("over the limit"));
  EXPECT_THAT(Refusal(std::string("\x03\0\0\0\0\0\0\0{}", 10)),
              HasSubstr("past the end of the file"));
  EXPECT_THAT(Refusal(std::string(8, '\0')), HasSubstr("does not start with '{'"));
  EXPECT_THAT(Refusal(" {}", ""), HasSubstr("does not start with '{'"));
  EXPECT_THAT(Refusal("[]", ""), HasSubstr("does not start with '{'"));
  EXPECT_THAT(Refusal("{", ""), HasSubstr("not valid JSON"));
  EXPECT_THAT(Refusal("{}x", ""), HasSubstr("not valid JSON"));
  EXPECT_THAT(Refusal("{\"\xff\":1}", ""), HasSubstr("not valid JSON"));
  EXPECT_THAT(
      Refusal(
          R"({"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}})",
          ""),
      HasSubstr("occurs twice"));
  EXPECT_THAT(Refusal("{\"a\":" + std::string(100, '[') + std::string(100, ']') + "}", ""),
              HasSubstr("nested deeper"));
  EXPECT_EQ(Refusal("{}   ", ""), "accepted");
  // The limit itself is allowed, and then the file is too short for it.
  EXPECT_THAT(Refusal(std::string("\x00\xe1\xf5\x05\0\0\0\0", 8)),
              HasSubstr("header length 100000000 runs past the end"));
  EXPECT_THAT(Refusal(std::string("{}\0", 3), ""), HasSubstr("not valid JSON"));
  EXPECT_THAT(Refusal("{\"__metadata__\":{\"a\":\"\xc3\"}}", ""), HasSubstr("not valid JSON"));
  EXPECT_THAT(Refusal(R"({"__metadata__":{},"__metadata__":{}})", ""), HasSubstr("occurs twice"));
  EXPECT_THAT(Refusal(R"({"__metadata__":{"a":"1","a":"1"}})", ""), HasSubstr("occurs twice"));
  EXPECT_THAT(Refusal(R"({"__metadata__":{"a":1}})", ""), HasSubstr("is not a string"));
  EXPECT_THAT(Refusal(R"({"__metadata__":{"a":null}})", ""), HasSubstr("is not a string"));
  EXPECT_THAT(Refusal(R"({"__metadata__":[]})", ""), HasSubstr("is not an object"));
}

std::string Entry(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return absl::StrCat("{\"dtype\":", dtype, ",\"shape\":", shape, ",\"data_offsets\":", offsets,
                      "}");
}

TEST(SafetensorsTest, RefusesABadEntry) {
  const auto refusal = [](const std::string& entry, const std::string& data,
                          const std::string& place = "tensor \"w\"") {
    const std::string message = Refusal("{\"w\":" + entry + "}", data);
    EXPECT_THAT(message, HasSubstr(place));
    return message;
  };
  const std::string four(4, 'x');
  EXPECT_EQ(Refusal("{\"w\":" + Entry("\"F32\"", "[1]", "[0,4]") + "}", four), "accepted");
  EXPECT_THAT(refusal("5", four), HasSubstr("not an object"));
  EXPECT_THAT(refusal(R"({"shape":[1],"data_offsets":[0,4]})", four),
              HasSubstr("\"dtype\" is missing"));
  EXPECT_THAT(refusal(R"({"dtype":"F32","data_offsets":[0,4]})", four),
              HasSubstr("\"shape\" is missing"));
  EXPECT_THAT(refusal(R"({"dtype":"F32","shape":[1]})", four),
              HasSubstr("\"data_offsets\" is missing"));
  EXPECT_THAT(refusal(R"({"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1})", four),
              HasSubstr("keys besides"));
  EXPECT_THAT(refusal(Entry("7", "[1]", "[0,4]"), four), HasSubstr("\"dtype\" is not a string"));
  for (const char* type : {"\"F8_E4M3\"", "\"f32\"", "\"\"", "\"U64\""}) {
    EXPECT_THAT(refusal(Entry(type, "[1]", "[0,4]"), four), HasSubstr("is not supported"));
  }
  EXPECT_THAT(refusal(Entry("\"F32\"", "1", "[0,4]"), four),
              HasSubstr("\"shape\" is not an array"));
  for (const char* shape : {"[-1]", "[1.0]", "[\"1\"]", "[true]", "[9223372036854775808]"}) {
    EXPECT_THAT(refusal(Entry("\"F32\"", shape, "[0,4]"), four), HasSubstr("not an integer in"));
  }
  EXPECT_THAT(refusal(Entry("\"F32\"", "[1,1,1,1,1,1,1,1,1]", "[0,4]"), four), HasSubstr("rank 9"));
  for (const char* offsets : {"[0]", "[0,4,8]", "4", "{}"}) {
    EXPECT_THAT(refusal(Entry("\"F32\"", "[1]", offsets), four), HasSubstr("two integers"));
  }
  EXPECT_THAT(refusal(Entry("\"F32\"", "[1]", "[-1,3]"), four), HasSubstr("not an integer in"));
  EXPECT_THAT(refusal(Entry("\"F32\"", "[1]", "[4,0]"), four), HasSubstr("ends before it begins"));
  EXPECT_THAT(refusal(Entry("\"F32\"", "[2]", "[0,8]"), four),
              HasSubstr("past the end of the 4 data bytes"));
  EXPECT_THAT(refusal(Entry("\"F32\"", "[2]", "[0,4]"), four),
              AllOf(HasSubstr("takes 8 bytes"), HasSubstr("span 4")));
  EXPECT_THAT(refusal(Entry("\"F64\"", "[1]", "[0,4]"), four), HasSubstr("takes 8 bytes"));
  EXPECT_THAT(refusal(Entry("\"F32\"", "[4294967296,4294967296,4]", "[0,4]"), four),
              HasSubstr("overflows"));
  EXPECT_THAT(refusal(Entry("\"F32\"", "[4611686018427387904,4]", "[0,4]"), four),
              HasSubstr("overflows"));
  // A product that wraps around to the span, and one that a zero further on would hide.
  EXPECT_THAT(refusal(Entry("\"U8\"", "[4294967296,4294967296]", "[0,0]"), ""),
              HasSubstr("overflows"));
  EXPECT_THAT(refusal(Entry("\"F32\"", "[4611686018427387904,4,0]", "[0,0]"), ""),
              HasSubstr("overflows"));
  EXPECT_EQ(Refusal("{\"w\":" + Entry("\"F32\"", "[0,4294967296,4294967296]", "[0,0]") + "}", ""),
            "accepted");
  EXPECT_THAT(
      refusal(R"({"dtype":"F32","shape":[1],"shape":[1],"data_offsets":[0,4]})", four, "shape"),
      HasSubstr("occurs twice"));
  EXPECT_THAT(refusal(Entry("\"F32\"", "[1]", "[0,9223372036854775808]"), four),
              HasSubstr("not an integer in"));
  EXPECT_THAT(refusal(Entry("\"F32\"", "[1]", "[0,4.0]"), four), HasSubstr("not an integer in"));
  EXPECT_THAT(refusal(Entry("\"F32\"", "[1]", "[0,8]"), four + four),
              AllOf(HasSubstr("takes 4 bytes"), HasSubstr("span 8")));
  const std::string long_name(513, 'n');
  EXPECT_THAT(Refusal("{\"" + long_name + "\":" + Entry("\"F32\"", "[1]", "[0,4]") + "}", four),
              HasSubstr("longer than 512"));
}

TEST(SafetensorsTest, OffsetsTileTheData) {
  const auto two = [](const std::string& a, const std::string& b, size_t data) {
    return Refusal(
        "{\"a\":" + Entry("\"U8\"", "[4]", a) + ",\"b\":" + Entry("\"U8\"", "[4]", b) + "}",
        std::string(data, 'x'));
  };
  EXPECT_EQ(two("[4,8]", "[0,4]", 8), "accepted");
  EXPECT_THAT(two("[0,4]", "[5,9]", 9), HasSubstr("leaving a hole after 4"));
  EXPECT_THAT(two("[1,5]", "[5,9]", 9), HasSubstr("leaving a hole after 0"));
  EXPECT_THAT(two("[0,4]", "[3,7]", 7), HasSubstr("overlapping"));
  EXPECT_THAT(two("[0,4]", "[0,4]", 4), HasSubstr("overlapping"));
  EXPECT_THAT(two("[0,4]", "[4,8]", 9), HasSubstr("cover 8 of 9"));
  EXPECT_THAT(two("[0,4]", "[4,8]", 7), HasSubstr("past the end of the 7 data bytes"));
  EXPECT_THAT(Refusal("{}", "x"), HasSubstr("cover 0 of 1"));
  // A tensor without elements takes no place, but it has one: at a seam.
  const auto with_empty = [](const std::string& offsets) {
    return Refusal("{\"a\":" + Entry("\"U8\"", "[4]", "[0,4]") +
                       ",\"none\":" + Entry("\"U8\"", "[0]", offsets) + "}",
                   "xxxx");
  };
  EXPECT_EQ(with_empty("[0,0]"), "accepted");
  EXPECT_EQ(with_empty("[4,4]"), "accepted");
  EXPECT_THAT(with_empty("[2,2]"), HasSubstr("overlapping"));
  EXPECT_THAT(with_empty("[9,9]"), HasSubstr("past the end"));
}

TEST(SafetensorsTest, RefusesTooManyTensors) {
  std::string header = "{";
  int named = 0;
  const auto name_up_to = [&](int count) {
    for (; named < count; ++named) {
      absl::StrAppend(&header, "\"t", named, "\":", Entry("\"U8\"", "[0]", "[0,0]"), ",");
    }
    return header + "\"__metadata__\": {}}";
  };
  // The metadata is no tensor: beside as many tensors as may be it counts for none.
  EXPECT_EQ(Refusal(name_up_to(100000), ""), "accepted");
  EXPECT_THAT(Refusal(name_up_to(100001), ""), HasSubstr("more than 100000 tensors"));
  EXPECT_THAT(Refusal(header.substr(0, header.size() - 1) + "}", ""),
              HasSubstr("more than 100000 tensors"));
  std::map<std::string, TensorView> tensors;
  for (int i = 0; i <= 100000; ++i) tensors[absl::StrCat(i)] = {TensorType::kUInt8, {0}, {}};
  EXPECT_FALSE(SerializeSafetensors(tensors, {}).ok());
}

TEST(SafetensorsTest, WriterRefusesWhatTheReaderWould) {
  const std::vector<float> a = {1, 2};
  EXPECT_FALSE(SerializeSafetensors({{"a", Float32View(a, {3})}}, {}).ok());
  EXPECT_FALSE(SerializeSafetensors({{"a", Float32View(a, {-2})}}, {}).ok());
  EXPECT_FALSE(SerializeSafetensors({{"__metadata__", Float32View(a, {2})}}, {}).ok());
  EXPECT_FALSE(SerializeSafetensors({{"\xff", Float32View(a, {2})}}, {}).ok());
  EXPECT_FALSE(SerializeSafetensors({{std::string(513, 'a'), Float32View(a, {2})}}, {}).ok());
  EXPECT_FALSE(SerializeSafetensors({{"a", Float32View(a, {1, 1, 1, 1, 1, 1, 1, 1, 2})}}, {}).ok());
  EXPECT_FALSE(SerializeSafetensors({}, {{"a", "\xff"}}).ok());
}

TEST(SafetensorsTest, ConvertsToFloat32) {
  const auto convert = [](TensorType type, std::vector<uint16_t> bits) {
    const absl::string_view bytes(reinterpret_cast<const char*>(bits.data()), bits.size() * 2);
    return ToFloat32({type, {static_cast<int64_t>(bits.size())}, bytes}).value();
  };
  EXPECT_EQ(convert(TensorType::kBFloat16, {0x3f80, 0xc000, 0x0000, 0x7f80}),
            (std::vector<float>{1, -2, 0, INFINITY}));
  EXPECT_EQ(convert(TensorType::kFloat16, {0x3c00, 0xc000, 0x8000, 0x7c00, 0xfc00, 0x0001, 0x03ff,
                                           0x0400, 0x7bff, 0x3555}),
            (std::vector<float>{1, -2, -0.0f, INFINITY, -INFINITY, 0x1p-24f, 0x3ffp-24f, 0x1p-14f,
                                65504, 0x1.554p-2f}));
  EXPECT_TRUE(std::isnan(convert(TensorType::kFloat16, {0x7c01})[0]));
  EXPECT_TRUE(std::isnan(convert(TensorType::kBFloat16, {0x7fc0})[0]));
  const double wide[] = {0.1, -3};
  const absl::string_view bytes(reinterpret_cast<const char*>(wide), sizeof(wide));
  EXPECT_EQ(ToFloat32({TensorType::kFloat64, {2}, bytes}).value(), (std::vector<float>{0.1f, -3}));
  EXPECT_EQ(ToFloat32({TensorType::kInt8, {1}, "a"}).status().code(),
            absl::StatusCode::kInvalidArgument);
  // Any alignment.
  std::string shifted = "?" + std::string(reinterpret_cast<const char*>(wide), sizeof(wide));
  EXPECT_EQ(ToFloat32({TensorType::kFloat64, {2}, absl::string_view(shifted).substr(1)}).value()[1],
            -3);
}

// Damaged files end in a status or in a file whose views lie inside the bytes; never in a crash
// (run under the sanitizers too).
TEST(SafetensorsTest, SurvivesMutation) {
  const std::vector<float> a = {1, 2, 3, 4};
  const std::string good = SerializeSafetensors({{"first", Float32View(a, {2, 2})},
                                                 {"second", Float32View(a, {4})},
                                                 {"third", {TensorType::kUInt8, {3}, "abc"}}},
                                                {{"k", "v"}})
                               .value();
  std::mt19937 random(11);
  int refused = 0;
  for (int i = 0; i < 20000; ++i) {
    std::string bytes = good;
    for (uint32_t changes = 1 + random() % 3; changes > 0 && !bytes.empty(); --changes) {
      const size_t at = random() % bytes.size();
      switch (random() % 4) {
        case 0:
          bytes[at] = static_cast<char>(random());
          break;
        case 1:
          bytes.erase(at, 1 + random() % 8);
          break;
        case 2:
          bytes.insert(at, 1, "0123456789{}[],:\"-e"[random() % 19]);
          break;
        default:
          bytes.resize(at + 1);
          break;
      }
    }
    auto file = SafetensorsFile::FromBytes(bytes, "m");
    if (!file.ok()) {
      ++refused;
      continue;
    }
    for (const auto& [name, view] : (*file)->tensors()) {
      ASSERT_GE(view.bytes.data(), bytes.data());
      ASSERT_LE(view.bytes.data() + view.bytes.size(), bytes.data() + bytes.size());
      ASSERT_EQ(static_cast<size_t>(view.elements() * BytesPerElement(view.type)),
                view.bytes.size());
    }
  }
  EXPECT_GT(refused, 10000);
  EXPECT_LT(refused, 20000);
}

}  // namespace
}  // namespace steer
