#!/usr/bin/env python3
"""Rules that a dashboard must keep, after those of Grafana's dashboard-linter.

    lint_dashboards.py FILE...      prints findings; exit code 1 if there are any
"""
import json
import re
import sys

COUNTER = re.compile(r"\b[a-z][a-z0-9_]*_(?:total|bucket|count|sum)\b(?=\{)")
# Whole-life sums and faults since start are shown as they are; the reader of the panel is told so in its description.
WHOLE_LIFE = re.compile(r"since|times|how often|errors|failures|records|canary rows", re.I)
SELECTOR = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)\{([^}]*)\}")
WORDS = {"sum", "avg", "max", "min", "count", "by", "without", "ignoring", "on", "and", "or", "unless", "rate", "increase", "abs", "time", "timestamp", "le", "bool",
         "histogram_quantile", "group_left", "group_right", "label_replace"}


def lint(board):
    title = board.get("title") or "?"
    found = []

    def need(condition, where, text):
        if not condition:
            found.append("%s: %s: %s" % (title, where, text))

    need(board.get("uid"), "dashboard", "no uid")
    need(board.get("description"), "dashboard", "no description")
    need(board.get("editable") is False, "dashboard", "is editable")
    need(board.get("refresh"), "dashboard", "does not refresh by itself")
    variables = {v["name"]: v for v in board["templating"]["list"]}
    source = variables.get("datasource", {})
    need(source.get("type") == "datasource" and source.get("query") == "prometheus", "variables", "no data source variable")
    need(source.get("label"), "variables", "the data source variable has no label")
    for name in ("job", "instance", "model"):
        need(name in variables, "variables", "no " + name)
    for name, v in variables.items():
        need(v.get("label"), name, "variable without a label")
        if name != "datasource":
            need(v["datasource"]["uid"] == "${datasource}", name, "does not use the data source variable")
            need(v.get("refresh") == 2, name, "is not refreshed with the time range")
    ids, titles, places = set(), set(), []
    for panel in board["panels"]:
        where = panel.get("title") or "panel %s" % panel.get("id")
        need(panel["id"] not in ids, where, "id is used twice")
        ids.add(panel["id"])
        need(panel.get("title"), where, "no title")
        grid = panel["gridPos"]
        need(grid["x"] + grid["w"] <= 24, where, "leaves the 24 columns")
        for x, y, w, h, other in places:
            need(grid["x"] >= x + w or x >= grid["x"] + grid["w"] or grid["y"] >= y + h or y >= grid["y"] + grid["h"], where, "covers " + other)
        places.append((grid["x"], grid["y"], grid["w"], grid["h"], where))
        if panel["type"] == "row":
            titles.clear()
            continue
        need(where not in titles, where, "title is used twice in a row")
        titles.add(where)
        need(len(panel.get("description", "")) > 10, where, "no description")
        need(panel["fieldConfig"]["defaults"].get("unit"), where, "no unit")
        need(panel["datasource"]["uid"] == "${datasource}", where, "does not use the data source variable")
        need(panel["targets"], where, "no query")
        for target in panel["targets"]:
            lint_expression(target, panel, variables, lambda c, t: need(c, where, t))
    return found


def lint_expression(target, panel, variables, need):
    expr = target["expr"]
    need(target["datasource"]["uid"] == "${datasource}", "a query does not use the data source variable")
    # Some panel types (table, heat) read the format, others the legend.
    need(target.get("legendFormat") or len(panel["targets"]) == 1, "several queries and no legend")
    for name, matchers in SELECTOR.findall(expr):
        for label in ("job", "instance"):
            need(re.search(r'\b%s=~"\$%s' % (label, label), matchers), "%s has no matcher of $%s" % (name, label))
    bare = re.sub(r"\{[^}]*\}|\"[^\"]*\"|\[[^\]]*\]", " @ ", expr)
    bare = re.sub(r"\b(by|without|ignoring|on|group_left|group_right)\s*\([^)]*\)", " ", bare)
    for name in re.findall(r"(?<![\w:])[a-z][\w:]*(?![\w:]|\s*@)", bare):
        need(name in WORDS or name.isdigit(), "%s has no selector" % name)
    for window in re.findall(r"\[([^\]]*)\]", expr):
        need(window == "$__rate_interval", "window [%s] is not $__rate_interval" % window)
    for match in COUNTER.finditer(expr):
        before = expr[:match.start()]
        rated = re.search(r"\b(rate|increase)\($", before)
        need(rated or (target["instant"] and WHOLE_LIFE.search(panel["title"] + " " + panel["description"])),
             "%s is a counter and has no rate" % match.group(0))
    for name in re.findall(r"\$(\w+)", expr):
        need(name == "__rate_interval" or name in variables, "unknown variable $" + name)


def main():
    found, panels, queries = [], 0, 0
    for path in sys.argv[1:]:
        with open(path, encoding="utf-8") as file:
            board = json.load(file)
        found += lint(board)
        panels += sum(p["type"] != "row" for p in board["panels"])
        queries += sum(len(p.get("targets", [])) for p in board["panels"])
    print("\n".join(found) or "%d dashboards, %d panels, %d queries: nothing found" % (len(sys.argv) - 1, panels, queries))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
