// Loads everything that an engine needs. Call on the engine thread: OpenMP teams belong to the
// thread that sets them up.
#ifndef STEER_SERVER_ENGINE_SETUP_H_
#define STEER_SERVER_ENGINE_SETUP_H_

#include <memory>

#include "absl/status/statusor.h"
#include "server/engine/engine.h"
#include "server/engine/frontend.h"
#include "server/engine/stepper.h"
#include "server/model/decoder.h"

namespace steer {

struct LoadedEngine {
  EngineOptions options;  // defaults filled in
  ModelFacts facts;
  std::unique_ptr<Frontend> frontend;
  std::unique_ptr<Decoder> decoder;
  std::unique_ptr<Stepper> stepper;
  SchedulerShape shape;
};

// Errors name the file or flag; what does not fit into memory is refused before a weight is read.
// Warms up, and measures rates if asked. `observer` outlives the engine.
absl::StatusOr<LoadedEngine> LoadEngine(EngineOptions options, EngineObserver* observer);

}  // namespace steer

#endif  // STEER_SERVER_ENGINE_SETUP_H_
