#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "common/utf8.h"
#include "server/tokenizer/jinja/compare.h"
#include "server/tokenizer/jinja/print.h"

namespace steer::jinja {
namespace {

std::string FloatText(double d) {
  if (std::isnan(d)) return "NaN";
  if (std::isinf(d)) return d < 0 ? "-Infinity" : "Infinity";
  return FloatRepr(d);
}

class Writer {
 public:
  Writer(const JsonOptions& options, Budget& budget) : options_(options), budget_(budget) {}

  absl::Status Append(const Value& value) {
    STEER_RETURN_IF_ERROR(budget_.Step());
    DepthGuard guard(budget_);
    STEER_RETURN_IF_ERROR(guard.status());
    switch (value.kind()) {
      case Kind::kNone:
        out.append("null");
        break;
      case Kind::kBool:
        out.append(value.boolean() ? "true" : "false");
        break;
      case Kind::kInt:
        absl::StrAppend(&out, value.integer());
        break;
      case Kind::kFloat:
        out.append(FloatText(value.number()));
        break;
      case Kind::kString:
        return AppendString(value.text());
      case Kind::kList:
      case Kind::kTuple:
        return AppendList(value.items());
      case Kind::kDict:
        return AppendDict(value.dict());
      default:
        return Fail(
            absl::StrCat("tojson: a value of type '", TypeName(value), "' has no JSON form",
                         value.is_undefined() ? absl::StrCat(" (", value.text(), ")") : ""));
    }
    return absl::OkStatus();
  }
  std::string out;

 private:
  // A UTF-16 unit.
  void AppendUnit(uint32_t unit) { absl::StrAppend(&out, "\\u", absl::Hex(unit, absl::kZeroPad4)); }

  absl::Status AppendString(absl::string_view text) {
    STEER_RETURN_IF_ERROR(budget_.Bytes(text.size()));
    out.push_back('"');
    for (size_t at = 0; at < text.size();) {
      uint32_t c = NextCodePoint(text, &at);
      switch (c) {
        case '"':
          out.append("\\\"");
          break;
        case '\\':
          out.append("\\\\");
          break;
        case '\n':
          out.append("\\n");
          break;
        case '\r':
          out.append("\\r");
          break;
        case '\t':
          out.append("\\t");
          break;
        case '\b':
          out.append("\\b");
          break;
        case '\f':
          out.append("\\f");
          break;
        default:
          if (c >= 0x20 && (c < 0x7F || !options_.ensure_ascii)) {
            AppendUtf8(c, &out);
          } else if (c < 0x10000) {
            AppendUnit(c);
          } else {
            AppendUnit(0xD800 + ((c - 0x10000) >> 10));
            AppendUnit(0xDC00 + ((c - 0x10000) & 0x3FF));
          }
      }
    }
    out.push_back('"');
    return absl::OkStatus();
  }

  absl::Status NewLine() {
    if (!options_.indent.has_value()) return absl::OkStatus();
    STEER_RETURN_IF_ERROR(budget_.Bytes(options_.indent->size() * level_));
    out.push_back('\n');
    for (size_t i = 0; i < level_; ++i) out.append(*options_.indent);
    return absl::OkStatus();
  }

  absl::Status AppendList(const Items& items) {
    if (items.empty()) {
      out.append("[]");
      return absl::OkStatus();
    }
    out.push_back('[');
    ++level_;
    for (size_t i = 0; i < items.size(); ++i) {
      if (i > 0) out.append(options_.item_separator);
      STEER_RETURN_IF_ERROR(NewLine());
      STEER_RETURN_IF_ERROR(Append(items[i]));
    }
    --level_;
    STEER_RETURN_IF_ERROR(NewLine());
    out.push_back(']');
    return absl::OkStatus();
  }

  absl::StatusOr<std::string> KeyText(const Value& key) {
    switch (key.kind()) {
      case Kind::kString:
        return key.text();
      case Kind::kNone:
        return std::string("null");
      case Kind::kBool:
        return std::string(key.boolean() ? "true" : "false");
      case Kind::kInt:
        return absl::StrCat(key.integer());
      case Kind::kFloat:
        return FloatText(key.number());
      default:
        return Fail(absl::StrCat("tojson: a key of type '", TypeName(key), "' has no JSON form"));
    }
  }

  absl::Status AppendDict(const DictItems& items) {
    if (items.empty()) {
      out.append("{}");
      return absl::OkStatus();
    }
    DictItems sorted = items;
    if (options_.sort_keys) {
      absl::Status failed;
      std::stable_sort(sorted.begin(), sorted.end(), [&](const auto& a, const auto& b) {
        if (!failed.ok()) return false;
        absl::StatusOr<bool> less = Less(a.first, b.first, budget_);
        if (!less.ok()) failed = less.status();
        return less.ok() && *less;
      });
      STEER_RETURN_IF_ERROR(failed);
    }
    out.push_back('{');
    ++level_;
    for (size_t i = 0; i < sorted.size(); ++i) {
      if (i > 0) out.append(options_.item_separator);
      STEER_RETURN_IF_ERROR(NewLine());
      STEER_ASSIGN_OR_RETURN(std::string key, KeyText(sorted[i].first));
      STEER_RETURN_IF_ERROR(AppendString(key));
      out.append(options_.key_separator);
      STEER_RETURN_IF_ERROR(Append(sorted[i].second));
    }
    --level_;
    STEER_RETURN_IF_ERROR(NewLine());
    out.push_back('}');
    return absl::OkStatus();
  }

  const JsonOptions& options_;
  Budget& budget_;
  size_t level_ = 0;
};

}  // namespace

absl::StatusOr<std::string> ToJson(const Value& value, const JsonOptions& options, Budget& budget) {
  Writer writer(options, budget);
  STEER_RETURN_IF_ERROR(writer.Append(value));
  return std::move(writer.out);
}

}  // namespace steer::jinja
