#include "server/tokenizer/lossy_utf8.h"

#include "common/utf8.h"

namespace steer::tok {
namespace {

constexpr char kReplacement[] = "\xEF\xBF\xBD";

}  // namespace

void LossyUtf8::Push(absl::string_view bytes, std::string* out) {
  pending_.append(bytes.data(), bytes.size());
  absl::string_view rest = pending_;
  for (;;) {
    size_t valid = ValidUtf8Prefix(rest);
    out->append(rest.data(), valid);
    rest.remove_prefix(valid);
    if (rest.empty() || IsUnfinishedUtf8(rest)) break;
    size_t broken = 1;
    while (broken < rest.size() && IsUnfinishedUtf8(rest.substr(0, broken + 1))) ++broken;
    out->append(kReplacement);
    rest.remove_prefix(broken);
  }
  pending_ = std::string(rest);
}

void LossyUtf8::Finish(std::string* out) {
  if (!pending_.empty()) out->append(kReplacement);
  pending_.clear();
}

}  // namespace steer::tok
