#include "client/commands/run_facts.h"

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace steer {
namespace {

constexpr char kWhere[] = "metrics";

absl::StatusOr<const Json*> ListOf(const Json& json, const char* key) {
  if (!json.contains(key) || !json[key].is_array()) {
    return absl::InvalidArgumentError(absl::StrCat(kWhere, ": ", key, " is not a list"));
  }
  return &json[key];
}

}  // namespace

int64_t RunFacts::retries_in_all() const {
  int64_t sum = 0;
  for (const auto& [call, count] : retries) sum += count;
  return sum;
}

Json RunFactsJson(const RunFacts& facts) {
  Json retries = Json::array();
  for (const auto& [call, count] : facts.retries) {
    retries.push_back({{"method", call.first}, {"code", call.second}, {"count", count}});
  }
  Json servers = Json::array();
  for (const auto& [server, up] : facts.servers)
    servers.push_back({{"server", server}, {"up", up}});
  return {{"cells_done", facts.cells_done},
          {"progress", facts.progress ? Json(*facts.progress) : Json()},
          {"seconds_left", facts.seconds_left ? Json(*facts.seconds_left) : Json()},
          {"retries", std::move(retries)},
          {"servers", std::move(servers)}};
}

absl::StatusOr<RunFacts> ParseRunFacts(const Json& json) {
  if (!json.is_object()) return absl::InvalidArgumentError("metrics is not an object");
  RunFacts facts;
  STEER_ASSIGN_OR_RETURN(facts.cells_done, JsonInt(json, "cells_done", kWhere));
  if (json.contains("progress") && !json["progress"].is_null()) {
    STEER_ASSIGN_OR_RETURN(facts.progress, JsonInt(json, "progress", kWhere));
  }
  if (json.contains("seconds_left") && !json["seconds_left"].is_null()) {
    STEER_ASSIGN_OR_RETURN(facts.seconds_left, JsonNumber(json, "seconds_left", kWhere));
  }
  STEER_ASSIGN_OR_RETURN(const Json* retries, ListOf(json, "retries"));
  for (const Json& retry : *retries) {
    STEER_ASSIGN_OR_RETURN(std::string method, JsonString(retry, "method", kWhere));
    STEER_ASSIGN_OR_RETURN(std::string code, JsonString(retry, "code", kWhere));
    STEER_ASSIGN_OR_RETURN(facts.retries[std::make_pair(method, code)],
                           JsonInt(retry, "count", kWhere));
  }
  STEER_ASSIGN_OR_RETURN(const Json* servers, ListOf(json, "servers"));
  for (const Json& server : *servers) {
    STEER_ASSIGN_OR_RETURN(std::string name, JsonString(server, "server", kWhere));
    STEER_ASSIGN_OR_RETURN(facts.servers[name], JsonBool(server, "up", kWhere));
  }
  return facts;
}

}  // namespace steer
