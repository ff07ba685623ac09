#include "server/tokenizer/jinja/compare.h"

#include <algorithm>
#include <cmath>

#include "common/status_macros.h"
#include "common/utf8.h"
#include "server/tokenizer/jinja/loop.h"
#include "server/tokenizer/jinja/text.h"

namespace steer::jinja {
namespace {

// x86's long double holds every int64 and every double, so that int against float compares exactly.
int CompareNumbers(const Value& a, const Value& b) {
  if (a.is_integral() && b.is_integral()) {
    return a.integer() < b.integer() ? -1 : a.integer() > b.integer();
  }
  auto wide = [](const Value& v) {
    return v.is_integral() ? static_cast<long double>(v.integer())
                           : static_cast<long double>(v.number());
  };
  return wide(a) < wide(b) ? -1 : wide(a) > wide(b);
}

bool IsNan(const Value& v) { return v.is(Kind::kFloat) && std::isnan(v.number()); }

absl::StatusOr<bool> SequencesEqual(const Items& a, const Items& b, Budget& budget) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    STEER_ASSIGN_OR_RETURN(bool same, Equals(a[i], b[i], budget));
    if (!same) return false;
  }
  return true;
}

absl::StatusOr<bool> DictsEqual(const DictItems& a, const DictItems& b, Budget& budget) {
  if (a.size() != b.size()) return false;
  for (const auto& [key, value] : a) {
    STEER_ASSIGN_OR_RETURN(int64_t at, FindKey(b, key, budget));
    if (at < 0) return false;
    STEER_ASSIGN_OR_RETURN(bool same, Equals(value, b[static_cast<size_t>(at)].second, budget));
    if (!same) return false;
  }
  return true;
}

bool RangesEqual(const RangeObject& a, const RangeObject& b) {
  if (a.size() != b.size()) return false;
  return a.size() == 0 || (a.start == b.start && (a.size() == 1 || a.step == b.step));
}

absl::StatusOr<bool> AnyEqual(const Items& items, const Value& needle, Budget& budget) {
  for (const Value& item : items) {
    STEER_ASSIGN_OR_RETURN(bool same, Equals(item, needle, budget));
    if (same) return true;
  }
  return false;
}

}  // namespace

absl::Status UndefinedError(const Value& undefined) {
  return Fail(undefined.text().empty() ? "a value is undefined" : undefined.text());
}

bool IsTrue(const Value& value) {
  switch (value.kind()) {
    case Kind::kUndefined:
    case Kind::kNone:
      return false;
    case Kind::kBool:
    case Kind::kInt:
      return value.integer() != 0;
    case Kind::kFloat:
      return value.number() != 0;
    case Kind::kString:
      return !value.text().empty();
    case Kind::kList:
    case Kind::kTuple:
    case Kind::kView:
      return !value.items().empty();
    case Kind::kDict:
      return !value.dict().empty();
    case Kind::kRange:
      return value.range().size() != 0;
    default:
      return true;
  }
}

absl::StatusOr<bool> Equals(const Value& a, const Value& b, Budget& budget) {
  STEER_RETURN_IF_ERROR(budget.Step());
  if (a.is_number() && b.is_number()) {
    return !IsNan(a) && !IsNan(b) && CompareNumbers(a, b) == 0;
  }
  if (a.kind() != b.kind()) return false;
  switch (a.kind()) {
    case Kind::kUndefined:
    case Kind::kNone:
      return true;
    case Kind::kString:
      if (a.text().size() != b.text().size()) return false;
      STEER_RETURN_IF_ERROR(budget.Bytes(a.text().size()));
      return a.text() == b.text();
    case Kind::kList:
    case Kind::kTuple:
      return SequencesEqual(a.items(), b.items(), budget);
    case Kind::kDict:
      return DictsEqual(a.dict(), b.dict(), budget);
    case Kind::kRange:
      return RangesEqual(a.range(), b.range());
    case Kind::kView:
      return a.object() == b.object()
                 ? absl::StatusOr<bool>(true)
                 : Fail("comparing the views that keys(), values() and items() give is not built");
    case Kind::kCallable:
      return Fail("comparing functions is not built");
    default:
      return a.object() == b.object();
  }
}

absl::StatusOr<bool> Less(const Value& a, const Value& b, Budget& budget) {
  STEER_RETURN_IF_ERROR(budget.Step());
  if (a.is_undefined()) return UndefinedError(a);
  if (b.is_undefined()) return UndefinedError(b);
  if (a.is_number() && b.is_number()) {
    return !IsNan(a) && !IsNan(b) && CompareNumbers(a, b) < 0;
  }
  // UTF-8 sorts bytewise as its code points do.
  if (a.is_string() && b.is_string()) {
    STEER_RETURN_IF_ERROR(budget.Bytes(std::min(a.text().size(), b.text().size())));
    return a.text() < b.text();
  }
  if (a.is_sequence() && a.kind() == b.kind()) {
    const Items &x = a.items(), &y = b.items();
    for (size_t i = 0; i < x.size() && i < y.size(); ++i) {
      STEER_ASSIGN_OR_RETURN(bool same, Equals(x[i], y[i], budget));
      if (!same) return Less(x[i], y[i], budget);
    }
    return x.size() < y.size();
  }
  return Fail(
      absl::StrCat("'<' is not supported between '", TypeName(a), "' and '", TypeName(b), "'"));
}

