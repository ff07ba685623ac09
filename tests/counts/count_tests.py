#!/usr/bin/env python3
"""Holds the number of tests of every suite to counts.txt, so that no test goes missing unseen: not by a source that left a CMakeLists.txt, a
DISABLED_ prefix, a parameter list that became empty, or a label that moved it into a longer tier.

    count_tests.py BUILD                 compares; ends with 1 and names each suite that differs
    count_tests.py BUILD --update        writes counts.txt anew; lines that this build cannot know stay as they are

A line of counts.txt: folder under tests/, suite, tier, number of tests. The tier is the test's ctest labels, "default" without any. Tests that
ctest knows as disabled are not counted. What a build is not supposed to have is not held, and is named: folders that STEER_TEST_FOLDERS leaves
out, programs that were not built (ctest itself fails for those), and the tests of NEEDS whose program is not on this machine. STEER_CUDA and
python packages change no number: such tests exist everywhere and skip themselves.
"""
import argparse
import collections
import json
import os
import pathlib
import subprocess
import sys
import tempfile

COUNTS = pathlib.Path(__file__).with_name("counts.txt")
# What tests/deploy/CMakeLists.txt adds only where these cache variables name a program. A suite, or one test of it.
NEEDS = {
    "Rules": ["STEER_PROMTOOL"],
    "Dashboards.LiveDuringASweep": ["STEER_PROMETHEUS", "STEER_PUSHGATEWAY"],
}
NOT_BUILT = "_NOT_BUILT"  # the one test that gtest_discover_tests writes in place of a missing program's
Key = collections.namedtuple("Key", "folder suite tier")


def read_cache(build):
    """CMakeCache.txt as a dict."""
    entries = {}
    for line in (build / "CMakeCache.txt").read_text().splitlines():
        name, colon, rest = line.partition(":")
        if colon and "=" in rest and not line.startswith(("#", "//")):
            entries[name] = rest.partition("=")[2]
    return entries


def list_tests(build):
    """ctest's own list. Asked from a folder of its own: even a listing starts a new LastTest.log, and this may run inside of ctest."""
    with tempfile.TemporaryDirectory() as aside:
        pathlib.Path(aside, "CTestTestfile.cmake").write_text(f'subdirs("{build.as_posix()}")\n')
        done = subprocess.run(["ctest", "--test-dir", aside, "--show-only=json-v1"], check=True, stdout=subprocess.PIPE)
    return json.loads(done.stdout)["tests"]


def suite_of(name):
    """The suite under which a test is held: one with needs of its own stands alone."""
    return name if name in NEEDS else name.partition(".")[0]


def folder_of(test, properties, build):
    """That of the program where it is one of ours: of two tests of one name, ctest gives both the properties of the last."""
    program = pathlib.PurePath(test.get("command", [""])[0])
    place = program.parent if (build / "tests") in program.parents else properties["WORKING_DIRECTORY"]
    return os.path.relpath(place, build / "tests").replace(os.sep, "/")


def count(tests, build):
    """(Counter of Key, {folder: programs that were not built})."""
    counts, missing = collections.Counter(), collections.defaultdict(list)
    for test in tests:
        properties = {p["name"]: p["value"] for p in test.get("properties", [])}
        folder = folder_of(test, properties, build)
        if test["name"].endswith(NOT_BUILT):
            missing[folder].append(test["name"][: -len(NOT_BUILT)])
        elif not properties.get("DISABLED"):
            counts[Key(folder, suite_of(test["name"]), ",".join(properties.get("LABELS", ["default"])))] += 1
    return counts, missing


def parse(text):
    expected = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        fields = line.split()
        if len(fields) != 4 or not fields[3].isdigit() or Key(*fields[:3]) in expected:
            raise SystemExit(f"counts.txt:{number}: not \"folder suite tier count\", or there twice: {line}")
        expected[Key(*fields[:3])] = int(fields[3])
    return expected


def excused(key, cache, missing):
    """Why this build does not hold a line, or None."""
    if key.folder not in cache["STEER_TEST_FOLDERS"].split(";"):
        return f"{key.folder}: not in STEER_TEST_FOLDERS"
    if key.folder in missing:
        return f"{key.folder}: not built: {' '.join(sorted(missing[key.folder]))}"
    lacking = [v for v in NEEDS.get(key.suite, []) if cache.get(v, "").endswith("NOTFOUND") or not cache.get(v)]
    return f"{key.suite}: no program for {' '.join(lacking)}" if lacking else None


def compare(expected, counts, cache, missing):
    """(differences, excuses), both as lines."""
    differences, excuses = [], set()
    for key in sorted(set(expected) | set(counts)):
        excuse = excused(key, cache, missing)
        if excuse:
            excuses.add(excuse)
        elif counts.get(key, 0) != expected.get(key, 0):
            here, there = counts.get(key, 0), expected.get(key, 0)
            differences.append(f"{key.folder}: {key.suite} ({key.tier}): {here} tests, {there} expected: {abs(here - there)} "
                               f"{'fewer' if here < there else 'more'}")
    return differences, sorted(excuses)


def updated(expected, counts, cache, missing):
    """What --update writes: this build's counts, and the old lines that it cannot know."""
    lines = {key: number for key, number in expected.items() if excused(key, cache, missing)}
    lines.update((key, number) for key, number in counts.items() if not excused(key, cache, missing))
    head = "# folder suite tier tests; written by tests/counts/count_tests.py BUILD --update\n"
    return head + "".join(f"{k.folder} {k.suite} {k.tier} {n}\n" for k, n in sorted(lines.items()))


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("build", type=pathlib.Path)
    arguments.add_argument("--update", action="store_true", help="write counts.txt from this build")
    arguments.add_argument("--counts", type=pathlib.Path, default=COUNTS, help="another file of counts")
    arguments = arguments.parse_args()
    build = arguments.build.resolve()
    cache = read_cache(build)
    counts, missing = count(list_tests(build), build)
    if arguments.update:
        old = parse(arguments.counts.read_text()) if arguments.counts.exists() else {}
        arguments.counts.write_text(updated(old, counts, cache, missing))
    differences, excuses = compare(parse(arguments.counts.read_text()), counts, cache, missing)
    held = [key for key in counts if not excused(key, cache, missing)]
    for line in excuses:
        print(f"not held: {line}")
    for line in differences:
        print(line)
    print(f"{sum(counts[key] for key in held)} tests in {len(held)} suites, {len(differences)} suites differ from tests/counts/counts.txt")
    if differences:
        print(f"If that is meant: python3 -B tests/counts/count_tests.py {os.path.relpath(build)} --update, and commit the file")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
