#include "common/status_macros.h"
#include "server/rpc/handlers.h"
#include "server/rpc/prepare.h"
#include "server/rpc/translate.h"
#include "server/rpc/validate.h"

namespace steer {

absl::Status HandleGetModel(Call& call, const v1::GetModelRequest&,
                            v1::GetModelResponse* response) {
  *response = ModelToProto(call.engine(), call.state().options);
  return absl::OkStatus();
}

absl::Status HandleTokenize(Call& call, const v1::TokenizeRequest& request,
                            v1::TokenizeResponse* response) {
  call.audit().counts["prompts"] = request.prompts_size();
  ViolationList violations;
  Validate(request, BoundsOf(call.engine()), &violations);
  STEER_ASSIGN_OR_RETURN(const std::vector<PreparedPrompt> prompts,
                         PreparePrompts(call, request.prompts(), 0, "prompts", &violations));
  STEER_RETURN_IF_ERROR(violations.ToStatus());
  for (const PreparedPrompt& prompt : prompts) {
    v1::TokenizedPrompt* out = response->add_prompts();
    out->mutable_ids()->Add(prompt.ids.begin(), prompt.ids.end());
    out->set_prompt_hash(prompt.hash);
    if (!request.pieces()) continue;
    for (const int32_t id : prompt.ids) {
      v1::Token* token = out->add_tokens();
      token->set_id(id);
      token->set_piece(call.engine().tokenizer().Piece(id));
    }
  }
  return absl::OkStatus();
}

}  // namespace steer
