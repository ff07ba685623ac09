#include <cmath>

#include "server/rpc/validate.h"

namespace steer {
namespace {

// Strictly ascending indices from 0 to last.
template <class Indices>
void ValidateIndices(const Indices& indices, int64_t last, absl::string_view field,
                     absl::string_view range, ViolationList* out) {
  for (int i = 0; i < indices.size(); ++i) {
    if (indices[i] < 0 || indices[i] > last) {
      out->Add(absl::StrCat(field, "[", i, "]"), "is ", indices[i], "; ", range);
    }
    if (i > 0 && indices[i] <= indices[i - 1]) {
      out->Add(absl::StrCat(field, "[", i, "]"), "is not above the one before it");
    }
  }
}

void ValidateSites(const v1::Sites& sites, const RequestBounds& bounds, absl::string_view field,
                   ViolationList* out) {
  const int ways = (sites.all() ? 1 : 0) + (sites.sites().empty() ? 0 : 1) +
                   (sites.layer_inputs().empty() ? 0 : 1);
  if (ways == 0) {
    out->Add(field,
             "names no site; set all, sites or layer_inputs, or leave it out for the default");
  }
  if (ways > 1) out->Add(field, "sets more than one of all, sites and layer_inputs");
  ValidateIndices(sites.sites(), 2 * bounds.layers, absl::StrCat(field, ".sites"),
                  absl::StrCat("this model has sites 0 to ", 2 * bounds.layers), out);
  ValidateIndices(sites.layer_inputs(), bounds.layers - 1, absl::StrCat(field, ".layer_inputs"),
                  absl::StrCat("this model has layers 0 to ", bounds.layers - 1), out);
}

void ValidateAction(const v1::Op& op, const RequestBounds& bounds, absl::string_view field,
                    ViolationList* out) {
  // A missing direction is reported once, not as four bad fields.
  const auto direction = [&](bool present, const v1::DirectionRef& ref, const std::string& path) {
    if (present) {
      ValidateDirectionRef(ref, bounds, path, out);
    } else {
      out->Add(path, "is missing");
    }
  };
  switch (op.action_case()) {
    case v1::Op::kAblate: {
      const v1::Ablate& ablate = op.ablate();
      const std::string path = absl::StrCat(field, ".ablate");
      const int count = ablate.directions_size();
      if (count < 1 || count > kMaxAblatedDirections) {
        out->Add(absl::StrCat(path, ".directions"), "has ", count, " entries; 1 to ",
                 kMaxAblatedDirections, " are allowed");
      }
      for (int i = 0; i < count && i <= kMaxAblatedDirections; ++i) {
        ValidateDirectionRef(ablate.directions(i), bounds,
                             absl::StrCat(path, ".directions[", i, "]"), out);
      }
      if (!(ablate.fraction() >= 0 && ablate.fraction() <= 2)) {
        out->Add(absl::StrCat(path, ".fraction"), "is ", ablate.fraction(),
                 "; more than 0 and up to 2, or 0 for 1");
      }
      break;
    }
    case v1::Op::kAdd: {
      const double c = op.add().coefficient();
      direction(op.add().has_direction(), op.add().direction(),
                absl::StrCat(field, ".add.direction"));
      if (!(std::abs(c) <= kMaxCoefficient) || c == 0) {
        out->Add(absl::StrCat(field, ".add.coefficient"), "is ", c, "; finite, not 0, at most ",
                 kMaxCoefficient, " in size");
      }
      break;
    }
    case v1::Op::kSetProjection:
      direction(op.set_projection().has_direction(), op.set_projection().direction(),
                absl::StrCat(field, ".set_projection.direction"));
      if (!std::isfinite(op.set_projection().value())) {
        out->Add(absl::StrCat(field, ".set_projection.value"), "is not finite");
      }
      break;
    case v1::Op::ACTION_NOT_SET:
      out->Add(field, "has no action; set ablate, add or set_projection");
      break;
  }
}

void ValidateOp(const v1::Op& op, const RequestBounds& bounds, absl::string_view field,
                ViolationList* out) {
  ValidateAction(op, bounds, field, out);
  if (op.has_sites()) ValidateSites(op.sites(), bounds, absl::StrCat(field, ".sites"), out);
  if (!v1::EditTarget_IsValid(op.target())) {
    out->Add(absl::StrCat(field, ".target"), "is ", static_cast<int>(op.target()),
             ", which this build does not know");
  }
  if (!v1::TokenScope_IsValid(op.tokens())) {
    out->Add(absl::StrCat(field, ".tokens"), "is ", static_cast<int>(op.tokens()),
             ", which this build does not know");
  }
  const std::string last = absl::StrCat(field, ".last_prompt_tokens");
  if (op.tokens() == v1::TOKEN_SCOPE_LAST_PROMPT_AND_GENERATED) {
    if (op.last_prompt_tokens() < 1) {
      out->Add(last, "is ", op.last_prompt_tokens(), "; this token scope needs 1 or more");
    }
  } else if (op.last_prompt_tokens() != 0) {
    out->Add(last, "must be 0 unless tokens is TOKEN_SCOPE_LAST_PROMPT_AND_GENERATED");
  }
}

}  // namespace

void ValidateIntervention(const v1::Intervention& intervention, const RequestBounds& bounds,
                          absl::string_view field, ViolationList* out) {
  if (intervention.ops_size() > kMaxOps) {
    out->Add(absl::StrCat(field, ".ops"), "has ", intervention.ops_size(), " entries; at most ",
             kMaxOps, " are allowed");
    return;
  }
  for (int i = 0; i < intervention.ops_size(); ++i) {
    ValidateOp(intervention.ops(i), bounds, absl::StrCat(field, ".ops[", i, "]"), out);
  }
}

}  // namespace steer
