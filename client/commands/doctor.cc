// steerctl doctor
#include <errno.h>
#include <string.h>
#include <sys/statvfs.h>

#include <CLI/CLI.hpp>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/api/tls_fault.h"
#include "client/commands/register.h"
#include "client/report/gnuplot.h"
#include "client/report/table.h"
#include "client/telemetry/gateway_group.h"

namespace steer {
namespace {

struct DoctorFlags {
  std::string metrics;
  std::string pushgateway;
  std::string output = ".";
};

constexpr int64_t kWantedBytes = int64_t{100} << 20;

struct Finding {
  std::string what;
  bool good = true;
  std::string said;
  int code = kExitOk;  // if not good
};

Finding CheckDisk(const std::string& folder) {
  Finding finding{"disk", true, "", kExitDisk};
  struct statvfs facts;
  if (statvfs(folder.c_str(), &facts) != 0) {
    finding.good = false;
    finding.said = absl::StrCat("--output ", folder, ": ", strerror(errno));
    return finding;
  }
  int64_t bytes = static_cast<int64_t>(facts.f_bavail) * static_cast<int64_t>(facts.f_frsize);
  finding.said = absl::StrFormat("%s: %d MiB free", folder, bytes >> 20);
  if ((facts.f_flag & ST_RDONLY) != 0) {
    finding.good = false;
    absl::StrAppend(&finding.said, ", read-only");
  } else if (bytes < kWantedBytes) {
    finding.good = false;
    absl::StrAppend(&finding.said, ", ", kWantedBytes >> 20, " MiB are wanted");
  }
  return finding;
}

Finding CheckServer(const Context& context, const absl::StatusOr<v1::GetModelResponse>& model) {
  if (model.ok()) {
    return {"server", true,
            absl::StrCat(context.channel.server, ": steerd ", model->version(), ", contract ",
                         model->contract_version())};
  }
  std::string said(model.status().message());
  const std::string hint = ClosedConnectionHint(said, context.channel);
  if (!hint.empty()) absl::StrAppend(&said, "; ", hint);
  return {"server", false, absl::StrCat(context.channel.server, ": ", said), kExitUnreachable};
}

// The sum that steerd did before it loaded the model.
std::string DescribeMemory(const v1::MemoryUse& m) {
  const auto mib = [](int64_t bytes) { return absl::StrCat(bytes >> 20, " MiB"); };
  return absl::StrCat("weights ", mib(m.weights_bytes()), " + KV arena ", mib(m.kv_arena_bytes()),
                      " (", m.kv_tokens(), " tokens) + work space ", mib(m.work_bytes()), " = ",
                      mib(m.weights_bytes() + m.kv_arena_bytes() + m.work_bytes()),
                      m.limit_bytes() > 0 ? absl::StrCat(" of ", mib(m.limit_bytes())) : "");
}

Finding Check(const std::string& what, const absl::Status& status, const std::string& good,
              int code) {
  return {what, status.ok(), status.ok() ? good : std::string(status.message()), code};
}

// The server that the context names, and its model. An error if it did not answer.
absl::StatusOr<v1::GetModelResponse> Examine(const Context& context, Client* client,
                                             std::vector<Finding>* findings) {
  absl::StatusOr<v1::GetModelResponse> model = client->GetModel();
  findings->push_back(CheckServer(context, model));
  if (!model.ok()) return model;
  bool ready = !model->model_fingerprint().empty() && !model->readouts().empty() &&
               !model->control_families().empty();
  findings->push_back(
      {"model", ready,
       absl::StrCat(model->name(), " (", model->family(), "), ", model->dtype(), " on ",
                    model->device(), ready ? "" : "; it names no fingerprint, readout or control"),
       kExitServer});
  if (model->memory().weights_bytes() > 0) {
    findings->push_back({"memory", true, DescribeMemory(model->memory())});
  }
  return model;
}

// Whether several servers may share a run: the same model is needed; the same numbers are not, but a
// seed can only go on where they are.
Finding CheckTogether(const std::vector<v1::GetModelResponse>& models) {
  std::set<std::string> fingerprints, numerics;
  for (const v1::GetModelResponse& model : models) {
    fingerprints.insert(model.model_fingerprint());
    numerics.insert(model.numeric_fingerprint());
  }
  if (fingerprints.size() > 1) {
    return {"together", false, absl::StrCat(fingerprints.size(), " different models"), kExitServer};
  }
  return {"together", true,
          absl::StrCat("one model, ",
                       numerics.size() == 1
                           ? "one numeric fingerprint: a lost server's seed goes on elsewhere"
                           : absl::StrCat(numerics.size(),
                                          " numeric fingerprints: a lost server's seed may have to "
                                          "begin anew"))};
}

int Doctor(const Context& context, const DoctorFlags& flags) {
  std::vector<Finding> findings;
  const absl::StatusOr<std::vector<std::unique_ptr<Client>>> clients = MakeClients(context);
  if (!clients.ok()) return Fail(context, clients.status(), Source::kInput);
  const std::vector<std::string> servers = ServersOf(context);
  std::vector<v1::GetModelResponse> models;
  for (size_t i = 0; i < servers.size(); ++i) {
    absl::StatusOr<v1::GetModelResponse> model =
        Examine(ForServer(context, servers[i]), (*clients)[i].get(), &findings);
    if (model.ok()) models.push_back(*std::move(model));
  }
  if (models.size() > 1) findings.push_back(CheckTogether(models));
  if (!flags.metrics.empty()) {
    findings.push_back(Check("metrics", ProbeMetrics(flags.metrics), flags.metrics, kExitFailure));
  }
  if (!flags.pushgateway.empty()) {
    findings.push_back(
        Check("pushgateway", ProbeGateway(flags.pushgateway), flags.pushgateway, kExitFailure));
  }
  findings.push_back(
      Check("gnuplot", RunGnuplot("set terminal svg\nplot x\n").status(), "draws", kExitFigure));
  findings.push_back(CheckDisk(flags.output));

  int code = kExitOk;
  Json json = Json::array();
  std::vector<std::vector<std::string>> rows;
  for (const Finding& finding : findings) {
    if (!finding.good && code == kExitOk) code = finding.code;
    json.push_back({{"check", finding.what}, {"ok", finding.good}, {"said", finding.said}});
    rows.push_back({finding.good ? "ok" : "FAILED", finding.what, finding.said});
  }
  int printed = context.json                    ? PrintJson(context, json)
                : Print(AlignColumns(rows, {})) ? kExitOk
                                                : kExitDisk;
  return printed != kExitOk ? printed : code;
}

}  // namespace

void RegisterDoctor(CLI::App* app, Context* context) {
  auto flags = std::make_shared<DoctorFlags>();
  CLI::App* command =
      app->add_subcommand("doctor", "Check server, model, metrics, Pushgateway, gnuplot and disk");
  command->add_option("--metrics", flags->metrics, "URL of steerd's /metrics");
  command->add_option("--push-gateway,--pushgateway", flags->pushgateway, "URL of a Pushgateway")
      ->envname("STEER_PUSHGATEWAY");
  command->add_option("--output", flags->output, "Folder that results will be written to")
      ->capture_default_str();
  command->callback([context, flags] {
    context->action = [context, flags] { return Doctor(*context, *flags); };
  });
}

}  // namespace steer
