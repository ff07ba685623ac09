#include "server/telemetry/metrics.h"

#include "prometheus/text_serializer.h"
#include "server/telemetry/families.h"

namespace steer {

Metrics::Metrics(absl::string_view service, absl::Span<const MethodName> methods,
                 const BuildWords& build)
    : families_(std::make_unique<Families>(service, methods, build)) {}

Metrics::~Metrics() = default;

const std::shared_ptr<prometheus::Registry>& Metrics::registry() const {
  return families_->registry;
}

std::string Metrics::Text() const {
  return prometheus::TextSerializer().Serialize(families_->registry->Collect());
}

}  // namespace steer
