#!/usr/bin/env python3
"""Writes ../dashboards/*.json from the descriptions beside it; with --check says whether they are what is written there."""
import json
import pathlib
import sys

import gpu
import serving
import sweep

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "dashboards"
FILES = {"serving.json": serving.DASHBOARD, "gpu_and_process.json": gpu.DASHBOARD, "sweep.json": sweep.DASHBOARD}


def text(dashboard):
    """One panel a line, so that a difference shows the panel."""
    parts = []
    for key, value in dashboard.items():
        if key == "panels":
            value = "[\n" + ",\n".join(json.dumps(p) for p in value) + "\n]"
        else:
            value = json.dumps(value)
        parts.append("%s: %s" % (json.dumps(key), value))
    return "{\n" + ",\n".join(parts) + "\n}\n"


def main():
    check = sys.argv[1:] == ["--check"]
    stale = []
    for name, dashboard in FILES.items():
        path, new = FOLDER / name, text(dashboard)
        if check:
            if not path.exists() or path.read_text() != new:
                stale.append(name)
        else:
            path.write_text(new)
    extra = sorted(p.name for p in FOLDER.iterdir() if p.name not in FILES) if check else []
    for name in stale:
        print("%s is not what deploy/grafana/source/generate.py writes; run it" % name, file=sys.stderr)
    for name in extra:
        print("%s has no description in deploy/grafana/source" % name, file=sys.stderr)
    return 1 if stale or extra else 0


if __name__ == "__main__":
    sys.exit(main())
