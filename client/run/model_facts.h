// GetModel's answer as the plan side wants it.
#ifndef STEER_CLIENT_RUN_MODEL_FACTS_H_
#define STEER_CLIENT_RUN_MODEL_FACTS_H_

#include "client/plan/server_facts.h"
#include "steer/v1/model.pb.h"

namespace steer {

// Pure.
ServerFacts ToServerFacts(const v1::GetModelResponse& model);

}  // namespace steer

#endif  // STEER_CLIENT_RUN_MODEL_FACTS_H_
