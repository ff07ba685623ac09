#!/usr/bin/env python3
"""Draws each dashboard's panels, with what Prometheus has of a planted sweep, into one image a dashboard: what Grafana would show, without Grafana.

    render_dashboards.py SOURCE_FOLDER BUILD_FOLDER OUTPUT_FOLDER
"""
import json
import pathlib
import re
import subprocess
import sys
import threading
import time

from live_test import ask
from stack import PLAN, Stack, fill

COLUMN, ROW = 60, 27  # pixels of a grid unit
COLOURS = ["#3274d9", "#e0752d", "#56a64b", "#c4162a", "#8f3bb8", "#b0a000", "#1f9e9e", "#705da0", "#a0522d", "#555555"]


def human(value, unit):
    if value != value:
        return "no data"
    if unit == "percentunit":
        return "%.3g %%" % (100 * value)
    if unit in ("s", "dtdurations"):
        return "%.3g ms" % (1000 * value) if 0 < abs(value) < 1 else "%.3g s" % value if abs(value) < 120 else "%.3g min" % (value / 60)
    for limit, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= limit:
            return "%.3g %s" % (value / {"G": 1e9, "M": 1e6, "k": 1e3}[letter], letter)
    return "%.4g" % value


def quote(text):
    return '"' + str(text).replace("\\", "").replace('"', "'") + '"'


def legend(template, labels):
    return re.sub(r"\{\{(\w+)\}\}", lambda m: labels.get(m.group(1), ""), template).strip() or " "


