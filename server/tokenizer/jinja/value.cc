#include "server/tokenizer/jinja/value.h"

#include <algorithm>

#include "server/tokenizer/jinja/loop.h"

namespace steer::jinja {
namespace {

const std::string& EmptyText() {
  static const std::string* const empty = new std::string();
  return *empty;
}

std::shared_ptr<StringObject> MakeString(std::string text) {
  auto object = std::make_shared<StringObject>();
  object->text = std::move(text);
  object->depth = 0;
  return object;
}

}  // namespace

Value Value::Undefined(std::string message) {
  Value value;
  value.object_ = MakeString(std::move(message));
  return value;
}

Value Value::Float(double d) {
  Value value(Kind::kFloat, 0);
  value.float_ = d;
  return value;
}

Value Value::String(std::string text) {
  Value value(Kind::kString, 0);
  value.object_ = MakeString(std::move(text));
  return value;
}

Value Value::Markup(std::string text) {
  Value value = String(std::move(text));
  value.markup_ = true;
  return value;
}

Value Value::Sequence(Kind kind, Items items, const char* type_name) {
  auto object = std::make_shared<SequenceObject>();
  for (const Value& item : items) object->depth = std::max(object->depth, item.depth() + 1);
  object->items = std::move(items);
  object->type_name = type_name;
  return FromObject(kind, std::move(object));
}

Value Value::Dict(DictItems items) {
  auto object = std::make_shared<DictObject>();
  for (const auto& [key, item] : items) {
    object->depth = std::max({object->depth, key.depth() + 1, item.depth() + 1});
  }
  object->items = std::move(items);
  return FromObject(Kind::kDict, std::move(object));
}

Value Value::Iterator(Items items) {
  auto object = std::make_shared<IteratorObject>();
  for (const Value& item : items) object->depth = std::max(object->depth, item.depth() + 1);
  object->items = std::move(items);
  return FromObject(Kind::kIterator, std::move(object));
}

Value Value::FromObject(Kind kind, std::shared_ptr<Object> object) {
  Value value(kind, 0);
  value.object_ = std::move(object);
  return value;
}

const std::string& Value::text() const {
  return object_ == nullptr ? EmptyText() : static_cast<const StringObject&>(*object_).text;
}
const Items& Value::items() const { return static_cast<const SequenceObject&>(*object_).items; }
const char* Value::view_name() const {
  return static_cast<const SequenceObject&>(*object_).type_name;
}
const DictItems& Value::dict() const { return static_cast<const DictObject&>(*object_).items; }
const RangeObject& Value::range() const { return static_cast<const RangeObject&>(*object_); }
IteratorObject& Value::iterator() const { return static_cast<IteratorObject&>(*object_); }
NamespaceObject& Value::name_space() const { return static_cast<NamespaceObject&>(*object_); }
LoopObject& Value::loop() const { return static_cast<LoopObject&>(*object_); }
const CallableObject& Value::callable() const {
  return static_cast<const CallableObject&>(*object_);
}

int64_t RangeObject::size() const {
  if (step > 0) return start < stop ? (stop - start - 1) / step + 1 : 0;
  return start > stop ? (start - stop - 1) / -step + 1 : 0;
}

const char* TypeName(const Value& value) {
  switch (value.kind()) {
    case Kind::kUndefined:
      return "Undefined";
    case Kind::kNone:
      return "NoneType";
    case Kind::kBool:
      return "bool";
    case Kind::kInt:
      return "int";
    case Kind::kFloat:
      return "float";
    case Kind::kString:
      return value.is_markup() ? "Markup" : "str";
    case Kind::kList:
      return "list";
    case Kind::kTuple:
      return "tuple";
    case Kind::kDict:
      return "dict";
    case Kind::kRange:
      return "range";
    case Kind::kView:
      return value.view_name();
    case Kind::kIterator:
      return "generator";
    case Kind::kNamespace:
      return "Namespace";
    case Kind::kLoop:
      return "LoopContext";
    default:  // kCallable
      return "function";
  }
}

}  // namespace steer::jinja
