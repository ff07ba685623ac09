// What the golden files of tests/golden/tokenizer hold, and checksums to compare with. A failure to
// read one ends the test.
#ifndef STEER_TESTS_SERVER_TOKENIZER_TOKENIZER_GOLDEN_H_
#define STEER_TESTS_SERVER_TOKENIZER_TOKENIZER_GOLDEN_H_

#include <zlib.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/files.h"
#include "common/json.h"
#include "common/utf8.h"
#include "gtest/gtest.h"
#include "server/tokenizer/tokenizer.h"
#include "tests/support/paths.h"

namespace steer {

inline std::string GoldenPath(const std::string& name) {
  return SourcePath("tests/golden/tokenizer/" + name);
}

inline std::string GoldenBytes(const std::string& name) {
  auto bytes = ReadFile(GoldenPath(name));
  EXPECT_TRUE(bytes.ok()) << bytes.status();
  return bytes.ok() ? *bytes : "";
}

inline Json GoldenJson(const std::string& name) {
  auto value = ReadJsonFile(GoldenPath(name));
  EXPECT_TRUE(value.ok()) << value.status();
  return value.ok() ? *value : Json();
}

// The folder of a real tokenizer, empty where it is not at hand.
inline std::string SharedTokenizer(const std::string& name) {
  return SharedPath("tokenizers/" + name);
}

inline uint32_t Checksum(absl::string_view bytes) {
  return static_cast<uint32_t>(
      crc32(0, reinterpret_cast<const Bytef*>(bytes.data()), static_cast<uInt>(bytes.size())));
}

// Of the ids as little-endian words.
inline uint32_t Checksum(const std::vector<int32_t>& ids) {
  return Checksum(
      absl::string_view(reinterpret_cast<const char*>(ids.data()), ids.size() * sizeof(int32_t)));
}

// Reads an .ids file from front to back.
class IdsReader {
 public:
  explicit IdsReader(std::string bytes) : bytes_(std::move(bytes)) {}
  uint32_t Varint() {
    uint32_t value = 0;
    for (int shift = 0;; shift += 7) {
      auto byte = static_cast<unsigned char>(bytes_.at(at_++));
      value |= uint32_t{byte & 127u} << shift;
      if (byte < 128) return value;
    }
  }
  uint32_t Word() {
    uint32_t value = 0;
    for (int i = 0; i < 4; ++i)
      value |= uint32_t{static_cast<unsigned char>(bytes_.at(at_++))} << 8 * i;
    return value;
  }
  std::vector<int32_t> Ids() {
    std::vector<int32_t> ids(Varint());
    for (int32_t& id : ids) id = static_cast<int32_t>(Varint());
    return ids;
  }
  bool AtEnd() const { return at_ == bytes_.size(); }

 private:
  std::string bytes_;
  size_t at_ = 0;
};

// The same text as corpus.py's function of this name.
inline std::string CodePointText(uint32_t first) {
  std::string out;
  for (uint32_t c = first; c < first + 1024; ++c) {
    if (c >= 0xD800 && c <= 0xDFFF) continue;
    std::string s;
    AppendUtf8(c, &s);
    out += "a'" + s + "a " + s + "1" + s + "\n";
  }
  return out;
}

}  // namespace steer

#endif  // STEER_TESTS_SERVER_TOKENIZER_TOKENIZER_GOLDEN_H_