class Canvas:
    def __init__(self, board, stack, values, start, end):
        self.stack, self.values, self.start, self.end = stack, values, start, end
        self.height = max(p["gridPos"]["y"] + p["gridPos"]["h"] for p in board["panels"]) * ROW
        self.width, self.blocks, self.script = 24 * COLUMN, 0, []

    def query(self, target):
        return self.stack.api("query", query=fill(target["expr"], self.values), time=self.end)["result"]

    def history(self, target):
        return self.stack.api("query_range", query=fill(target["expr"], self.values), start=self.start, end=self.end, step=1)["result"]

    def block(self, rows):
        self.blocks += 1
        self.script += ["$d%d << EOD" % self.blocks] + rows + ["EOD"]
        return "$d%d" % self.blocks

    def place(self, panel):
        g = panel["gridPos"]
        x, y, w, h = g["x"] * COLUMN, g["y"] * ROW, g["w"] * COLUMN, g["h"] * ROW
        left, right, top, bottom = x / self.width, (x + w) / self.width, 1 - y / self.height, 1 - (y + h) / self.height
        return left, right, top, bottom

    def text(self, x, y, words, size=9, colour="#222222", how="left"):
        self.script.append("set label %s at screen %.5f, screen %.5f %s font ',%d' tc rgb '%s' noenhanced" % (quote(words), x, y, how, size, colour))

    def box(self, left, right, top, bottom, colour="#dddddd"):
        self.script.append("set object rectangle from screen %.5f, screen %.5f to screen %.5f, screen %.5f fs empty border rgb '%s'" %
                           (left + .001, bottom + 3 / self.height, right - .001, top - 1 / self.height, colour))

    def draw(self, panel):
        left, right, top, bottom = self.place(panel)
        px = 1 / self.height
        if panel["type"] == "row":
            self.text(left + .004, (top + bottom) / 2, panel["title"], 12, "#000000")
            return
        self.script += ["unset label", "unset object", "reset"]
        self.box(left, right, top, bottom)
        self.text(left + .005, top - 12 * px, panel["title"], 9)
        inner = "set lmargin at screen %.5f; set rmargin at screen %.5f; set tmargin at screen %.5f; set bmargin at screen %.5f" % (
            left + (.042 if panel["type"] != "bargauge" else (right - left) * .45), right - .008, top - 26 * px, bottom + (48 if panel["type"] in ("timeseries",) else 24) * px)
        getattr(self, panel["type"])(panel, (left, right, top, bottom), inner)

    def nothing(self, inner):
        self.script += [inner, "unset key; unset border; unset tics", "set xrange [0:1]; set yrange [0:1]", "plot -1 notitle"]

    def stat(self, panel, place, inner):
        left, right, top, bottom = place
        unit, options = panel["fieldConfig"]["defaults"]["unit"], panel["fieldConfig"]["defaults"]
        words = {v: (o["text"], o["color"]) for m in options.get("mappings", []) for v, o in m["options"].items()}
        shown, colour = [], "#1f60c4"
        for target in panel["targets"]:
            for s in self.query(target):
                value = float(s["value"][1])
                key = "%d" % value if value == int(value) else ""
                shown.append(legend(target["legendFormat"], s["metric"]) if panel["options"]["textMode"] == "name" else words.get(key, (human(value, unit),))[0])
                colour = {"green": "#37872d"}.get(words.get(key, ("", colour))[1], words.get(key, ("", colour))[1])
        size = 16 if max(map(len, shown or [""])) * 14.5 < (right - left) * self.width else 11
        self.text((left + right) / 2, (top + bottom) / 2 - 8 / self.height, "; ".join(shown) or options.get("noValue", "No data"), size, colour, "center")
        self.nothing(inner)

    def timeseries(self, panel, place, inner):
        unit, lines = panel["fieldConfig"]["defaults"]["unit"], []
        scale = 100 if unit == "percentunit" else 1
        for target in panel["targets"]:
            for s in self.history(target):
                rows = ["%g %.9g" % (t - self.start, float(v) * scale) for t, v in s["values"] if v not in ("NaN", "+Inf")]
                if rows:
                    flat = all(row.split()[1] == "0" for row in rows)
                    lines.append((self.block(rows), legend(target["legendFormat"], s["metric"]), flat))
        if not lines:
            self.text((place[0] + place[1]) / 2, (place[2] + place[3]) / 2, "No data", 12, "#999999", "center")
            self.nothing(inner)
            return
        lines = short_legend(lines[:20])
        suffix = {"percentunit": " %%", "s": " s", "bytes": "B", "celsius": " C", "watt": " W", "joule": " J"}.get(unit, "")
        self.script += [inner, "set key at screen %.5f, screen %.5f left bottom horizontal maxrows 2 samplen 1 font ',7' noenhanced" % (place[0] + .005, place[3] + 5 / self.height),
                        "set grid lc rgb '#eeeeee'; set border lc rgb '#bbbbbb'; set tics font ',7' nomirror",
                        "set xrange [0:%g]; set format x '%%g s'" % (self.end - self.start),
                        "set format y '%s%s'" % ("%.1s%c" if unit != "sci" else "%.0e", suffix), "set yrange [0:%s]" % (scale * panel["fieldConfig"]["defaults"].get("max", 0) or "*")]
        self.script.append("plot " + ", ".join("%s using 1:2 with linespoints pt 7 ps 0.25 lw 1.3 lc rgb '%s' title %s" % (b, COLOURS[i % len(COLOURS)], quote(t))
                                               for i, (b, t) in enumerate(lines)))

    def bargauge(self, panel, place, inner):
        unit, rows, ticks = panel["fieldConfig"]["defaults"]["unit"], [], []
        found = [(legend(t["legendFormat"], s["metric"]), float(s["value"][1])) for t in panel["targets"] for s in self.query(t)]
        found.sort(key=lambda f: [int(x) if x.isdigit() else x for x in re.split(r"(\d+)", f[0])])
        for i, (name, value) in enumerate(found):
            rows.append("%g %d %s" % (value, -i, quote(human(value, unit))))
            ticks.append("%s %d" % (quote(name), -i))
        low, high = panel["fieldConfig"]["defaults"].get("min", 0), panel["fieldConfig"]["defaults"].get("max", 1.15 * max([v for _, v in found] + [1e-9]))
        self.script += [inner, "unset key; set border 0; set style fill solid 0.5 noborder", "set ytics (%s) font ',7' noenhanced nomirror scale 0; unset xtics" % ", ".join(ticks),
                        "set xrange [%g:%g]; set yrange [%g:0.6]" % (low, high * 1.12, -len(found) + .4)]
        block = self.block(rows or ["0 0 x"])
        self.script.append("plot %s using (0):2:(0):1:($2-0.35):($2+0.35) with boxxyerror lc rgb '#3274d9', '' using ($1<0?0:$1):2:3 with labels left offset 0.5,0 font ',7'" % block)

    def table(self, panel, place, inner):
        left, right, top, bottom = place
        include = next(t for t in panel["transformations"] if t["id"] == "filterFieldsByName")["options"]["include"]["names"]
        names = [t["legendFormat"] for t in panel["targets"]]
        keys = include[:len(include) - len(names)]
        rows = {}
        for target in panel["targets"]:
            for s in self.query(target):
                rows.setdefault(tuple(s["metric"].get(k, "") for k in keys), {})[target["legendFormat"]] = "%.3g" % float(s["value"][1])
        step = (right - left) / (len(keys) + len(names) + 2)
        ends = [left + .01 + step * (i * 0.8 if i < 2 else i + 1.6) for i in range(len(keys) + len(names))]
        for i, name in enumerate(keys + names):
            self.text(ends[i], top - 34 / self.height, name, 8, "#000000")
        room = int(((top - bottom) * self.height - 60) / 15)  # Grafana scrolls
        for j, (key, cells) in enumerate(sorted(rows.items())[:room]):
            for i, word in enumerate(list(key) + [cells.get(n, "") for n in names]):
                self.text(ends[i], top - (52 + 15 * j) / self.height, word, 8)
        self.nothing(inner)

    def heatmap(self, panel, place, inner):
        series = {s["metric"]["le"]: dict((t, float(v)) for t, v in s["values"]) for s in self.history(panel["targets"][0])}
        bounds = sorted(series, key=float)
        rows, high = [], 0
        for i, le in enumerate(bounds):
            for t, value in series[le].items():
                part = max(0, value - (series[bounds[i - 1]].get(t, 0) if i else 0))
                high = max(high, part)
                rows.append("%g %d %.6g" % (t - self.start, i, part))
        self.script += [inner, "unset key; unset colorbox; set palette defined (0 'white', 0.01 '#e6effa', 1 '#1f60c4'); set cbrange [0:%g]" % (high or 1),
                        "set ytics (%s) font ',7' nomirror; set xtics font ',7'; set format x '%%g s'" % ", ".join("%s %d" % (quote(le), i) for i, le in enumerate(bounds)),
                        "set xrange [0:%g]; set yrange [-0.5:%g]" % (self.end - self.start, len(bounds) - .5),
                        "plot %s using 1:2:(0.5):(0.5):3 with boxxyerror fs solid noborder lc palette" % self.block(rows or ["0 0 0"])]


