#include "client/report/run_provenance.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/types/optional.h"
#include "client/report/table.h"
#include "common/numeric_fingerprint.h"
#include "common/shell_quote.h"

namespace steer {
namespace {

// Empty unless it is there and a string.
std::string Text(const Json& object, const char* key) {
  const auto value = object.find(key);
  return value != object.end() && value->is_string() ? value->get<std::string>() : std::string();
}

absl::optional<ServerProvenance> ReadServer(const Json& json) {
  if (!json.is_object()) return absl::nullopt;
  ServerProvenance server;
  server.version = Text(json, "version");
  server.contract_version = Text(json, "contract_version");
  server.model_name = Text(json, "name");
  server.model_fingerprint = Text(json, "model_fingerprint");
  server.numeric_fingerprint = Text(json, "numeric_fingerprint");
  server.device = Text(json, "device");
  server.dtype = Text(json, "dtype");
  const auto facts = json.find("numeric_facts");
  if (facts != json.end() && facts->is_object()) {
    for (const auto& [name, value] : facts->items()) {
      if (value.is_string()) server.numeric_facts[name] = value.get<std::string>();
    }
  }
  return server;
}

template <typename T>
void AddOnce(T value, std::vector<T>* values) {
  if (std::find(values->begin(), values->end(), value) == values->end())
    values->push_back(std::move(value));
}

void ReadSession(const Json& session, RunProvenance* provenance) {
  ++provenance->sessions;
  if (!session.is_object()) return;
  const auto client = session.find("client");
  if (client != session.end() && client->is_object()) {
    std::string version = Text(*client, "version");
    if (!version.empty()) AddOnce(std::move(version), &provenance->clients);
  }
  std::vector<Json> servers;
  if (session.contains("server")) servers.push_back(session["server"]);
  if (session.contains("servers") && session["servers"].is_array()) {
    for (const Json& use : session["servers"]) {
      if (use.is_object() && use.contains("model")) servers.push_back(use["model"]);
    }
  }
  for (const Json& json : servers) {
    auto server = ReadServer(json);
    if (server) AddOnce(*std::move(server), &provenance->servers);
  }
}

}  // namespace

const ServerProvenance* RunProvenance::Find(const std::string& numeric_fingerprint) const {
  const ServerProvenance* found = nullptr;
  for (const ServerProvenance& server : servers) {
    if (server.numeric_fingerprint == numeric_fingerprint && (found == nullptr || server.proven))
      found = &server;
  }
  return found;
}

CheckResult ReadProvenance(const std::string& path, const std::set<std::string>& fingerprints,
                           RunProvenance* provenance) {
  const absl::StatusOr<Json> run = ReadJsonFile(path);
  if (absl::IsNotFound(run.status())) {
    return {"run.json", CheckState::kMissing, "nothing says which programs made the run",
            CheckWeight::kNote};
  }
  if (!run.ok() || !run->is_object() || Text(*run, "format") != "steer-run-1" ||
      !run->contains("sessions") || !(*run)["sessions"].is_array()) {
    return {"run.json", CheckState::kDiffers, "it is not a list of sessions as `run` writes it"};
  }
  for (const Json& session : (*run)["sessions"]) ReadSession(session, provenance);
  std::set<std::string> unproven = fingerprints;
  bool contradicts = false;
  for (ServerProvenance& server : provenance->servers) {
    const bool facts = NumericFingerprint(server.numeric_facts) == server.numeric_fingerprint;
    contradicts = contradicts || !facts;
    server.proven = facts && fingerprints.count(server.numeric_fingerprint) > 0;
    if (server.proven) unproven.erase(server.numeric_fingerprint);
  }
  if (unproven.empty() && !contradicts && !fingerprints.empty()) {
    return {"run.json", CheckState::kOk,
            "its numeric facts give the cells' fingerprint; nothing vouches for clocks and hosts"};
  }
  return {"run.json", CheckState::kNotChecked,
          contradicts ? "its numeric facts do not give the fingerprint that they stand with"
                      : "it does not name the server of every cell"};
}

Json ProvenanceJson(const RunProvenance& provenance) {
  Json clients = Json::array(), servers = Json::array();
  for (const std::string& client : provenance.clients) clients.push_back(OneLine(client));
  for (const ServerProvenance& server : provenance.servers) {
    Json facts = Json::object();
    for (const auto& [name, value] : server.numeric_facts) facts[OneLine(name)] = OneLine(value);
    servers.push_back({{"version", OneLine(server.version)},
                       {"contract_version", OneLine(server.contract_version)},
                       {"name", OneLine(server.model_name)},
                       {"model_fingerprint", OneLine(server.model_fingerprint)},
                       {"numeric_fingerprint", OneLine(server.numeric_fingerprint)},
                       {"device", OneLine(server.device)},
                       {"dtype", OneLine(server.dtype)},
                       {"numeric_facts", std::move(facts)},
                       {"proven", server.proven}});
  }
  return {{"sessions", provenance.sessions},
          {"clients", std::move(clients)},
          {"servers", std::move(servers)}};
}

std::string ProvenanceLines(const RunProvenance& provenance) {
  std::vector<std::vector<std::string>> rows;
  rows.push_back({"client", provenance.clients.empty()
                                ? "not recorded"
                                : absl::StrCat("steerctl ", absl::StrJoin(provenance.clients, ", "),
                                               ", ", provenance.sessions, " session",
                                               provenance.sessions == 1 ? "" : "s")});
  if (provenance.servers.empty()) rows.push_back({"server", "not recorded"});
  for (const ServerProvenance& server : provenance.servers) {
    rows.push_back(
        {"server", absl::StrCat("steerd ", server.version, ", contract ", server.contract_version,
                                ", ", server.dtype, " on ", server.device)});
    rows.push_back(
        {"", absl::StrCat("numeric fingerprint ", server.numeric_fingerprint,
                          server.proven ? "" : " (not that of the cells, or not proven)")});
    rows.push_back(
        {"", absl::StrJoin(server.numeric_facts, ", ", [](std::string* out, const auto& f) {
           absl::StrAppend(out, f.first, " ", f.second);
         })});
  }
  for (auto& row : rows) row.back() = OneLine(row.back());
  return AlignColumns(rows, {});
}

}  // namespace steer
