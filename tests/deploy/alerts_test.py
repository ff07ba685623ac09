#!/usr/bin/env python3
"""Unit tests of the alert and recording rules, run by promtool: each alert fires, does not fire, and copes with missing data.

    alerts_test.py DEPLOY_FOLDER
"""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

I = 'job="steerd",instance="a"'
E = 'job="steer_experiment",experiment="e"'
RUNNING = 'steer_experiment_state{%s,state="running"}' % E
PENDING = 'steer_experiment_cells{%s,state="pending"}' % E


def server(name, labels=""):
    return "%s{%s%s}" % (name, I, "," + labels if labels else "")


def histogram(name, labels, at_le):
    """Ten a minute, all in the bucket `at_le`."""
    return {server(name + "_bucket", labels + ',le="%s"' % le): "0+%dx60" % (10 if float(le) >= at_le else 0)
            for le in ("0.5", "2", "60", "+Inf")}


# Alert: (series that make it fire, series that do not, minutes after which it fires).
CASES = {
    "SteerTargetDown": ({'up{%s}' % I: "0x60"}, {'up{%s}' % I: "1x60"}, 2),
    "SteerNotReady": ({server("steer_ready"): "0x60", server("steer_draining"): "0x60"},
                      {server("steer_ready"): "0x60", server("steer_draining"): "1x60"}, 3),
    "SteerHeartbeatStale": ({server("steer_clock_timestamp_seconds"): "1000+60x60", server("steer_engine_heartbeat_timestamp_seconds"): "1000x60"},
                            {server("steer_clock_timestamp_seconds"): "1000+60x60", server("steer_engine_heartbeat_timestamp_seconds"): "999+60x60"}, 3),
    "SteerErrorRatioHigh": ({server("grpc_server_handled_total", 'grpc_method="Evaluate",grpc_code="Internal"'): "0+1x60",
                             server("grpc_server_handled_total", 'grpc_method="Evaluate",grpc_code="OK"'): "0+60x60"},
                            {server("grpc_server_handled_total", 'grpc_method="Evaluate",grpc_code="InvalidArgument"'): "0+9x60",
                             server("grpc_server_handled_total", 'grpc_method="Evaluate",grpc_code="OK"'): "0+60x60"}, 12),
    "SteerQueueNearFull": ({server("steer_queued_tokens"): "81x60", server("steer_queue_tokens_capacity"): "100x60"},
                           {server("steer_queued_tokens"): "80x60", server("steer_queue_tokens_capacity"): "100x60"}, 5),
    "SteerRejectionBurst": ({server("steer_admission_rejections_total", 'reason="calls_full"'): "0+90x60"},
                            {server("steer_admission_rejections_total", 'reason="draining"'): "0+90x60"}, 9),
    "SteerTimeToFirstTokenSlow": (histogram("steer_time_to_first_token_seconds", 'arm_kind="none"', 60),
                                  histogram("steer_time_to_first_token_seconds", 'arm_kind="none"', 2), 9),
    "SteerInterTokenSlow": (histogram("steer_inter_token_seconds", 'arm_kind="ablate"', 2),
                            histogram("steer_inter_token_seconds", 'arm_kind="ablate"', 0.5), 9),
    "SteerGpuMemoryNearFull": ({server("steer_gpu_memory_bytes", 'kind="driver_used"'): "96x60", server("steer_gpu_memory_bytes", 'kind="driver_total"'): "100x60"},
                               {server("steer_gpu_memory_bytes", 'kind="driver_used"'): "90x60", server("steer_gpu_memory_bytes", 'kind="driver_total"'): "100x60"}, 7),
    "SteerOutOfMemory": ({server("steer_out_of_memory_total"): "0x3 1x60"}, {server("steer_out_of_memory_total"): "7x60"}, 6),
    "SteerDeviceError": ({server("steer_device_errors_total"): "0x3 1x60"}, {server("steer_device_errors_total"): "7x60"}, 6),
    "SteerNonFinite": ({server("steer_nonfinite_total", 'where="logits"'): "0x3 1x60"}, {server("steer_nonfinite_total", 'where="logits"'): "7x60"}, 6),
    "SteerGpuHot": ({server("steer_gpu_temperature_celsius"): "86x60"}, {server("steer_gpu_temperature_celsius"): "85x60"}, 7),
    "SteerDiskLow": ({server("steer_store_free_bytes"): "1e9x60"}, {server("steer_store_free_bytes"): "3e9x60"}, 7),
    "SteerClockSkew": ({server("steer_clock_timestamp_seconds"): "10+60x60"}, {server("steer_clock_timestamp_seconds"): "1+60x60"}, 7),
    "SteerFilesNearLimit": ({server("process_open_fds"): "81x60", server("process_max_fds"): "100x60"},
                            {server("process_open_fds"): "8x60", server("process_max_fds"): "100x60"}, 7),
    "SteerAuthenticationFailures": ({server("steer_authentication_failures_total", 'reason="unknown"'): "0+60x60"},
                                    {server("steer_authentication_failures_total", 'reason="unknown"'): "0+1x60"}, 12),
    "SteerCanaryFailed": ({server("steer_canary_runs_total", 'result="failed"'): "0x3 1x60"}, {server("steer_canary_runs_total", 'result="ok"'): "0+1x60"}, 6),
    "SteerAuditFailing": ({server("steer_audit_records_total", 'result="failed"'): "0x3 1x60"}, {server("steer_audit_records_total", 'result="written"'): "0+1x60"}, 6),
    "SteerTlsReloadFailed": ({server("steer_tls_reloads_total", 'result="failed"'): "0x3 1x60"}, {server("steer_tls_reloads_total", 'result="ok"'): "0+1x60"}, 6),
    # A resumed run: the last cell is old, the start is what counts.
    "SteerSweepStalled": ({'steer_experiment_progress_timestamp_seconds{%s}' % E: "0x60", 'steer_experiment_start_timestamp_seconds{%s}' % E: "60x60",
                           RUNNING: "1x60", PENDING: "5x60"},
                          {'steer_experiment_progress_timestamp_seconds{%s}' % E: "0x60", 'steer_experiment_start_timestamp_seconds{%s}' % E: "600x60",
                           RUNNING: "1x60", PENDING: "5x60"}, 14),
    "SteerSweepFailedCells": ({'steer_experiment_cells{%s,state="failed"}' % E: "1x60"}, {'steer_experiment_cells{%s,state="failed"}' % E: "0x60"}, 2),
    "SteerPushStale": ({"push_time_seconds{%s}" % E: "0x60", RUNNING: "1x60"}, {"push_time_seconds{%s}" % E: "0x60", RUNNING: "0x60"}, 5),
    "SteerPushFailing": ({'steer_push_total{job="steerctl",instance="c",result="failed"}': "0+1x60"},
                         {'steer_push_total{job="steerctl",instance="c",result="failed"}': "0x60"}, 12),
    "SteerPushgatewayDown": ({'up{job="pushgateway",instance="g"}': "0x60"}, {'up{job="pushgateway",instance="g"}': "1x60"}, 2),
    "SteerServerOfSweepDown": ({'steer_experiment_server_up{%s,server="s"}' % E: "0x60", RUNNING: "1x60"},
                               {'steer_experiment_server_up{%s,server="s"}' % E: "0x60", RUNNING: "0x60"}, 4),
}
# These fire because data is missing.
ABSENT = {"SteerTargetDown", "SteerPushgatewayDown"}

