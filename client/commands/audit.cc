// steerctl audit verify
#include <CLI/CLI.hpp>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/commands/register.h"
#include "common/audit_chain.h"
#include "common/digest.h"

namespace steer {
namespace {

struct AuditFlags {
  std::vector<std::string> files;
  std::string head;
};

int Verify(const Context& context, const AuditFlags& flags) {
  if (!flags.head.empty() && !IsSha256Hex(flags.head)) {
    Fail(context, absl::InvalidArgumentError("--head: 64 lower-case hex digits are needed"),
         Source::kInput);
    return kExitUsage;
  }
  const absl::StatusOr<AuditReport> report = VerifyAudit(flags.files, flags.head);
  if (!report.ok()) return Fail(context, report.status(), Source::kInput);
  if (context.json) {
    return PrintJson(context, {{"lines", report->lines},
                               {"torn", report->torn},
                               {"first", report->first},
                               {"head", report->head}});
  }
  std::string text = absl::StrCat("ok: ", report->lines, " lines");
  if (report->torn > 0) {
    absl::StrAppend(&text, ", and ", report->torn, " cut off by a crash that the server recorded");
  }
  if (report->lines > 0 && report->first != kAuditChainStart) {
    absl::StrAppend(&text, "\ngoes on from an older file whose head is ", report->first);
  }
  absl::StrAppend(&text, "\nhead ", report->lines == 0 ? kAuditChainStart : report->head,
                  "\nKeep the head elsewhere: given as --head, it shows a log that was cut at the "
                  "end of a line or written anew.\n");
  return Print(text) ? kExitOk : kExitDisk;
}

}  // namespace

void RegisterAudit(CLI::App* app, Context* context) {
  CLI::App* group = app->add_subcommand("audit", "steerd's audit log");
  group->require_subcommand(1);
  auto flags = std::make_shared<AuditFlags>();
  CLI::App* command =
      group->add_subcommand("verify", "Check the hash chain; name the first line that is wrong");
  command->add_option("FILE", flags->files, "The log; rotated ones before it, oldest first")
      ->required();
  command->add_option("--head", flags->head, "A head kept from earlier, which must be in it");
  command->callback([context, flags] {
    context->action = [context, flags] { return Verify(*context, *flags); };
  });
}

}  // namespace steer
