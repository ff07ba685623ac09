#!/usr/bin/env python3
"""Runs a planted sweep under real Prometheus and Pushgateway and evaluates every query of every panel and rule: none may fail or stay empty.

    live_test.py SOURCE_FOLDER BUILD_FOLDER
"""
import json
import pathlib
import re
import subprocess
import sys
import threading
import time

import standins
from stack import Stack, fill


def main():
    source, binaries = pathlib.Path(sys.argv[1]), sys.argv[2]
    boards = [json.loads(p.read_text()) for p in sorted((source / "deploy/grafana/dashboards").glob("*.json"))]
    with Stack(source, binaries) as stack:
        stack.bring_up()
        began = time.time()
        sweep = stack.start_sweep()
        threading.Thread(target=ask, args=(stack, sweep), daemon=True).start()
        open_queries = [(board, panel, target) for board in boards for panel in board["panels"] for target in panel.get("targets", [])]
        total, problems, ended = len(open_queries), [], None
        while open_queries and not problems:
            time.sleep(0.5)
            filled = {board["uid"]: stack.variables(board) for board in boards}
            left = []
            for board, panel, target in open_queries:
                try:
                    values = ask_as_grafana(stack, target, fill(target["expr"], filled[board["uid"]]), began)
                except RuntimeError as error:
                    problems.append("%s: %s: %s: %s" % (board["title"], panel["title"], target["expr"], error))
                    continue
                if all(value == "NaN" for value in values):
                    left.append((board, panel, target))
            open_queries = left
            if ended is None and sweep.poll() is not None:
                ended = time.time()
            if ended is not None and time.time() > ended + 5:
                break
        if sweep.wait(120) != 0:
            problems.append("the sweep failed:\n" + stack.log("steerctl") + stack.log("steerd"))
        reasons = 0
        for board, panel, target in open_queries:
            if panel["title"] in standins.EMPTY:
                reasons += 1
            else:
                problems.append("%s: %s is empty: %s" % (board["title"], panel["title"], target["expr"]))
        rules = check_rules(stack, problems)
        fed = sorted(stack.page.added)
    print("%d queries (%d empty with a reason), %d rules" % (total, reasons, rules))
    print("stand-ins: " + " ".join(fed))
    print("\n".join(problems))
    return 1 if problems else 0


def ask_as_grafana(stack, target, expression, began):
    """The values of all series: now, or from the sweep's start on where the panel shows a range. What ended with a short sweep is in the range."""
    if target["instant"]:
        return [series["value"][1] for series in stack.api("query", query=expression)["result"]]
    data = stack.api("query_range", query=expression, start=began, end=time.time(), step=1)
    return [value for series in data["result"] for _, value in series["values"]]


def ask(stack, sweep):
    """Generate calls beside the sweep: time to first token is of no other call."""
    while sweep.poll() is None:
        subprocess.run([stack.binaries / "client/steerctl", "--server", stack.address, "generate", "--prompt", "a word", "--max-new-tokens", "8"],
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        time.sleep(0.3)


def check_rules(stack, problems):
    rules = [rule for group in stack.api("rules")["groups"] for rule in group["rules"]]
    names = set(stack.api("label/__name__/values"))
    for rule in rules:
        if rule["health"] != "ok":
            problems.append("rule %s: %s %s" % (rule["name"], rule["health"], rule.get("lastError", "")))
        if rule["type"] == "recording":
            if rule["name"] not in names:
                problems.append("rule %s recorded nothing" % rule["name"])
            continue
        # An alert is empty when all is well; what it looks at must be there.
        for name in re.findall(r"\b(?:[a-z_]+:)?(?:steer|process|push|grpc)_[a-z_0-9]+(?::\w+)?", re.sub(r'"[^"]*"', "", rule["query"])):
            if name not in names:
                problems.append("alert %s looks at %s, which nothing exports" % (rule["name"], name))
        if rule["state"] == "firing":
            problems.append("alert %s fires in a good run" % rule["name"])
    return len(rules)


if __name__ == "__main__":
    sys.exit(main())