# Recorded series: (input, expression, minute, value).
RECORDED = [
    ({server("steer_kv_tokens_used"): "25x60", server("steer_kv_tokens_capacity"): "100x60"}, "instance:steer_kv_fill:ratio", 2, 0.25),
    ({server("steer_kv_tokens_used"): "25x60", server("steer_kv_tokens_capacity"): "0x60"}, "instance:steer_kv_fill:ratio", 2, None),
    ({server("steer_step_rows_total", 'kind="decode"'): "0+30x60", server("steer_steps_total", 'kind="decode"'): "0+10x60"},
     "instance_kind:steer_step_rows:mean5m", 9, 3),
    ({server("steer_generated_tokens_total"): "0+60x60", server("steer_model_info", 'model="m"'): "1x60"},
     'instance_model:steer_generated_tokens:rate5m{model="m"}', 9, 1),
    # Seeds have different numbers of prompts: 3 of 4 and 0 of 2 are 3 of 6.
    ({'steer_experiment_refused_prompts{%s,seed="0",arm="a"}' % E: "3x60", 'steer_experiment_prompts{%s,seed="0",arm="a"}' % E: "4x60",
      'steer_experiment_refused_prompts{%s,seed="1",arm="a"}' % E: "0x60", 'steer_experiment_prompts{%s,seed="1",arm="a"}' % E: "2x60"},
     "experiment_arm:steer_experiment_refused_prompts:ratio", 2, 0.5),
    ({name % (E, arm, arm.split("/")[1]): "%dx60" % value for arm, refused in (("ablate/harmful", 1), ("ablate-control-0/harmful", 8), ("ablate-control-1/harmful", 6))
      for name, value in (('steer_experiment_refused_prompts{%s,arm="%s",prompts="%s"}', refused), ('steer_experiment_prompts{%s,arm="%s",prompts="%s"}', 8))},
     "experiment:steer_experiment_suppression:difference", 2, 0.75),
    # Three cells in ten minutes, six left: twenty minutes. Two cells: unknown.
    ({"steer_experiment_cells_done_total{%s}" % E: "3x60", "steer_experiment_start_timestamp_seconds{%s}" % E: "0x60", PENDING: "6x60"},
     "experiment:steer_experiment_left_seconds:estimate", 10, 1200),
    ({"steer_experiment_cells_done_total{%s}" % E: "2x60", "steer_experiment_start_timestamp_seconds{%s}" % E: "0x60", PENDING: "6x60"},
     "experiment:steer_experiment_left_seconds:estimate", 10, None),
]


