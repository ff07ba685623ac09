#!/usr/bin/env python3
"""A test may skip itself only for want of something, and only where that is really wanting: a skip whose reason is not true, or that gives none
that is known here, is a test that went silent.

    skipped_tests.py RESULTS      RESULTS: what `ctest --output-junit` wrote. Says nothing and ends with 0 when all skips are as they should be
"""
import importlib.util
import os
import pathlib
import re
import shutil
import sys
import tempfile
import xml.etree.ElementTree

ROOT = pathlib.Path(__file__).resolve().parents[2]


def lacks_program(name):
    return lambda match: shutil.which(name) is None


def lacks_module(match):
    """With the packages that tests/run.sh installs, if it could."""
    folder = os.environ.get("STEER_MANIFEST_PACKAGES")
    return not (folder and pathlib.Path(folder, match[1]).exists()) and importlib.util.find_spec(match[1]) is None


def lacks_terminals(match):
    try:
        for end in os.openpty():
            os.close(end)
    except OSError:
        return True
    return False


def closed_to_others(match):
    folder = pathlib.Path(tempfile.gettempdir()).resolve()
    return any(not f.stat().st_mode & 0o001 for f in (folder, *folder.parents))


def nothing_read_only(match):
    mounts = [line.split() for line in pathlib.Path("/proc/self/mounts").read_text().splitlines()]
    return not any("ro" in fields[3].split(",") and "\\" not in fields[1] and os.access(fields[1], os.R_OK) for fields in mounts)


# What a skipped test says, and whether it is true.
REASONS = [
    (r"no \.\./shared/(\S+) beside the repository", lambda match: not (ROOT.parent / "shared" / match[1]).exists()),
    (r"promtool is not (?:here|installed)", lacks_program("promtool")),
    (r"no openssl command", lacks_program("openssl")),
    (r"prometheus-pushgateway is not installed", lacks_program("prometheus-pushgateway")),
    (r"skipped: No module named '(\w+)'", lacks_module),
    (r"no pseudo-terminals here", lacks_terminals),
    (r"nothing is mounted read-only here", nothing_read_only),
    (r"others cannot enter the folder of temporary files", closed_to_others),
]


def complaint(output):
    """What is wrong with a skip that printed `output`, or None."""
    for pattern, true in REASONS:
        match = re.search(pattern, output)
        if match:
            return None if true(match) else f"says \"{match[0]}\", which is not so"
    return "gives no reason that tests/counts/skipped_tests.py knows"


def complaints(results):
    """(name, complaint) of each test that should not have been skipped."""
    for case in xml.etree.ElementTree.parse(results).getroot().iter("testcase"):
        if case.find("skipped") is not None:
            wrong = complaint(case.findtext("system-out") or "")
            if wrong:
                yield case.get("name"), wrong


def main():
    wrong = list(complaints(sys.argv[1]))
    for name, why in wrong:
        print(f"{name} was skipped: {why}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
