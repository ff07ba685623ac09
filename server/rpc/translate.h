// Proto messages to the engine's structs and back. Pure; requests are already valid (validate.h).
#ifndef STEER_SERVER_RPC_TRANSLATE_H_
#define STEER_SERVER_RPC_TRANSLATE_H_

#include <set>
#include <string>

#include "server/engine/engine.h"
#include "server/rpc/service_state.h"
#include "server/telemetry/audit_log.h"
#include "steer/v1/steer_service.pb.h"

namespace steer {

DirectionRef FromProto(const v1::DirectionRef& ref);
InterventionSpec FromProto(const v1::Intervention& intervention);
DecodeSpec FromProto(const v1::Decoding& decoding);

v1::DirectionSet ToProto(const StoredSet& stored);
v1::Cost ToProto(const JobCost& cost);
v1::FinishReason ToProto(FinishReason reason);
v1::Receipt ToProto(const ReceiptCounts& counts, const Engine& engine);
v1::Outcome ToProto(const RowOutcome& outcome);
v1::GetModelResponse ModelToProto(const Engine& engine, const ServiceOptions& options);

// Ids of every set that the ops name, controls included.
void AddNamedSets(const InterventionSpec& spec, std::set<std::string>* ids);
// Counts kinds of ops ("ablate", "add", "set_projection") and of directions that are controls.
void CountOps(const v1::Intervention& intervention, AuditRecord* audit);

}  // namespace steer

#endif  // STEER_SERVER_RPC_TRANSLATE_H_
