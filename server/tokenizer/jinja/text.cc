#include "server/tokenizer/jinja/text.h"

#include <string.h>

#include <algorithm>

#include "common/utf8.h"

namespace steer::jinja {
namespace {

bool IsLineEnd(uint32_t c) {
  return (c >= 0x0A && c <= 0x0D) || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 ||
         c == 0x2029;
}

template <typename Predicate>
absl::string_view StripIf(absl::string_view text, Side side, Predicate strip) {
  if (side != Side::kRight) {
    size_t at = 0;
    while (at < text.size()) {
      size_t next = at;
      if (!strip(NextCodePoint(text, &next))) break;
      at = next;
    }
    text.remove_prefix(at);
  }
  if (side != Side::kLeft) {
    while (!text.empty()) {
      size_t at = text.size() - 1;
      while (at > 0 && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) --at;
      size_t next = at;
      if (!strip(NextCodePoint(text, &next))) break;
      text = text.substr(0, at);
    }
  }
  return text;
}

}  // namespace

size_t FindText(absl::string_view text, absl::string_view what, size_t from) {
  if (what.size() > text.size() - from) return absl::string_view::npos;
  if (what.empty()) return from;
  // The plain search takes a short text's length at most at each place. For others glibc's, which is
  // Two-Way (Crochemore and Perrin 1991); a sanitizer reads all of the text at each call of it.
  if (what.size() <= 32) return text.find(what, from);
  const void* at = memmem(text.data() + from, text.size() - from, what.data(), what.size());
  return at == nullptr ? absl::string_view::npos
                       : static_cast<size_t>(static_cast<const char*>(at) - text.data());
}

size_t FindLastText(absl::string_view text, absl::string_view what) {
  const std::string backwards(text.rbegin(), text.rend()), goal(what.rbegin(), what.rend());
  const size_t at = FindText(backwards, goal);
  return at == absl::string_view::npos ? at : text.size() - at - what.size();
}

bool IsSpace(uint32_t c) {
  return (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x20) || c == 0x85 || c == 0xA0 ||
         c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F ||
         c == 0x205F || c == 0x3000;
}

bool IsAscii(absl::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

absl::string_view StripSpace(absl::string_view text, Side side) {
  return StripIf(text, side, IsSpace);
}

absl::string_view StripChars(absl::string_view text, absl::string_view chars, Side side) {
  std::vector<uint32_t> set = ToCodePoints(chars);
  std::sort(set.begin(), set.end());
  return StripIf(text, side,
                 [&](uint32_t c) { return std::binary_search(set.begin(), set.end(), c); });
}

std::vector<absl::string_view> Split(absl::string_view text, absl::string_view separator,
                                     int64_t max_splits) {
  std::vector<absl::string_view> parts;
  size_t from = 0;
  while (max_splits < 0 || static_cast<int64_t>(parts.size()) < max_splits) {
    size_t at = FindText(text, separator, from);
    if (at == absl::string_view::npos) break;
    parts.push_back(text.substr(from, at - from));
    from = at + separator.size();
  }
  parts.push_back(text.substr(from));
  return parts;
}

std::vector<absl::string_view> SplitFromRight(absl::string_view text, absl::string_view separator,
                                              int64_t max_splits) {
  const std::string backwards(text.rbegin(), text.rend());
  const std::string goal(separator.rbegin(), separator.rend());
  std::vector<absl::string_view> parts;
  size_t end = text.size();
  while (max_splits < 0 || static_cast<int64_t>(parts.size()) < max_splits) {
    const size_t at = FindText(backwards, goal, text.size() - end);
    if (at == absl::string_view::npos) break;
    const size_t begin = text.size() - at;  // behind the separator
    parts.push_back(text.substr(begin, end - begin));
    end = begin - separator.size();
  }
  parts.push_back(text.substr(0, end));
  std::reverse(parts.begin(), parts.end());
  return parts;
}

std::vector<absl::string_view> SplitAtSpace(absl::string_view text, int64_t max_splits) {
  std::vector<absl::string_view> parts;
  text = StripSpace(text, Side::kLeft);
  while (!text.empty()) {
    if (max_splits >= 0 && static_cast<int64_t>(parts.size()) == max_splits) {
      parts.push_back(text);
      break;
    }
    size_t at = 0;
    while (at < text.size()) {
      size_t next = at;
      if (IsSpace(NextCodePoint(text, &next))) break;
      at = next;
    }
    parts.push_back(text.substr(0, at));
    text = StripSpace(text.substr(at), Side::kLeft);
  }
  return parts;
}

std::vector<absl::string_view> SplitAtSpaceFromRight(absl::string_view text, int64_t max_splits) {
  std::vector<absl::string_view> all = SplitAtSpace(text, -1);
  if (max_splits < 0 || static_cast<int64_t>(all.size()) <= max_splits) return all;
  const size_t kept = static_cast<size_t>(max_splits);
  const absl::string_view last_merged = all[all.size() - kept - 1];
  const char* begin = text.data();
  std::vector<absl::string_view> parts = {absl::string_view(
      begin, static_cast<size_t>(last_merged.data() + last_merged.size() - begin))};
  parts.insert(parts.end(), all.end() - static_cast<std::ptrdiff_t>(kept), all.end());
  return parts;
}

std::vector<absl::string_view> SplitLines(absl::string_view text, bool keep_ends) {
  std::vector<absl::string_view> lines;
  size_t from = 0;
  for (size_t at = 0; at < text.size();) {
    size_t end = at;
    uint32_t c = NextCodePoint(text, &at);
    if (!IsLineEnd(c)) continue;
    if (c == '\r' && at < text.size() && text[at] == '\n') ++at;
    lines.push_back(text.substr(from, (keep_ends ? at : end) - from));
    from = at;
  }
  if (from < text.size()) lines.push_back(text.substr(from));
  return lines;
}

std::string Replace(absl::string_view text, absl::string_view from, absl::string_view to,
                    int64_t max_count) {
  std::string out;
  size_t at = 0;
  int64_t done = 0;
  if (from.empty()) {
    while (max_count < 0 || done < max_count) {
      out.append(to.data(), to.size());
      ++done;
      if (at >= text.size()) break;
      size_t start = at;
      NextCodePoint(text, &at);
      out.append(text.data() + start, at - start);
    }
  } else {
    while (max_count < 0 || done < max_count) {
      size_t found = FindText(text, from, at);
      if (found == absl::string_view::npos) break;
      out.append(text.data() + at, found - at);
      out.append(to.data(), to.size());
      at = found + from.size();
      ++done;
    }
  }
  out.append(text.data() + at, text.size() - at);
  return out;
}

int64_t Count(absl::string_view text, absl::string_view what) {
  if (what.empty()) return static_cast<int64_t>(CountCodePoints(text)) + 1;
  int64_t count = 0;
  for (size_t at = FindText(text, what); at != absl::string_view::npos;
       at = FindText(text, what, at + what.size()))
    ++count;
  return count;
}

size_t OffsetOf(absl::string_view text, int64_t code_points) {
  return Utf8Prefix(text, static_cast<size_t>(std::max<int64_t>(code_points, 0))).size();
}

std::string EscapeHtml(absl::string_view text) {
  std::string out;
  for (char c : text) {
    switch (c) {
      case '&':
        out.append("&amp;");
        break;
      case '<':
        out.append("&lt;");
        break;
      case '>':
        out.append("&gt;");
        break;
      case '\'':
        out.append("&#39;");
        break;
      case '"':
        out.append("&#34;");
        break;
      default:
        out.push_back(c);
    }
  }
  return out;
}

}  // namespace steer::jinja
