#include "server/tokenizer/jinja/print.h"

#include <charconv>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "common/utf8.h"
#include "server/tokenizer/jinja/loop.h"
#include "server/tokenizer/jinja/text.h"

namespace steer::jinja {
namespace {

void AppendStringRepr(absl::string_view text, std::string* out) {
  const bool single = text.find('\'') != absl::string_view::npos;
  const char quote = single && text.find('"') == absl::string_view::npos ? '"' : '\'';
  out->push_back(quote);
  for (size_t at = 0; at < text.size();) {
    uint32_t c = NextCodePoint(text, &at);
    if (c == static_cast<uint32_t>(quote) || c == '\\') {
      out->push_back('\\');
      out->push_back(static_cast<char>(c));
    } else if (c == '\n') {
      out->append("\\n");
    } else if (c == '\r') {
      out->append("\\r");
    } else if (c == '\t') {
      out->append("\\t");
    } else if (IsPrintable(c)) {
      AppendUtf8(c, out);
    } else if (c < 0x100) {
      absl::StrAppend(out, "\\x", absl::Hex(c, absl::kZeroPad2));
    } else if (c < 0x10000) {
      absl::StrAppend(out, "\\u", absl::Hex(c, absl::kZeroPad4));
    } else {
      absl::StrAppend(out, "\\U", absl::Hex(c, absl::kZeroPad8));
    }
  }
  out->push_back(quote);
}

class Printer {
 public:
  explicit Printer(Budget& budget) : budget_(budget) {}
  absl::Status Append(const Value& value) {
    STEER_RETURN_IF_ERROR(budget_.Step());
    DepthGuard guard(budget_);
    STEER_RETURN_IF_ERROR(guard.status());
    switch (value.kind()) {
      case Kind::kUndefined:
        out.append("Undefined");
        break;
      case Kind::kNone:
        out.append("None");
        break;
      case Kind::kBool:
        out.append(value.boolean() ? "True" : "False");
        break;
      case Kind::kInt:
        absl::StrAppend(&out, value.integer());
        break;
      case Kind::kFloat:
        out.append(FloatRepr(value.number()));
        break;
      case Kind::kString:
        STEER_RETURN_IF_ERROR(budget_.Bytes(value.text().size()));
        if (value.is_markup()) out.append("Markup(");
        AppendStringRepr(value.text(), &out);
        if (value.is_markup()) out.append(")");
        break;
      case Kind::kList:
        return AppendItems("[", value.items(), "]");
      case Kind::kTuple:
        return AppendItems("(", value.items(), value.items().size() == 1 ? ",)" : ")");
      case Kind::kView:
        return AppendItems(absl::StrCat(value.view_name(), "(["), value.items(), "])");
      case Kind::kDict:
        return AppendDict(value.dict());
      case Kind::kRange: {
        const RangeObject& r = value.range();
        absl::StrAppend(&out, "range(", r.start, ", ", r.stop);
        if (r.step != 1) absl::StrAppend(&out, ", ", r.step);
        out.append(")");
        break;
      }
      case Kind::kNamespace: {
        DictItems items;
        for (const auto& [name, item] : value.name_space().attributes) {
          items.emplace_back(Value::String(name), item);
        }
        out.append("<Namespace ");
        STEER_RETURN_IF_ERROR(AppendDict(items));
        out.append(">");
        break;
      }
      case Kind::kLoop: {
        // The index is always at hand; the length asks the loop's filter.
        const absl::optional<Value> index = *value.loop().Attribute("index");
        STEER_ASSIGN_OR_RETURN(absl::optional<Value> length, value.loop().Attribute("length"));
        absl::StrAppend(&out, "<LoopContext ", index->integer(), "/", length->integer(), ">");
        break;
      }
      default:  // kIterator, kCallable
        return Fail(absl::StrCat("printing a value of type '", TypeName(value),
                                 "' would print an address (for an iterator, add |list)"));
    }
    return absl::OkStatus();
  }
  std::string out;

 private:
  absl::Status AppendItems(absl::string_view open, const Items& items, absl::string_view close) {
    absl::StrAppend(&out, open);
    for (size_t i = 0; i < items.size(); ++i) {
      if (i > 0) out.append(", ");
      STEER_RETURN_IF_ERROR(Append(items[i]));
    }
    absl::StrAppend(&out, close);
    return absl::OkStatus();
  }
  absl::Status AppendDict(const DictItems& items) {
    out.append("{");
    for (size_t i = 0; i < items.size(); ++i) {
      if (i > 0) out.append(", ");
      STEER_RETURN_IF_ERROR(Append(items[i].first));
      out.append(": ");
      STEER_RETURN_IF_ERROR(Append(items[i].second));
    }
    out.append("}");
    return absl::OkStatus();
  }
  Budget& budget_;
};

}  // namespace

std::string FloatRepr(double d) {
  if (std::isnan(d)) return "nan";
  if (std::isinf(d)) return d < 0 ? "-inf" : "inf";
  char buffer[64];
  auto end = std::to_chars(buffer, buffer + sizeof(buffer), d, std::chars_format::scientific).ptr;
  absl::string_view text(buffer, static_cast<size_t>(end - buffer));
  const size_t e = text.find('e');
  const bool negative = text[0] == '-';
  std::string digits(1, text[negative ? 1 : 0]);
  if (e > digits.size() + (negative ? 1 : 0)) {
    digits.append(text.data() + (negative ? 3 : 2), e - (negative ? 3 : 2));
  }
  int exponent = 0;
  const char* from = text.data() + e + 1 + (text[e + 1] == '+' ? 1 : 0);
  std::from_chars(from, end, exponent);
  std::string out(negative ? "-" : "");
  if (exponent < -4 || exponent >= 16) {  // where repr switches to an exponent
    out.push_back(digits[0]);
    if (digits.size() > 1) absl::StrAppend(&out, ".", digits.substr(1));
    absl::StrAppend(&out, exponent < 0 ? "e-" : "e+",
                    absl::Dec(std::abs(exponent), absl::kZeroPad2));
  } else if (exponent < 0) {
    absl::StrAppend(&out, "0.", std::string(static_cast<size_t>(-exponent - 1), '0'), digits);
  } else {
    const size_t whole = static_cast<size_t>(exponent) + 1;
    if (digits.size() < whole) digits.append(whole - digits.size(), '0');
    absl::StrAppend(&out, digits.substr(0, whole), ".",
                    digits.size() > whole ? digits.substr(whole) : "0");
  }
  return out;
}

absl::StatusOr<std::string> Repr(const Value& value, Budget& budget) {
  Printer printer(budget);
  STEER_RETURN_IF_ERROR(printer.Append(value));
  STEER_RETURN_IF_ERROR(budget.Bytes(printer.out.size()));
  return std::move(printer.out);
}

absl::StatusOr<std::string> Str(const Value& value, Budget& budget) {
  if (value.is_string()) {
    STEER_RETURN_IF_ERROR(budget.Bytes(value.text().size()));
    return value.text();
  }
  if (value.is_undefined()) return std::string();
  return Repr(value, budget);
}

}  // namespace steer::jinja
