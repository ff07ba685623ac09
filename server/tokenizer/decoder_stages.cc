#include "server/tokenizer/decoder_stages.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "common/utf8.h"
#include "server/tokenizer/byte_alphabet.h"
#include "server/tokenizer/lossy_utf8.h"

namespace steer::tok {
namespace {

class StringSink : public TokenSink {
 public:
  explicit StringSink(std::string* out) : out_(out) {}
  void Part(absl::string_view text) override { out_->append(text.data(), text.size()); }
  void EndToken() override {}
  void End() override {}

 private:
  std::string* out_;
};

// Passes everything but the ends of tokens on; stages override what they change.
class Stage : public TokenSink {
 public:
  explicit Stage(SinkPtr next) : next_(std::move(next)) {}
  void Part(absl::string_view text) override { next_->Part(text); }
  void End() override { next_->End(); }

 protected:
  void WholeToken(absl::string_view text) {
    next_->Part(text);
    next_->EndToken();
  }
  SinkPtr next_;
};

class SpaceJoin : public Stage {
 public:
  using Stage::Stage;
  void Part(absl::string_view text) override {
    Begin();
    next_->Part(text);
  }
  void EndToken() override {
    Begin();
    open_ = false;
    first_ = false;
  }

 private:
  void Begin() {
    if (!open_ && !first_) next_->Part(" ");
    open_ = true;
  }
  bool open_ = false, first_ = true;
};

class Fuse : public Stage {
 public:
  using Stage::Stage;
  void EndToken() override {}
  void End() override {
    next_->EndToken();
    next_->End();
  }
};

class ByteLevel : public Stage {
 public:
  ByteLevel(bool raw, bool only_alphabet, SinkPtr next)
      : Stage(std::move(next)), raw_(raw), only_alphabet_(only_alphabet) {}
  void Part(absl::string_view text) override {
    if (only_alphabet_) {
      Convert(text);
    } else {
      token_.append(text.data(), text.size());
    }
  }
  void EndToken() override {
    if (only_alphabet_) return;
    Convert(token_);
    token_.clear();
  }
  void End() override {
    text_.clear();
    lossy_.Finish(&text_);
    if (!text_.empty()) next_->Part(text_);
    next_->EndToken();
    next_->End();
  }

 private:
  void Convert(absl::string_view characters) {
    bytes_.clear();
    AppendCharacterBytes(characters, &bytes_);
    if (raw_) {
      next_->Part(bytes_);
      return;
    }
    text_.clear();
    lossy_.Push(bytes_, &text_);
    next_->Part(text_);
  }

