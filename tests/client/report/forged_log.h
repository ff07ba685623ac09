// The whole log of the small experiment with records changed, added and taken away: what only a
// forger could write, since every record has its checksum.
#ifndef STEER_TESTS_CLIENT_REPORT_FORGED_LOG_H_
#define STEER_TESTS_CLIENT_REPORT_FORGED_LOG_H_

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "client/run/records.h"
#include "tests/client/report/run_folder_fixture.h"

namespace steer {

struct Forgery {
  std::string key;                      // of the record; "" changes those of all
  std::function<void(Record*)> change;  // an empty key takes the record away
};

inline std::function<void(Record*)> Set(std::vector<std::string> path, Json value) {
  return [path = std::move(path), value = std::move(value)](Record* record) {
    Json* at = &record->payload;
    for (const std::string& name : path) at = &(*at)[name];
    *at = value;
  };
}

inline std::function<void(Record*)> Erase(std::string field) {
  return [field = std::move(field)](Record* record) {
    EXPECT_EQ(record->payload.erase(field), 1u) << field;
  };
}

inline void TakeAway(Record* record) { record->key.clear(); }

class ForgedLog : public RunFolderFixture {
 protected:
  std::unique_ptr<ResultLog> Forged(const std::vector<Forgery>& forgeries,
                                    const std::vector<Record>& more = {}) const {
    absl::StatusOr<LogContents> contents = ParseResultLog(whole_.at("cells.jsonl"), "cells.jsonl");
    EXPECT_TRUE(contents.ok()) << contents.status();
    std::vector<Record> records;
    for (const Forgery& forgery : forgeries) {
      int changed = 0;
      for (Record& record : contents->records) {
        if (!forgery.key.empty() && record.key != forgery.key) continue;
        forgery.change(&record);
        ++changed;
      }
      EXPECT_GT(changed, 0) << forgery.key;
    }
    for (Record& record : contents->records) {
      if (!record.key.empty()) records.push_back(std::move(record));
    }
    records.insert(records.end(), more.begin(), more.end());
    contents->records = std::move(records);
    return ResultLog::ReadOnly(*std::move(contents));
  }

  std::string Fit(uint64_t seed) const {
    return FitKey(seed, service_.behaviour.numeric_fingerprint);
  }
};

}  // namespace steer

#endif  // STEER_TESTS_CLIENT_REPORT_FORGED_LOG_H_
