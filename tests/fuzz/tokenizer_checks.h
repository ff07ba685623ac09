// What holds for every tokenizer and every text.
#ifndef STEER_TESTS_FUZZ_TOKENIZER_CHECKS_H_
#define STEER_TESTS_FUZZ_TOKENIZER_CHECKS_H_

#include <string>

#include "absl/strings/match.h"
#include "server/tokenizer/tokenizer.h"
#include "tests/fuzz/check.h"

namespace steer::fuzz {

// Streamed text only grows, is whole characters at every moment, and ends as Decode's.
inline void CheckStream(const Tokenizer& tokenizer, absl::Span<const int32_t> ids) {
  const std::string whole = tokenizer.Decode(ids, true);
  const std::unique_ptr<TextStream> stream = tokenizer.OpenTextStream();
  std::string grown;  // what was shown so far
  for (const int32_t id : ids) {
    stream->Push(id);
    const absl::string_view text = stream->text();
    FUZZ_CHECK(text.size() >= grown.size());
    const absl::string_view more = text.substr(grown.size());
    FUZZ_CHECK(IsValidUtf8(more));
    grown.append(more.data(), more.size());
  }
  stream->Finish();
  FUZZ_CHECK(absl::StartsWith(stream->text(), grown));
  FUZZ_CHECK(stream->text() == whole);
}

// Encodes `text` where it can be, and decodes; the decoded text, or "" where it could not be.
inline std::string CheckText(const Tokenizer& tokenizer, absl::string_view text) {
  const auto ids = tokenizer.Encode(text);
  if (!ids.ok()) {
    CheckRefusal(ids.status(), "");
    FUZZ_CHECK(!IsValidUtf8(text) || absl::IsResourceExhausted(ids.status()));
    return "";
  }
  FUZZ_CHECK(IsValidUtf8(text));
  for (const int32_t id : *ids) FUZZ_CHECK(id >= 0 && id < tokenizer.vocabulary_size());
  if (!ids->empty()) FUZZ_CHECK(IsValidUtf8(tokenizer.Piece(ids->back())));
  const std::string decoded = tokenizer.Decode(*ids, false);
  FUZZ_CHECK(IsValidUtf8(decoded));
  CheckStream(tokenizer, *ids);
  return decoded;
}

}  // namespace steer::fuzz

#endif  // STEER_TESTS_FUZZ_TOKENIZER_CHECKS_H_
