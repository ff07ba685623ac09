#!/usr/bin/env python3
"""Prints line and branch coverage by folder and by file, worst first, and holds it to floors.txt.

    report.py EXPORT [--partial] [--details FILE]     EXPORT: JSON of `llvm-cov export`, see run_coverage.sh

--partial: a build of some folders, so floors of files that it does not hold are left out, and said to be. --details: every outcome and every line
that no test has reached. Ends with 1 if a floor is broken, or an exception in unreachable.txt is none.

floors.txt: path, lowest branch coverage, lowest line coverage, in percent. A path that ends in a slash is a folder with all below it.
unreachable.txt: path | condition as written | outcome | why no input can reach it. These count neither as covered nor as missing; one that a
test does reach, or that names no condition, is an error.
"""
import argparse
import collections
import json
import pathlib
import sys

from measure import read_export

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
Unreachable = collections.namedtuple("Unreachable", "path text outcome reason")


class Total:
    """Lines and branches of a file or of a folder."""

    def __init__(self):
        self.lines = self.lines_seen = self.branches = self.branches_seen = 0

    def add(self, lines, lines_seen, branches, branches_seen):
        self.lines += lines
        self.lines_seen += lines_seen
        self.branches += branches
        self.branches_seen += branches_seen

    def line_percent(self):
        return 100.0 * self.lines_seen / self.lines if self.lines else 100.0

    def branch_percent(self):
        return 100.0 * self.branches_seen / self.branches if self.branches else 100.0

    def row(self, path):
        return (f"{self.branch_percent():6.1f} % {self.branches_seen:6d}/{self.branches:<6d} {self.line_percent():6.1f} % "
                f"{self.lines_seen:6d}/{self.lines:<6d} {path}")


def records(path):
    """(number, text) of the lines of a file of settings."""
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if line and not line.startswith("#"):
            yield number, line


def read_floors(path):
    floors = {}
    for number, line in records(path):
        fields = line.split()
        if len(fields) != 3 or fields[0] in floors:
            raise SystemExit(f"{path.name}:{number}: not \"path branches lines\", or there twice: {line}")
        floors[fields[0]] = (float(fields[1]), float(fields[2]))
    return floors


def read_exceptions(path):
    exceptions = []
    for number, line in records(path):
        fields = [field.strip() for field in line.split(" | ")]
        if len(fields) != 4 or fields[2] not in ("true", "false") or not fields[3]:
            raise SystemExit(f"{path.name}:{number}: not \"path | condition | true or false | why\": {line}")
        exceptions.append(Unreachable(*fields))
    return exceptions


def total_of(path, source, exceptions):
    """(Total, missing branches, complaints about exceptions) of one file."""
    total, missing, complaints = Total(), [], []
    open_exceptions = {(e.text, e.outcome): e for e in exceptions if e.path == path}
    used = set()
    branches = source.branches()
    for branch in branches:
        key = (branch.text, branch.outcome)
        if key in open_exceptions:
            used.add(key)
            if branch.seen:
                complaints.append(f"unreachable.txt: {path}: \"{branch.text}\" is {branch.outcome} in a test")
            continue
        total.add(0, 0, 1, int(branch.seen))
        if not branch.seen:
            missing.append(branch)
    complaints += [f"unreachable.txt: {path}: no condition \"{text}\"" for text, outcome in set(open_exceptions) - used]
    total.add(len(source.lines), sum(count > 0 for count in source.lines.values()), 0, 0)
    return total, missing, complaints


def folders_of(path):
    """client/stats/x.cc -> "client/", "client/stats/"."""
    parts = path.split("/")
    return ["/".join(parts[:i]) + "/" for i in range(1, len(parts))]


def broken_floors(floors, totals, partial):
    """(broken, left out), as lines."""
    broken, left_out = [], []
    for path, (branches, lines) in sorted(floors.items()):
        if path not in totals:
            (left_out if partial else broken).append(f"{path}: not measured")
            continue
        total = totals[path]
        if total.branch_percent() < branches:
            broken.append(f"{path}: {total.branch_percent():.2f} % of branches, the floor is {branches:g} %")
        if total.line_percent() < lines:
            broken.append(f"{path}: {total.line_percent():.2f} % of lines, the floor is {lines:g} %")
    return broken, left_out


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("export", type=pathlib.Path)
    arguments.add_argument("--partial", action="store_true")
    arguments.add_argument("--details", type=pathlib.Path)
    arguments.add_argument("--root", type=pathlib.Path, default=ROOT, help="the repository")
    arguments.add_argument("--settings", type=pathlib.Path, default=HERE, help="the folder of floors.txt and unreachable.txt")
    arguments = arguments.parse_args()
    sources = read_export(json.loads(arguments.export.read_text()), arguments.root.resolve())
    exceptions = read_exceptions(arguments.settings / "unreachable.txt")
    files, folders, details, complaints = {}, collections.defaultdict(Total), [], []
    for path, source in sorted(sources.items()):
        files[path], missing, complained = total_of(path, source, exceptions)
        complaints += complained
        for folder in folders_of(path):
            t = files[path]
            folders[folder].add(t.lines, t.lines_seen, t.branches, t.branches_seen)
        details += [f"{path}:{b.line}: never {b.outcome}: {b.text}" for b in missing]
        details += [f"{path}:{line}: never run: {source.words((line, 1, line, 1000))}" for line, count in sorted(source.lines.items()) if count == 0]
    complaints += [f"unreachable.txt: no file {e.path}" for e in exceptions if e.path not in files and not arguments.partial]
    if arguments.details:
        arguments.details.write_text("".join(line + "\n" for line in details))
    print("branches                lines                   path")
    for group in (files, folders):
        for path, total in sorted(group.items(), key=lambda item: (item[1].branch_percent(), item[1].line_percent(), item[0])):
            print(total.row(path))
        print()
    floors = read_floors(arguments.settings / "floors.txt")
    broken, left_out = broken_floors(floors, {**files, **folders}, arguments.partial)
    for line in left_out:
        print(f"left out: {line}")
    for line in broken + complaints:
        print(line)
    print(f"{len(floors) - len(left_out)} floors, {len(broken)} broken; {len(exceptions)} outcomes said to be unreachable, {len(complaints)} wrongly")
    return 1 if broken or complaints else 0


if __name__ == "__main__":
    sys.exit(main())