def short_legend(lines):
    """(block, title) of each line. Where there are too many titles for the panel, those that stay at 0 share one."""
    if len(lines) <= 8:
        return [(block, title) for block, title, _ in lines]
    flat = [block for block, _, is_flat in lines if is_flat]
    shared = dict.fromkeys(flat, "")
    if flat:
        shared[flat[0]] = "%d at 0" % len(flat)
    return [(block, shared.get(block, title)) for block, title, _ in lines]


def main():
    source, binaries, output = pathlib.Path(sys.argv[1]), sys.argv[2], pathlib.Path(sys.argv[3])
    plan = PLAN.replace("train: 24, validation: 8, test: 16", "train: 64, validation: 24, test: 48").replace("[0, 1, 2, 3, 4, 5]", "[0, 1, 2]")
    with Stack(source, binaries, plan) as stack:
        stack.bring_up()
        start, sweep = time.time(), stack.start_sweep()
        threading.Thread(target=ask, args=(stack, sweep), daemon=True).start()
        while sweep.poll() is None and time.time() < start + 45:
            time.sleep(0.5)
        time.sleep(2)
        end = time.time()
        for path in sorted((source / "deploy/grafana/dashboards").glob("*.json")):
            board = json.loads(path.read_text())
            canvas = Canvas(board, stack, stack.variables(board), start, end)
            for panel in [p for p in board["panels"] if p["type"] != "row"]:
                canvas.draw(panel)
            canvas.script += ["reset", "unset label", "unset object"]
            for panel in [p for p in board["panels"] if p["type"] == "row"]:
                canvas.draw(panel)
            canvas.nothing("")
            head = ["set terminal pngcairo size %d,%d font 'DejaVu Sans,9' background '#ffffff'" % (canvas.width, canvas.height),
                    "set output %s" % quote(output / (path.stem + ".png")), "set multiplot"]
            done = subprocess.run(["gnuplot"], input="\n".join(head + canvas.script + ["unset multiplot"]), capture_output=True, text=True)
            if done.returncode != 0 or "error" in done.stderr:
                print(done.stderr, file=sys.stderr)
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