FIRING = 'count(ALERTS{alertname="%s",alertstate="firing"})'


def expect(expression, minute, value):
    return {"expr": expression, "eval_time": "%dm" % minute, "exp_samples": [] if value is None else [{"labels": "{}", "value": value}]}


def test(series, *expected):
    return {"interval": "1m", "input_series": [{"series": s, "values": v} for s, v in series.items()], "promql_expr_test": list(expected)}


def alert_tests(name, fires, quiet, minute):
    firing = FIRING % name
    gone = {s: v.replace("x60", "x%d stale" % (minute - v.count(" ") * 4)) for s, v in fires.items()}
    missing = 1 if name in ABSENT else None
    yield test(quiet, expect(firing, 18, None))
    # After its series ended (and left the range of any rate) it fires no more.
    yield test(gone, expect(firing, minute, 1), expect(firing, minute + (65 if name == "SteerTlsReloadFailed" else 15), missing))


def main():
    deploy = pathlib.Path(sys.argv[1])
    text = (deploy / "prometheus/rules/alerts.yml").read_text()
    page = (deploy / "alerts.md").read_text()
    blocks = re.split(r"\n      - alert: ", text)[1:]
    problems = []
    names = [b.split("\n", 1)[0] for b in blocks]
    if sorted(names) != sorted(CASES):
        problems.append("alerts without a test, or tests without an alert: %s" % sorted(set(names) ^ set(CASES)))
    for name, block in zip(names, blocks):
        for word in ("severity: (critical|warning)", "summary: \".+\"", "description: \".+\"", "runbook: .*#" + name.lower() + "$"):
            if not re.search(word, block, re.M):
                problems.append("%s has no %s" % (name, word))
        if not re.search(r"^### %s\n\n.+\n\nDo: .+" % name, page, re.M):
            problems.append("deploy/alerts.md says nothing of %s" % name)
    tests = [t for name, case in CASES.items() for t in alert_tests(name, *case)]
    # No data at all.
    tests.append(test({}, *(expect(FIRING % name, 16, 1 if name in ABSENT else None) for name in CASES)))
    tests += [test(series, expect("round(sum(%s), 0.0001)" % expression, minute, value)) for series, expression, minute, value in RECORDED]
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
        json.dump({"rule_files": [str(p) for p in sorted((deploy / "prometheus/rules").resolve().glob("*.yml"))], "evaluation_interval": "1m", "tests": tests}, file)
        file.flush()
        # promtool makes a database for each test; in memory that takes no time.
        memory = {"TMPDIR": "/dev/shm"} if os.access("/dev/shm", os.W_OK) else {}
        done = subprocess.run(["promtool", "test", "rules", file.name], capture_output=True, text=True, env={**os.environ, **memory})
    if done.returncode != 0:
        problems.append(done.stdout + done.stderr)
    print("\n".join(problems) or "%d alerts, %d tests" % (len(names), len(tests)))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