absl::StatusOr<bool> Contains(const Value& needle, const Value& haystack, Budget& budget) {
  switch (haystack.kind()) {
    case Kind::kString:
      if (!needle.is_string()) {
        return Fail(absl::StrCat("'in <string>' requires a string on its left, not '",
                                 TypeName(needle), "'"));
      }
      STEER_RETURN_IF_ERROR(budget.Bytes(haystack.text().size()));
      return FindText(haystack.text(), needle.text()) != absl::string_view::npos;
    case Kind::kDict: {
      STEER_RETURN_IF_ERROR(CheckHashable(needle, budget));
      STEER_ASSIGN_OR_RETURN(int64_t at, FindKey(haystack.dict(), needle, budget));
      return at >= 0;
    }
    case Kind::kList:
    case Kind::kTuple:
    case Kind::kView:
      return AnyEqual(haystack.items(), needle, budget);
    case Kind::kIterator: {
      IteratorObject& it = haystack.iterator();
      while (it.next < it.items.size()) {
        STEER_ASSIGN_OR_RETURN(bool same, Equals(it.items[it.next++], needle, budget));
        if (same) return true;
      }
      return false;
    }
    case Kind::kRange:
    case Kind::kUndefined: {
      STEER_ASSIGN_OR_RETURN(Items items, Iterate(haystack, budget));
      return AnyEqual(items, needle, budget);
    }
    default:
      return Fail(absl::StrCat("a value of type '", TypeName(haystack), "' is not iterable"));
  }
}

absl::Status CheckHashable(const Value& value, Budget& budget) {
  STEER_RETURN_IF_ERROR(budget.Step());
  if (value.is(Kind::kList) || value.is(Kind::kDict) || value.is(Kind::kView)) {
    return Fail(absl::StrCat("a value of type '", TypeName(value), "' cannot be hashed"));
  }
  if (value.is(Kind::kTuple)) {
    for (const Value& item : value.items()) STEER_RETURN_IF_ERROR(CheckHashable(item, budget));
  }
  return absl::OkStatus();
}

absl::StatusOr<int64_t> FindKey(const DictItems& dict, const Value& key, Budget& budget) {
  for (size_t i = 0; i < dict.size(); ++i) {
    STEER_ASSIGN_OR_RETURN(bool same, Equals(dict[i].first, key, budget));
    if (same) return static_cast<int64_t>(i);
  }
  return -1;
}

absl::Status InsertKey(DictItems& dict, const Value& key, const Value& value, Budget& budget) {
  STEER_RETURN_IF_ERROR(CheckHashable(key, budget));
  STEER_ASSIGN_OR_RETURN(int64_t at, FindKey(dict, key, budget));
  if (at >= 0) {
    dict[static_cast<size_t>(at)].second = value;
  } else {
    dict.emplace_back(key, value);
  }
  return absl::OkStatus();
}

bool HasLength(const Value& value) {
  switch (value.kind()) {
    case Kind::kUndefined:
    case Kind::kString:
    case Kind::kList:
    case Kind::kTuple:
    case Kind::kDict:
    case Kind::kRange:
    case Kind::kView:
    case Kind::kLoop:
      return true;
    default:
      return false;
  }
}

bool IsIterable(const Value& value) { return HasLength(value) || value.is(Kind::kIterator); }

absl::StatusOr<int64_t> Length(const Value& value) {
  switch (value.kind()) {
    case Kind::kUndefined:
      return 0;
    case Kind::kString:
      return static_cast<int64_t>(CountCodePoints(value.text()));
    case Kind::kList:
    case Kind::kTuple:
    case Kind::kView:
      return static_cast<int64_t>(value.items().size());
    case Kind::kDict:
      return static_cast<int64_t>(value.dict().size());
    case Kind::kRange:
      return value.range().size();
    case Kind::kLoop: {
      STEER_ASSIGN_OR_RETURN(absl::optional<Value> length, value.loop().Attribute("length"));
      return length->integer();
    }
    default:
      return Fail(absl::StrCat("a value of type '", TypeName(value), "' has no length"));
  }
}

absl::StatusOr<Items> Iterate(const Value& value, Budget& budget) {
  Items out;
  switch (value.kind()) {
    case Kind::kUndefined:
      break;
    case Kind::kString: {
      const std::string& text = value.text();
      STEER_RETURN_IF_ERROR(budget.Step(static_cast<int64_t>(text.size())));
      for (size_t at = 0; at < text.size();) {
        size_t from = at;
        NextCodePoint(text, &at);
        // Plain text, also where the whole is safe: markupsafe leaves str.__iter__ as it is.
        out.push_back(Value::String(text.substr(from, at - from)));
      }
      break;
    }
    case Kind::kList:
    case Kind::kTuple:
    case Kind::kView:
      out = value.items();
      break;
    case Kind::kDict:
      for (const auto& entry : value.dict()) out.push_back(entry.first);
      break;
    case Kind::kRange: {
      STEER_RETURN_IF_ERROR(budget.Step(value.range().size()));
      for (int64_t i = 0; i < value.range().size(); ++i) {
        out.push_back(Value::Int(value.range().at(i)));
      }
      break;
    }
    case Kind::kIterator: {
      IteratorObject& it = value.iterator();
      out.assign(it.items.begin() + static_cast<std::ptrdiff_t>(it.next), it.items.end());
      it.next = it.items.size();
      break;
    }
    case Kind::kLoop:
      return Fail("iterating over the loop variable is not built");
    default:
      return Fail(absl::StrCat("a value of type '", TypeName(value), "' is not iterable"));
  }
  STEER_RETURN_IF_ERROR(budget.Step(static_cast<int64_t>(out.size()) / 8 + 1));
  STEER_RETURN_IF_ERROR(budget.Bytes(out.size() * sizeof(Value)));
  return out;
}

}  // namespace steer::jinja
