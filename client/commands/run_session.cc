#include "client/commands/run_session.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "client/commands/build_words.h"
#include "client/report/summary.h"
#include "common/errors.h"
#include "common/files.h"
#include "common/status_macros.h"

namespace steer {
namespace {

double SteadySeconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

constexpr char kTimeFormat[] = "%Y-%m-%dT%H:%M:%SZ";

std::string Shown(absl::Time time) {
  return absl::FormatTime(kTimeFormat, time, absl::UTCTimeZone());
}

// Neither host nor user names: they say nothing about the numbers.
Json HostFacts() {
  Json host = {
      {"processors", sysconf(_SC_NPROCESSORS_ONLN)},
      {"memory_bytes", static_cast<int64_t>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGESIZE)}};
  utsname names = {};
  uname(&names);  // with an address of ours it cannot fail
  host["system"] = names.sysname;
  host["kernel"] = names.release;
  host["machine"] = names.machine;
  return host;
}

Json ServerModelJson(const v1::GetModelResponse& model) {
  Json facts = Json::object();
  for (const auto& [name, value] : model.numeric_facts()) facts[name] = value;
  return {{"version", model.version()},
          {"contract_version", model.contract_version()},
          {"name", model.name()},
          {"model_fingerprint", model.model_fingerprint()},
          {"device", model.device()},
          {"dtype", model.dtype()},
          {"numeric_fingerprint", model.numeric_fingerprint()},
          {"numeric_facts", std::move(facts)}};
}

}  // namespace

RunSession::RunSession(std::string path)
    : path_(std::move(path)),
      started_at_(absl::FromUnixSeconds(absl::ToUnixSeconds(absl::Now()))),
      started_(SteadySeconds()) {
  absl::StatusOr<Json> held = ReadJsonFile(path_);
  if (held.ok() && held->is_object() && held->contains("sessions") &&
      (*held)["sessions"].is_array()) {
    sessions_ = (*held)["sessions"];
  }
  session_ = {{"started", Shown(started_at_)},
              {"client", {{"version", ClientVersion()}, {"host", HostFacts()}}},
              {"outcome", "running"}};
}

absl::Status RunSession::WriteStart(int64_t resumed_records, int64_t torn_bytes) {
  session_["resumed_records"] = resumed_records;
  session_["torn_bytes_dropped"] = torn_bytes;
  return Write();
}

absl::Status RunSession::WriteEnd(const RunStats& stats, const RunFacts& facts) {
  session_["ended"] = Shown(absl::Now());
  session_["seconds"] = SteadySeconds() - started_;
  session_["stage_seconds"] = stats.stage_seconds;
  session_["retries"] = facts.retries_in_all();
  session_["outcome"] = facts.state;
  session_["metrics"] = RunFactsJson(facts);
  if (!stats.model.model_fingerprint().empty()) session_["server"] = ServerModelJson(stats.model);
  if (!stats.servers.empty()) {
    Json servers = Json::array();
    for (const ServerUse& use : stats.servers) {
      servers.push_back(
          {{"server", use.server},
           {"model", use.model.model_fingerprint().empty() ? Json() : ServerModelJson(use.model)},
           {"seeds", use.seeds},
           {"lost", use.lost},
           {"left_out", use.out}});
    }
    session_["servers"] = std::move(servers);
    Json moves = Json::array();
    for (const SeedMove& move : stats.moves) {
      moves.push_back({{"seed", move.seed},
                       {"from", move.from.empty() ? Json() : Json(move.from)},
                       {"to", move.to},
                       {"set_imported", move.imported},
                       {"anew", move.anew}});
    }
    session_["moves"] = std::move(moves);
  }
  return Write();
}

absl::Status RunSession::Write() {
  Json all = sessions_;
  all.push_back(session_);
  STEER_ASSIGN_OR_RETURN(std::string text,
                         PrettyJson({{"format", "steer-run-1"}, {"sessions", std::move(all)}}));
  return DiskError(WriteFileAtomically(path_, text, "run.run_json"), "cannot write run.json");
}

absl::StatusOr<RunFacts> LastSession(const std::string& path) {
  STEER_ASSIGN_OR_RETURN(const Json run, ReadJsonFile(path));
  if (!run.is_object() || !run.contains("sessions") || !run["sessions"].is_array() ||
      run["sessions"].empty()) {
    return absl::InvalidArgumentError(absl::StrCat(path, " has no list of sessions"));
  }
  const Json& session = run["sessions"].back();
  RunFacts facts;
  if (session.is_object() && session.contains("metrics")) {
    absl::StatusOr<RunFacts> kept = ParseRunFacts(session["metrics"]);
    if (!kept.ok()) return Annotate(kept.status(), path);
    facts = *std::move(kept);
  }
  STEER_ASSIGN_OR_RETURN(facts.state, JsonString(session, "outcome", path));
  STEER_ASSIGN_OR_RETURN(const std::string started, JsonString(session, "started", path));
  absl::Time time;
  std::string why;
  if (!absl::ParseTime(kTimeFormat, started, &time, &why)) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": started: ", why));
  }
  facts.started = absl::ToUnixSeconds(time);
  return facts;
}

}  // namespace steer
