// One planted experiment, run clean once, against which every fault is held. What must hold after a fault: the run folder's log has no torn,
// doubled or lost record; the same command finishes the run and ends in the clean run's bytes; a server that lives answers the next request as
// it did before; what is pushed counts what the log holds, and what the server's metrics count are the lines of its audit log; and no word of a
// prompt or a completion, which are all marked, is in any file, log, metric page or output.
#ifndef STEER_TESTS_FAULTS_HARNESS_H_
#define STEER_TESTS_FAULTS_HARNESS_H_

#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "tests/integration/scenario.h"

namespace steer {

class FaultHarness : public testing::Test {
 protected:
  // One server, plan and clean run for all tests of the program.
  static void SetUpTestSuite();
  static void TearDownTestSuite();
  void SetUp() override;
  // Every test ends with it: a server runs (a new one if need be) and gives the clean run's answer.
  void TearDown() override;

  static Scenario& scenario() { return *scenario_; }
  static const std::string& lock() { return lock_; }
  static absl::Duration clean_time() { return clean_time_; }

  // Seeded by STEER_FAULT_SEED (default 1) and the test's name.
  double Uniform();
  // A pass of something that a clean run passes `passes` times.
  int Pass(double passes) { return 1 + static_cast<int>(passes * (0.1 + 0.8 * Uniform())); }
  // Steps that a clean run takes.
  static double steps() { return steps_; }
  // A moment of a run's time.
  absl::Duration Moment() { return clean_time_ * (0.1 + 0.8 * Uniform()); }
  // A run folder of its own for this test.
  std::string Folder(const std::string& name = "run") const;

  // The arguments of a run into Folder(name), with more of them after.
  std::vector<std::string> Run(const std::string& name = "run",
                               const std::vector<std::string>& more = {}) const;
  // steerctl against another port than the server's own.
  std::unique_ptr<Process> StartAt(int port, const std::vector<std::string>& arguments,
                                   const std::string& name, const Environment& environment = {});
  // STEER_SHIM and LD_PRELOAD.
  static Environment Shim(const std::string& faults);
  static std::string CtlError(const std::string& name);

  // The log of Folder(name) as it lies there: every whole line has its checksum, no key twice, no line of another schema; at most one torn
  // line at the end, and none if `whole`. Returns the number of results: a failure that
  // was logged and made good later is none.
  int64_t CheckLog(const std::string& name = "run", bool whole = false);
  // The same command, unharmed, ends in the clean run's summary and verdict, byte for byte, and in as many records.
  void ExpectFinishes(const std::string& name = "run");
  // A new server if the last one has ended or was told to.
  void Restart(const Environment& environment = {}, const std::vector<std::string>& flags = {});
  // The exit codes that a run under a fault may have.
  static bool Among(const ProcessEnd& end, std::initializer_list<int> codes);

  // Outcomes and scores of a few prompts: what the model computes, not what a cache holds.
  static std::string Answer();
  static const std::string& clean_answer() { return answer_; }

  // The server's page and its audit log agree; part of TearDown.
  void ExpectCountsOfTheAuditLog();

 private:
  void ExpectNoText();
  static std::unique_ptr<Scenario> scenario_;
  static std::string lock_, summary_, verdict_, answer_;
  static int64_t records_;
  static absl::Duration clean_time_;
  static double steps_;
  std::mt19937_64 random_;
};

}  // namespace steer

#endif  // STEER_TESTS_FAULTS_HARNESS_H_
