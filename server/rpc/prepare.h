// The slow half of validation: what needs the template, the tokenizer or the store. Edge pool only.
#ifndef STEER_SERVER_RPC_PREPARE_H_
#define STEER_SERVER_RPC_PREPARE_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/errors.h"
#include "google/protobuf/repeated_ptr_field.h"
#include "server/rpc/call.h"
#include "steer/v1/steer_service.pb.h"

namespace steer {

// FAILED_PRECONDITION: MODEL_MISMATCH, or NUMERICS_MISMATCH if `numeric` is not empty.
absl::Status CheckFingerprints(const Engine& engine, const std::string& model,
                               const std::string& numeric);

// Renders and tokenises. What a prompt breaks is added to `violations`, also that its tokens and
// `new_tokens` exceed the context; prompts that ValidatePrompt refuses have been reported and come
// back empty. The status is the call's cancellation or deadline, or a fault of the server.
absl::StatusOr<std::vector<PreparedPrompt>> PreparePrompts(
    Call& call, const google::protobuf::RepeatedPtrField<v1::Prompt>& prompts, int64_t new_tokens,
    const std::string& field, ViolationList* violations);
absl::StatusOr<PreparedPrompt> PrepareOne(Call& call, const v1::Prompt& prompt, int64_t new_tokens,
                                          const std::string& field, ViolationList* violations);

// INVALID_ARGUMENT without violations becomes one of `field`; everything else stays as it is.
absl::Status InField(const absl::Status& status, absl::string_view field);

// Compiles interventions one after another and keeps what went wrong apart: violations to be shown
// with all others, and the first missing or unusable set, which matters only if there are none.
class InterventionCompiler {
 public:
  InterventionCompiler(Call& call, ViolationList* violations)
      : call_(call), violations_(violations) {}
  // Null for no ops, and where something went wrong.
  std::shared_ptr<const CompiledIntervention> Compile(const v1::Intervention& intervention,
                                                      const std::string& field);
  // NOT_FOUND, FAILED_PRECONDITION and the like; annotated with the field.
  const absl::Status& status() const { return status_; }
  const std::set<std::string>& set_ids() const { return set_ids_; }
  std::vector<DirectionStore::Lease> TakeLeases() { return std::move(leases_); }

 private:
  Call& call_;
  ViolationList* const violations_;
  absl::Status status_;
  std::set<std::string> set_ids_;
  std::vector<DirectionStore::Lease> leases_;
};

}  // namespace steer

#endif  // STEER_SERVER_RPC_PREPARE_H_