  bool raw_, only_alphabet_;
  std::string token_, bytes_, text_;
  LossyUtf8 lossy_;
};

// The byte that a token like "<0x41>" names, -1 if it names none.
int ByteOf(absl::string_view token) {
  if (token.size() != 6 || !absl::StartsWith(token, "<0x") || token[5] != '>') return -1;
  auto digit = [](char c) {
    return !absl::ascii_isxdigit(static_cast<unsigned char>(c)) ? -1
           : c <= '9'                                           ? c - '0'
                                                                : (c | 0x20) - 'a' + 10;
  };
  // Rust's from_str_radix takes a sign.
  int high = token[3] == '+' ? 0 : digit(token[3]), low = digit(token[4]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

class ByteFallback : public Stage {
 public:
  ByteFallback(bool raw, SinkPtr next) : Stage(std::move(next)), raw_(raw) {}
  void Part(absl::string_view text) override { token_.append(text.data(), text.size()); }
  void EndToken() override {
    int byte = ByteOf(token_);
    if (byte < 0) {
      EndRun();
      WholeToken(token_);
    } else if (raw_) {
      char c = static_cast<char>(byte);
      WholeToken(absl::string_view(&c, 1));
    } else {
      AddToRun(static_cast<char>(byte));
    }
    token_.clear();
  }
  void End() override {
    EndRun();
    next_->End();
  }

 private:
  // The whole run is text or, as soon as one of its bytes cannot be, all of it is U+FFFD; so it
  // waits until that is decided.
  void AddToRun(char byte) {
    if (broken_) {
      WholeToken("\xEF\xBF\xBD");
      return;
    }
    run_.push_back(byte);
    absl::string_view rest = absl::string_view(run_).substr(valid_);
    valid_ += ValidUtf8Prefix(rest);
    rest = absl::string_view(run_).substr(valid_);
    if (!rest.empty() && !IsUnfinishedUtf8(rest)) Break();
  }
  void Break() {
    for (size_t i = 0; i < run_.size(); ++i) WholeToken("\xEF\xBF\xBD");
    run_.clear();
    broken_ = true;
  }
  void EndRun() {
    if (!run_.empty() && valid_ < run_.size()) Break();
    if (!run_.empty()) WholeToken(run_);
    run_.clear();
    valid_ = 0;
    broken_ = false;
  }

  bool raw_, broken_ = false;
  std::string token_, run_;
  size_t valid_ = 0;  // bytes of run_ that are whole characters
};

class Replace : public Stage {
 public:
  Replace(std::string pattern, std::string content, SinkPtr next)
      : Stage(std::move(next)), pattern_(std::move(pattern)), content_(std::move(content)) {}
  void Part(absl::string_view text) override {
    held_.append(text.data(), text.size());
    absl::string_view rest = held_;
    for (size_t at; (at = rest.find(pattern_)) != absl::string_view::npos;) {
      if (at > 0) next_->Part(rest.substr(0, at));
      next_->Part(content_);
      rest.remove_prefix(at + pattern_.size());
    }
    // The longest end of the text that may yet grow into the pattern.
    size_t keep = std::min(rest.size(), pattern_.size() - 1);
    while (keep > 0 && !absl::StartsWith(pattern_, rest.substr(rest.size() - keep))) --keep;
    if (rest.size() > keep) next_->Part(rest.substr(0, rest.size() - keep));
    held_ = std::string(rest.substr(rest.size() - keep));
  }
  void EndToken() override {
    if (!held_.empty()) next_->Part(held_);
    held_.clear();
    next_->EndToken();
  }

 private:
  std::string pattern_, content_, held_;
};

class Strip : public Stage {
 public:
  Strip(uint32_t character, int64_t start, int64_t stop, SinkPtr next)
      : Stage(std::move(next)), start_(start), stop_(stop), leading_(start) {
    AppendUtf8(character, &character_);
  }
  void Part(absl::string_view text) override {
    std::string out;
    for (size_t at = 0; at < text.size();) {
      size_t begin = at;
      NextCodePoint(text, &at);
      absl::string_view c = text.substr(begin, at - begin);
      if (c == character_ && leading_ > 0) {
        --leading_;
      } else if (c == character_) {
        leading_ = 0;
        if (++trailing_ > stop_) Release(1, &out);
      } else {
        leading_ = 0;
        Release(trailing_, &out);
        out.append(c.data(), c.size());
      }
    }
    next_->Part(out);
  }
  void EndToken() override {
    leading_ = start_;
    trailing_ = 0;
    next_->EndToken();
  }

 private:
  void Release(int64_t count, std::string* out) {
    trailing_ -= count;
    for (; count > 0; --count) *out += character_;
  }

  std::string character_;
  int64_t start_, stop_;
  int64_t leading_;       // how many may still be taken off at the start of this token
  int64_t trailing_ = 0;  // how many wait to see whether the token ends here
};

class Metaspace : public Stage {
 public:
  Metaspace(uint32_t character, bool drop_first, SinkPtr next)
      : Stage(std::move(next)), character_(character), drop_(drop_first) {}
  void Part(absl::string_view text) override {
    std::string out;
    for (size_t at = 0; at < text.size();) {
      size_t begin = at;
      if (NextCodePoint(text, &at) != character_) {
        out.append(text.data() + begin, at - begin);
      } else if (!drop_) {
        out.push_back(' ');
      }
    }
    next_->Part(out);
  }
  void EndToken() override {
    drop_ = false;
    next_->EndToken();
  }

 private:
  uint32_t character_;
  bool drop_;
};

}  // namespace

SinkPtr MakeStringSink(std::string* out) { return std::make_unique<StringSink>(out); }
SinkPtr MakeSpaceJoin(SinkPtr next) { return std::make_unique<SpaceJoin>(std::move(next)); }
SinkPtr MakeByteLevel(bool raw, bool only_alphabet, SinkPtr next) {
  return std::make_unique<ByteLevel>(raw, only_alphabet, std::move(next));
}
bool IsByteToken(absl::string_view token) { return ByteOf(token) >= 0; }
SinkPtr MakeByteFallback(bool raw, SinkPtr next) {
  return std::make_unique<ByteFallback>(raw, std::move(next));
}
SinkPtr MakeFuse(SinkPtr next) { return std::make_unique<Fuse>(std::move(next)); }
SinkPtr MakeReplace(std::string pattern, std::string content, SinkPtr next) {
  return std::make_unique<Replace>(std::move(pattern), std::move(content), std::move(next));
}
SinkPtr MakeStrip(uint32_t character, int64_t start, int64_t stop, SinkPtr next) {
  return std::make_unique<Strip>(character, start, stop, std::move(next));
}
SinkPtr MakeMetaspace(uint32_t character, bool drop_first, SinkPtr next) {
  return std::make_unique<Metaspace>(character, drop_first, std::move(next));
}

}  // namespace steer::tok
