// The rules that the contract's comments state, one function a request. Each adds every violation,
// with the path of its field; none looks at tokens or stored sets (that needs work, see prepare.h).
// Pure. The rule's text in proto/steer/v1 is its one statement; tests try each.
#ifndef STEER_SERVER_RPC_VALIDATE_H_
#define STEER_SERVER_RPC_VALIDATE_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "common/errors.h"
#include "steer/v1/steer_service.pb.h"

namespace steer {

class Engine;

// What of the model and the start flags the rules depend on.
struct RequestBounds {
  int64_t layers = 0;
  int64_t vocabulary = 0;
  int64_t max_context_tokens = 0;
  int64_t max_new_tokens = 0;
  int64_t max_prompts = 0;
  int64_t max_arms = 0;
  int64_t max_rows = 0;
};
RequestBounds BoundsOf(const Engine& engine);

inline constexpr size_t kMaxPromptBytes = 32768;
inline constexpr int kMaxOps = 16;
inline constexpr int kMaxAblatedDirections = 8;
inline constexpr double kMaxCoefficient = 1000;
inline constexpr int kMaxArmNameBytes = 128;

void Validate(const v1::TokenizeRequest& request, const RequestBounds& bounds, ViolationList* out);
void Validate(const v1::FitDirectionRequest& request, const RequestBounds& bounds,
              ViolationList* out);
void Validate(const v1::GenerateRequest& request, const RequestBounds& bounds, ViolationList* out);
void Validate(const v1::EvaluateRequest& request, const RequestBounds& bounds, ViolationList* out);
void Validate(const v1::GetDirectionRequest& request, const RequestBounds& bounds,
              ViolationList* out);
void Validate(const v1::ListDirectionsRequest& request, ViolationList* out);
void Validate(const v1::DeleteDirectionRequest& request, ViolationList* out);
void Validate(const v1::ExportDirectionRequest& request, const RequestBounds& bounds,
              ViolationList* out);

// Parts of requests. `field` is the path so far.
void ValidateRequestId(absl::string_view id, ViolationList* out);
void ValidateSetId(absl::string_view id, absl::string_view field, ViolationList* out);
// True if nothing was added.
bool ValidatePrompt(const v1::Prompt& prompt, absl::string_view field, ViolationList* out);
enum class DecodingUse { kGenerate, kEvaluate };
void ValidateDecoding(const v1::Decoding& decoding, DecodingUse use, const RequestBounds& bounds,
                      absl::string_view field, ViolationList* out);
void ValidateDirectionRef(const v1::DirectionRef& ref, const RequestBounds& bounds,
                          absl::string_view field, ViolationList* out);
void ValidateIntervention(const v1::Intervention& intervention, const RequestBounds& bounds,
                          absl::string_view field, ViolationList* out);

// 8-4-4-4-12 hex digits, any version and case.
bool IsUuid(absl::string_view text);

}  // namespace steer

#endif  // STEER_SERVER_RPC_VALIDATE_H_
