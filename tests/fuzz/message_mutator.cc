#include "tests/fuzz/message_mutator.h"

#include <iterator>
#include <limits>
#include <string>
#include <vector>

namespace steer::fuzz {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

constexpr int kMaxDepth = 6;

class Mutator {
 public:
  Mutator(std::minstd_rand* random) : random_(*random) {}

  void Mutate(Message* message, int depth) {
    const auto* descriptor = message->GetDescriptor();
    if (descriptor->field_count() == 0) return;
    const FieldDescriptor* field =
        descriptor->field(static_cast<int>(Below(static_cast<size_t>(descriptor->field_count()))));
    if (field->is_repeated()) return MutateList(message, field, depth);
    if (Below(6) == 0) return message->GetReflection()->ClearField(message, field);
    Set(message, field, depth);
  }

 private:
  size_t Below(size_t limit) { return random_() % limit; }

  int64_t Integer() {
    static constexpr int64_t kEdges[] = {0,
                                         1,
                                         -1,
                                         2,
                                         3,
                                         4,
                                         8,
                                         16,
                                         17,
                                         63,
                                         64,
                                         65,
                                         200,
                                         259,
                                         260,
                                         1000,
                                         1001,
                                         -200,
                                         -201,
                                         std::numeric_limits<int32_t>::max(),
                                         std::numeric_limits<int32_t>::min(),
                                         std::numeric_limits<int64_t>::max(),
                                         std::numeric_limits<int64_t>::min()};
    return Below(4) == 0 ? static_cast<int64_t>(random_()) - (1 << 30)
                         : kEdges[Below(std::size(kEdges))];
  }
  double Number() {
    static constexpr double kEdges[] = {0,
                                        -0.0,
                                        1,
                                        0.5,
                                        2,
                                        2.5,
                                        -1,
                                        10,
                                        0.01,
                                        0.009,
                                        1000,
                                        1000.5,
                                        1e308,
                                        5e-324,
                                        std::numeric_limits<double>::infinity(),
                                        -std::numeric_limits<double>::infinity(),
                                        std::numeric_limits<double>::quiet_NaN()};
    return Below(4) == 0 ? static_cast<double>(random_()) / 1e6 : kEdges[Below(std::size(kEdges))];
  }
  std::string String() {
    static const std::string kTexts[] = {"",
                                         "a",
                                         "prompt 1",
                                         "post-1",
                                         "opening-1",
                                         "post-2",
                                         "../x",
                                         std::string("a\0b", 3),
                                         "caf\xC3\xA9",
                                         std::string(64, 'a'),
                                         std::string(64, 'b'),
                                         std::string(64, 'A'),
                                         std::string(129, 'n'),
                                         "123e4567-e89b-42d3-a456-426614174000",
                                         "fingerprint",
                                         "ablate/harmful"};
    std::string text = kTexts[Below(std::size(kTexts))];
    if (Below(8) == 0) text.insert(Below(text.size() + 1), 1, static_cast<char>(random_() & 0x7f));
    return Below(400) == 0 ? std::string(32769, 'x') : text;
  }

  void Set(Message* message, const FieldDescriptor* field, int depth) {
    const Reflection* r = message->GetReflection();
    switch (field->cpp_type()) {
      case FieldDescriptor::CPPTYPE_INT32:
        return r->SetInt32(message, field, static_cast<int32_t>(Integer()));
      case FieldDescriptor::CPPTYPE_INT64:
        return r->SetInt64(message, field, Integer());
      case FieldDescriptor::CPPTYPE_UINT32:
        return r->SetUInt32(message, field, static_cast<uint32_t>(Integer()));
      case FieldDescriptor::CPPTYPE_UINT64:
        return r->SetUInt64(message, field, static_cast<uint64_t>(Integer()));
      case FieldDescriptor::CPPTYPE_DOUBLE:
        return r->SetDouble(message, field, Number());
      case FieldDescriptor::CPPTYPE_FLOAT:
        return r->SetFloat(message, field, static_cast<float>(Number()));
      case FieldDescriptor::CPPTYPE_BOOL:
        return r->SetBool(message, field, Below(2) == 0);
      case FieldDescriptor::CPPTYPE_ENUM:
        return r->SetEnumValue(message, field, static_cast<int>(Below(6)));
      case FieldDescriptor::CPPTYPE_STRING:
        return r->SetString(message, field, String());
      case FieldDescriptor::CPPTYPE_MESSAGE:
        if (depth < kMaxDepth) Mutate(r->MutableMessage(message, field), depth + 1);
    }
  }

  void Add(Message* message, const FieldDescriptor* field, int depth) {
    const Reflection* r = message->GetReflection();
    switch (field->cpp_type()) {
      case FieldDescriptor::CPPTYPE_INT32:
        return r->AddInt32(message, field, static_cast<int32_t>(Integer()));
      case FieldDescriptor::CPPTYPE_INT64:
        return r->AddInt64(message, field, Integer());
      case FieldDescriptor::CPPTYPE_UINT32:
        return r->AddUInt32(message, field, static_cast<uint32_t>(Integer()));
      case FieldDescriptor::CPPTYPE_UINT64:
        return r->AddUInt64(message, field, static_cast<uint64_t>(Integer()));
      case FieldDescriptor::CPPTYPE_DOUBLE:
        return r->AddDouble(message, field, Number());
      case FieldDescriptor::CPPTYPE_FLOAT:
        return r->AddFloat(message, field, static_cast<float>(Number()));
      case FieldDescriptor::CPPTYPE_BOOL:
        return r->AddBool(message, field, Below(2) == 0);
      case FieldDescriptor::CPPTYPE_ENUM:
        return r->AddEnumValue(message, field, static_cast<int>(Below(6)));
      case FieldDescriptor::CPPTYPE_STRING:
        return r->AddString(message, field, String());
      case FieldDescriptor::CPPTYPE_MESSAGE:
        if (depth < kMaxDepth) Mutate(r->AddMessage(message, field), depth + 1);
    }
  }

  void MutateList(Message* message, const FieldDescriptor* field, int depth) {
    const Reflection* r = message->GetReflection();
    const int size = r->FieldSize(*message, field);
    const size_t choice = Below(8);
    if (size == 0 || (choice < 2 && size < 40)) return Add(message, field, depth);
    const int at = static_cast<int>(Below(static_cast<size_t>(size)));
    if (choice == 2) return r->RemoveLast(message, field);
    if (choice == 3) return r->SwapElements(message, field, at, size - 1);
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) {
      r->RemoveLast(message, field);
      return Add(message, field, depth);
    }
    if (choice == 4 && size < 40) {
      r->AddMessage(message, field)->CopyFrom(r->GetRepeatedMessage(*message, field, at));
    } else if (depth < kMaxDepth) {
      Mutate(r->MutableRepeatedMessage(message, field, at), depth + 1);
    }
  }

  std::minstd_rand& random_;
};

}  // namespace

void MutateMessage(Message* message, std::minstd_rand* random) {
  Mutator(random).Mutate(message, 0);
}

}  // namespace steer::fuzz
