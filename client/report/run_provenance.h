// What run.json says of the programs that made a run.
#ifndef STEER_CLIENT_REPORT_RUN_PROVENANCE_H_
#define STEER_CLIENT_REPORT_RUN_PROVENANCE_H_

#include <map>
#include <set>
#include <string>
#include <vector>

#include "client/report/check.h"
#include "common/json.h"

namespace steer {

// A server of some session. Strings are as the file has them: others' text.
struct ServerProvenance {
  std::string version;  // "0.1.0+<commit>"
  std::string contract_version;
  std::string model_name;         // empty in files of before it was written
  std::string model_fingerprint;  // likewise
  std::string numeric_fingerprint;
  std::string device;
  std::string dtype;
  std::map<std::string, std::string> numeric_facts;
  // The facts give the fingerprint, and cells carry it: what they say is as good as the log.
  bool proven = false;
  friend bool operator==(const ServerProvenance&, const ServerProvenance&) = default;
};

struct RunProvenance {
  int sessions = 0;
  std::vector<std::string> clients;       // versions, each once, in order
  std::vector<ServerProvenance> servers;  // each once, in order

  // The server that cells of this fingerprint come from; null if run.json names none.
  const ServerProvenance* Find(const std::string& numeric_fingerprint) const;
};

// Reads run.json as far as it can be read and says how it is. Nothing vouches for its clocks and
// hosts; facts of servers are held against `fingerprints`, those of the cells.
CheckResult ReadProvenance(const std::string& path, const std::set<std::string>& fingerprints,
                           RunProvenance* provenance);

Json ProvenanceJson(const RunProvenance& provenance);
// Several lines.
std::string ProvenanceLines(const RunProvenance& provenance);

}  // namespace steer

#endif  // STEER_CLIENT_REPORT_RUN_PROVENANCE_H_
