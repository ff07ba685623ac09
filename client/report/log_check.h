// A log against its lock: whose records they are, whether all are there, and whether they agree with
// each other. Private to client/report. Pure.
#ifndef STEER_CLIENT_REPORT_LOG_CHECK_H_
#define STEER_CLIENT_REPORT_LOG_CHECK_H_

#include <vector>

#include "client/plan/lock.h"
#include "client/report/check.h"
#include "client/run/result_log.h"

namespace steer {

// "records": each names the lock and is one that it asks for. "fits": one a seed. "cells": planned
// and there. "receipts": a cell's numbers, set, direction, layer, sites and edits are those that
// lock, fit and choice of its seed say. Checksums are the reader's business (result_log.h).
std::vector<CheckResult> CheckLog(const Lock& lock, const ResultLog& log);

}  // namespace steer

#endif  // STEER_CLIENT_REPORT_LOG_CHECK_H_
