// server/rpc: every request message. The first byte chooses the message, the rest is its binary form; mutations work on fields
// (message_mutator.h) or, one time in eight, on bytes. What is valid is translated to the engine's structs.
#include <algorithm>
#include <functional>
#include <memory>
#include <vector>

#include "common/errors.h"
#include "google/protobuf/stubs/logging.h"
#include "server/rpc/translate.h"
#include "server/rpc/validate.h"
#include "tests/fuzz/check.h"
#include "tests/fuzz/message_mutator.h"

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

namespace {

using google::protobuf::Message;
using namespace steer;  // NOLINT(build/namespaces): the messages of one contract

const RequestBounds kBounds = {.layers = 2,
                               .vocabulary = 260,
                               .max_context_tokens = 200,
                               .max_new_tokens = 64,
                               .max_prompts = 8,
                               .max_arms = 4,
                               .max_rows = 16};

// Counts, values and ids of a valid intervention arrive whole.
void CheckIntervention(const v1::Intervention& intervention) {
  const InterventionSpec spec = FromProto(intervention);
  FUZZ_CHECK(static_cast<int>(spec.ops.size()) == intervention.ops_size());
  std::set<std::string> ids;
  AddNamedSets(spec, &ids);
  for (const std::string& id : ids) FUZZ_CHECK(id.size() == 64);
  FUZZ_CHECK(spec.ops.empty() || !ids.empty());
  for (const OpSpec& op : spec.ops) {
    FUZZ_CHECK(!op.directions.empty() && op.directions.size() <= kMaxAblatedDirections);
    FUZZ_CHECK(op.amount == op.amount);
    for (const auto site : op.sites) FUZZ_CHECK(site >= 0 && site <= 2 * kBounds.layers);
    for (const DirectionRef& ref : op.directions)
      FUZZ_CHECK(ref.position < 0 && ref.layer >= 0 && ref.layer < kBounds.layers);
  }
  AuditRecord audit;
  CountOps(intervention, &audit);
  int64_t counted = 0;
  for (const char* kind : {"ablate", "add", "set_projection"}) counted += audit.interventions[kind];
  FUZZ_CHECK(counted == intervention.ops_size());
}

void CheckDecoding(const v1::Decoding& decoding) {
  const DecodeSpec spec = FromProto(decoding);
  FUZZ_CHECK(spec.max_new_tokens >= 1 && spec.max_new_tokens <= kBounds.max_new_tokens);
  FUZZ_CHECK(spec.top_p > 0 && spec.top_p <= 1 && spec.temperature >= 0 && spec.temperature <= 10);
}

void Translate(const v1::GenerateRequest& r) {
  CheckIntervention(r.intervention());
  CheckDecoding(r.decoding());
}
void Translate(const v1::EvaluateRequest& r) {
  int64_t rows = 0;
  for (const v1::Arm& arm : r.arms()) {
    CheckIntervention(arm.intervention());
    rows += arm.prompts_size();
  }
  FUZZ_CHECK(rows >= 1 && rows <= kBounds.max_rows && r.held_size() <= rows);
  CheckDecoding(r.decoding());
}
void Translate(const v1::FitDirectionRequest& r) {
  FUZZ_CHECK(r.harmful_size() >= 2 && r.harmless_size() >= 2);
}
void Translate(const v1::TokenizeRequest& r) { FUZZ_CHECK(r.prompts_size() >= 1); }
void Translate(const v1::GetDirectionRequest& r) {
  FUZZ_CHECK(r.set_id().size() == 64 && FromProto(r.direction()).layer < kBounds.layers);
}
void Translate(const v1::ExportDirectionRequest& r) { FUZZ_CHECK(r.set_id().size() == 64); }
void Translate(const v1::DeleteDirectionRequest& r) { FUZZ_CHECK(r.set_id().size() == 64); }
void Translate(const v1::ListDirectionsRequest& r) { FUZZ_CHECK(r.page_size() >= 0); }

struct Kind {
  std::function<std::unique_ptr<Message>()> make;
  std::function<void(const Message&)> check;
};

template <class Request>
Kind KindOf() {
  return {[] { return std::make_unique<Request>(); },
          [](const Message& message) {
            const auto& request = static_cast<const Request&>(message);
            ViolationList found;
            if constexpr (requires { Validate(request, kBounds, &found); }) {
              Validate(request, kBounds, &found);
            } else {
              Validate(request, &found);
            }
            if (found.empty()) return Translate(request);
            for (const Violation& violation : found.violations())
              FUZZ_CHECK(!violation.field.empty() && !violation.description.empty());
            const absl::Status status = found.ToStatus();
            steer::fuzz::CheckRefusal(status, found.violations()[0].field);
            FUZZ_CHECK(ViolationsOf(status) == found.violations());
          }};
}

// Messages that have no rules beyond their wire form.
template <class Request>
Kind PlainKindOf() {
  return {[] { return std::make_unique<Request>(); }, [](const Message&) {}};
}

const std::vector<Kind>& Kinds() {
  static const auto* const kinds = new std::vector<Kind>{KindOf<v1::EvaluateRequest>(),
                                                         KindOf<v1::GenerateRequest>(),
                                                         KindOf<v1::FitDirectionRequest>(),
                                                         KindOf<v1::TokenizeRequest>(),
                                                         KindOf<v1::GetDirectionRequest>(),
                                                         KindOf<v1::ListDirectionsRequest>(),
                                                         KindOf<v1::DeleteDirectionRequest>(),
                                                         KindOf<v1::ExportDirectionRequest>(),
                                                         PlainKindOf<v1::ImportDirectionRequest>(),
                                                         PlainKindOf<v1::GetModelRequest>()};
  return *kinds;
}

const Kind& KindFor(uint8_t first) { return Kinds()[(first - 'A') % Kinds().size()]; }

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // Text that is no UTF-8 is common here, and protobuf would print each.
  static auto* const quiet = google::protobuf::SetLogHandler(nullptr);
  (void)quiet;
  if (size == 0) return 0;
  const Kind& kind = KindFor(data[0]);
  const std::unique_ptr<Message> message = kind.make();
  if (!message->ParseFromArray(data + 1, static_cast<int>(size - 1))) return 0;
  kind.check(*message);
  return 0;
}

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size,
                                          unsigned seed) {
  std::minstd_rand random(seed);
  if (size == 0 || random() % 8 == 0) return LLVMFuzzerMutate(data, size, max_size);
  if (random() % 16 == 0) data[0] = static_cast<uint8_t>('A' + random() % Kinds().size());
  const std::unique_ptr<Message> message = KindFor(data[0]).make();
  message->ParsePartialFromArray(data + 1, static_cast<int>(size - 1));
  for (size_t changes = 1 + random() % 3; changes > 0; --changes)
    steer::fuzz::MutateMessage(message.get(), &random);
  const size_t length = message->ByteSizeLong();
  if (length + 1 > max_size) return LLVMFuzzerMutate(data, size, max_size);
  message->SerializePartialToArray(data + 1, static_cast<int>(length));
  return length + 1;
}
