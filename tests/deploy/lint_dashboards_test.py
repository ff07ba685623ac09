#!/usr/bin/env python3
"""Breaks a good dashboard in one place at a time: the linter must find each."""
import copy
import json
import sys

from lint_dashboards import lint


def query(change):
    """A breakage of the first query over time that has a rate."""
    def broken(board):
        for panel in board["panels"]:
            for target in panel.get("targets", []):
                if panel["type"] == "timeseries" and "rate(" in target["expr"]:
                    target["expr"] = change(target["expr"])
                    return
        raise AssertionError("no such query")
    return broken


def panel_without(key):
    def broken(board):
        next(p for p in board["panels"] if p["type"] != "row")[key] = ""
    return broken


def no_unit(board):
    next(p for p in board["panels"] if p["type"] != "row")["fieldConfig"]["defaults"].pop("unit")


def other_source(board):
    next(p for p in board["panels"] if p["type"] != "row")["targets"][0]["datasource"] = {"type": "prometheus", "uid": "fixed"}


def overlap(board):
    first, second = [p for p in board["panels"] if p["type"] != "row"][:2]
    second["gridPos"] = dict(first["gridPos"])


BREAKAGES = {
    "editable": lambda b: b.update(editable=True),
    "no data source variable": lambda b: b["templating"]["list"].pop(0),
    "no instance variable": lambda b: b["templating"].update(list=[v for v in b["templating"]["list"] if v["name"] != "instance"]),
    "no title": panel_without("title"),
    "no description": panel_without("description"),
    "no unit": no_unit,
    "fixed data source": other_source,
    "overlap": overlap,
    "fixed window": query(lambda e: e.replace("$__rate_interval", "5m")),
    "no job matcher": query(lambda e: e.replace('job=~"$job",', "")),
    "no instance matcher": query(lambda e: e.replace('instance=~"$instance"', "")),
    "counter without a rate": query(lambda e: e.replace("rate(", "(").replace("[$__rate_interval]", "")),
    "no selector": query(lambda e: e + " + steer_ready"),
    "unknown variable": query(lambda e: e.replace("$instance", "$node")),
}


def main():
    missed = []
    for path in sys.argv[1:]:
        with open(path, encoding="utf-8") as file:
            good = json.load(file)
        if lint(good):
            missed.append("%s is not good to begin with" % path)
        for name, breakage in BREAKAGES.items():
            board = copy.deepcopy(good)
            breakage(board)
            if not lint(board):
                missed.append("%s: %s was not found" % (path, name))
    print("\n".join(missed) or "every breakage was found")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
