#include <cmath>

#include "absl/strings/ascii.h"
#include "common/digest.h"
#include "common/utf8.h"
#include "server/rpc/validate.h"

namespace steer {
namespace {

void ValidateTurn(absl::string_view text, absl::string_view field, ViolationList* out) {
  if (text.size() > kMaxPromptBytes) {
    out->Add(field, "has ", text.size(), " bytes; at most ", kMaxPromptBytes, " are allowed");
  }
  if (!IsValidUtf8(text)) out->Add(field, "is not UTF-8");
  if (text.find('\0') != absl::string_view::npos) {
    out->Add(field, "holds a NUL character; remove it");
  }
}

}  // namespace

bool IsUuid(absl::string_view text) {
  if (text.size() != 36) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? text[i] != '-' : !absl::ascii_isxdigit(static_cast<unsigned char>(text[i]))) {
      return false;
    }
  }
  return true;
}

void ValidateRequestId(absl::string_view id, ViolationList* out) {
  if (!IsUuid(id)) {
    out->Add("request_id", id.empty() ? "is missing" : "is not a UUID",
             "; make one, such as 123e4567-e89b-42d3-a456-426614174000");
  }
}

void ValidateSetId(absl::string_view id, absl::string_view field, ViolationList* out) {
  if (!IsSha256Hex(id)) {
    out->Add(field, id.empty() ? "is missing" : "is not a set id",
             "; a set id is 64 lower-case hex digits");
  }
}

bool ValidatePrompt(const v1::Prompt& prompt, absl::string_view field, ViolationList* out) {
  const size_t before = out->violations().size();
  const std::string user = absl::StrCat(field, ".user");
  if (prompt.user().empty())
    out->Add(user, "is empty; 1 to ", kMaxPromptBytes, " bytes are needed");
  ValidateTurn(prompt.user(), user, out);
  if (prompt.has_system()) ValidateTurn(prompt.system(), absl::StrCat(field, ".system"), out);
  return out->violations().size() == before;
}

void ValidateDecoding(const v1::Decoding& decoding, DecodingUse use, const RequestBounds& bounds,
                      absl::string_view field, ViolationList* out) {
  const auto path = [&](absl::string_view name) { return absl::StrCat(field, ".", name); };
  const int64_t window = decoding.max_new_tokens();
  if (window < 1 || window > bounds.max_new_tokens) {
    out->Add(path("max_new_tokens"), "is ", window, "; 1 to ", bounds.max_new_tokens,
             " (Limits.max_new_tokens) are allowed");
  }
  // Comparisons are written so that NaN fails them.
  const double penalty = decoding.repetition_penalty();
  if (!(penalty == 0 || (penalty >= 1 && penalty <= 2))) {
    out->Add(path("repetition_penalty"), "is ", penalty, "; 0 or 1 for none, or up to 2");
  }
  const double temperature = decoding.temperature();
  const double top_p = decoding.top_p();
  if (use == DecodingUse::kEvaluate) {
    if (temperature != 0) out->Add(path("temperature"), "must be 0: Evaluate decodes greedily");
    if (top_p != 0) out->Add(path("top_p"), "must be 0: Evaluate decodes greedily");
    if (decoding.seed() != 0) out->Add(path("seed"), "must be 0: Evaluate draws nothing");
    return;
  }
  if (!(temperature == 0 || (temperature >= 0.01 && temperature <= 10))) {
    out->Add(path("temperature"), "is ", temperature, "; 0 for greedy, or 0.01 to 10");
  }
  if (!(top_p >= 0 && top_p <= 1)) {
    out->Add(path("top_p"), "is ", top_p, "; 0 for none, or more than 0 and up to 1");
  } else if (temperature == 0 && top_p != 0 && top_p != 1) {
    out->Add(path("top_p"), "needs a temperature above 0");
  }
}

void ValidateDirectionRef(const v1::DirectionRef& ref, const RequestBounds& bounds,
                          absl::string_view field, ViolationList* out) {
  const auto path = [&](absl::string_view name) { return absl::StrCat(field, ".", name); };
  ValidateSetId(ref.set_id(), path("set_id"), out);
  if (ref.position() >= 0) {
    out->Add(path("position"), "is ", ref.position(),
             "; positions count from the end of the prompt: -1 is the last");
  }
  if (ref.layer() < 0 || ref.layer() >= bounds.layers) {
    out->Add(path("layer"), "is ", ref.layer(), "; this model has layers 0 to ", bounds.layers - 1);
  }
  if (ref.component() != 0) {
    out->Add(path("component"), "is ", ref.component(), "; difference of means has component 0");
  }
  if (ref.has_control()) {
    if (ref.control().family() != v1::CONTROL_FAMILY_ISOTROPIC) {
      out->Add(path("control.family"),
               "is not a family of this build; CONTROL_FAMILY_ISOTROPIC is");
    }
    if (ref.control().draw() > 0x7fffffffu) {
      out->Add(path("control.draw"), "is ", ref.control().draw(), "; 0 to 2147483647 are allowed");
    }
  }
}

}  // namespace steer
