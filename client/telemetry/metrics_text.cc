#include "client/telemetry/metrics_text.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"

namespace steer {
namespace {

std::string EscapeValue(absl::string_view value) {
  return absl::StrReplaceAll(value, {{"\\", "\\\\"}, {"\"", "\\\""}, {"\n", "\\n"}});
}

}  // namespace

void MetricsText::Declare(absl::string_view name, absl::string_view type, absl::string_view help) {
  Family& family = families_[std::string(name)];
  family.type = std::string(type);
  family.help = absl::StrReplaceAll(help, {{"\\", "\\\\"}, {"\n", "\\n"}});
}

void MetricsText::Add(absl::string_view name, const Labels& labels, double value) {
  auto it = families_.find(std::string(name));
  if (it == families_.end() || !std::isfinite(value)) return;
  std::string shown;
  for (const auto& [label, text] : labels) {
    absl::StrAppend(&shown, shown.empty() ? "" : ",", label, "=\"", EscapeValue(text), "\"");
  }
  absl::StrAppend(&it->second.samples, name, shown.empty() ? "" : absl::StrCat("{", shown, "}"),
                  " ", absl::StrFormat("%.17g", value), "\n");
}

std::string MetricsText::Render() const {
  std::string text;
  for (const auto& [name, family] : families_) {
    if (family.samples.empty()) continue;
    absl::StrAppend(&text, "# HELP ", name, " ", family.help, "\n# TYPE ", name, " ", family.type,
                    "\n", family.samples);
  }
  return text;
}

}  // namespace steer
