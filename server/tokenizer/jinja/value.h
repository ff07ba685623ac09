// Values that a template computes with. They follow Python where a template can see it: what is
// true, what prints, what compares.
//
// A Value is cheap to copy. Strings, lists and dicts never change once made (the sandbox of
// transformers forbids it, too); namespaces, loops and iterators do, and belong to one rendering.
#ifndef STEER_SERVER_TOKENIZER_JINJA_VALUE_H_
#define STEER_SERVER_TOKENIZER_JINJA_VALUE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

namespace steer::jinja {

enum class Kind : uint8_t {
  kUndefined,
  kNone,
  kBool,
  kInt,
  kFloat,
  kString,
  kList,
  kTuple,
  kDict,
  kRange,
  kView,      // what dict.keys(), .values() and .items() give
  kIterator,  // what map, select, items, reverse, ... give: read once, no length
  kNamespace,
  kLoop,
  kCallable,
};

// Base of whatever does not fit into a Value itself.
struct Object {
  virtual ~Object() = default;
  int depth = 1;  // 1 + the deepest value inside; bounds recursion over values
};

class Value;
using Items = std::vector<Value>;
using DictItems = std::vector<std::pair<Value, Value>>;

struct StringObject;
struct SequenceObject;
struct DictObject;
struct RangeObject;
struct IteratorObject;
struct NamespaceObject;
class LoopObject;
struct CallableObject;

class Value {
 public:
  Value() = default;  // undefined, without a message
  static Value Undefined(std::string message);
  static Value None() { return Value(Kind::kNone, 0); }
  static Value Bool(bool b) { return Value(Kind::kBool, b ? 1 : 0); }
  static Value Int(int64_t i) { return Value(Kind::kInt, i); }
  static Value Float(double d);
  static Value String(std::string text);
  static Value String(absl::string_view text) { return String(std::string(text)); }
  static Value String(const char* text) { return String(std::string(text)); }
  // A string that came out of `safe` or `escape` (markupsafe.Markup).
  static Value Markup(std::string text);
  static Value List(Items items) { return Sequence(Kind::kList, std::move(items), ""); }
  static Value Tuple(Items items) { return Sequence(Kind::kTuple, std::move(items), ""); }
  static Value View(Items items, const char* type_name) {
    return Sequence(Kind::kView, std::move(items), type_name);
  }
  static Value Dict(DictItems items);
  static Value Iterator(Items items);
  static Value FromObject(Kind kind, std::shared_ptr<Object> object);

  Kind kind() const { return kind_; }
  bool is(Kind kind) const { return kind_ == kind; }
  bool is_undefined() const { return kind_ == Kind::kUndefined; }
  bool is_string() const { return kind_ == Kind::kString; }
  bool is_markup() const { return markup_; }
  // bool or int, as isinstance(x, int).
  bool is_integral() const { return kind_ == Kind::kInt || kind_ == Kind::kBool; }
  bool is_number() const { return is_integral() || kind_ == Kind::kFloat; }
  bool is_sequence() const { return kind_ == Kind::kList || kind_ == Kind::kTuple; }

  // Each requires the kind that it names.
  bool boolean() const { return int_ != 0; }
  int64_t integer() const { return int_; }  // kInt or kBool
  double number() const { return kind_ == Kind::kFloat ? float_ : static_cast<double>(int_); }
  const std::string& text() const;      // kString; of kUndefined its message (may be empty)
  const Items& items() const;           // kList, kTuple, kView
  const char* view_name() const;        // kView
  const DictItems& dict() const;        // kDict
  const RangeObject& range() const;     // kRange
  IteratorObject& iterator() const;     // kIterator
  NamespaceObject& name_space() const;  // kNamespace
  LoopObject& loop() const;             // kLoop
  const CallableObject& callable() const;
  const Object* object() const { return object_.get(); }
  int depth() const { return object_ == nullptr ? 0 : object_->depth; }

 private:
  Value(Kind kind, int64_t i) : kind_(kind), int_(i) {}
  static Value Sequence(Kind kind, Items items, const char* type_name);

  Kind kind_ = Kind::kUndefined;
  bool markup_ = false;
  union {
    int64_t int_ = 0;
    double float_;
  };
  std::shared_ptr<Object> object_;
};

struct StringObject : Object {
  std::string text;
};
struct SequenceObject : Object {
  Items items;
  const char* type_name;
};
struct DictObject : Object {
  DictItems items;
};
inline constexpr int64_t kMaxRangeBound = int64_t{1} << 53;  // so that no index overflows
struct RangeObject : Object {
  int64_t start, stop, step;
  int64_t size() const;
  int64_t at(int64_t index) const { return start + index * step; }
};
struct IteratorObject : Object {
  Items items;
  size_t next = 0;
};
// Owned by the rendering, not by the values that name it: a namespace may hold itself.
struct NamespaceObject : Object {
  std::vector<std::pair<std::string, Value>> attributes;
};

struct MacroObject;
enum class CallableKind : uint8_t { kGlobal, kMethod, kMacro };
struct CallableObject : Object {
  CallableKind kind;
  std::string name;  // of the global or method
  Value receiver;    // kMethod
  const MacroObject* macro = nullptr;
};

// As type(value).__name__.
const char* TypeName(const Value& value);

}  // namespace steer::jinja

#endif  // STEER_SERVER_TOKENIZER_JINJA_VALUE_H_
