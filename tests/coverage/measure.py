"""Reads what `llvm-cov export` writes into lines and branches by source file.

A branch here is one outcome of one condition, as the source says it: `a && b` has four. Nothing is counted that the compiler adds by itself
(the way out by an exception, say). A condition inside of a macro counts where the macro is used, once for every use, so each
STEER_RETURN_IF_ERROR is a branch to be taken both ways. Copies of a function (a template's instantiations, a header in several programs, a
source that two libraries compile) are one function here: an outcome is seen if any copy saw it.
"""
import collections
import re

FOLDERS = ("client", "common", "server")
EXPANSION = 1  # a kind of region: a macro's use
Branch = collections.namedtuple("Branch", "line text outcome seen")


class Source:
    """One file: `lines` {number: executions} and `conditions` {where: [times true, times false]}."""

    def __init__(self, root, path):
        self.text = (root / path).read_text().splitlines()
        self.lines = {}
        self.conditions = collections.defaultdict(lambda: [0, 0])

    def words(self, span):
        """The source between two places, on one line."""
        first, left, last, right = span
        if last > len(self.text):
            return "(the file has changed since the build)"
        part = self.text[first - 1:last]
        part[-1] = part[-1][:right - 1]
        part[0] = part[0][left - 1:]
        return " ".join(" ".join(part).split())

    def use(self, span):
        """A macro's use: `span` is its name alone, so the arguments are added, up to the closing parenthesis."""
        first, left, last, right = span
        if last > len(self.text):
            return "(the file has changed since the build)"
        rest = "\n".join([self.text[first - 1][right - 1:], *self.text[first:]])
        depth = end = 0
        for end, letter in enumerate(rest, 1):
            depth += (letter == "(") - (letter == ")")
            if depth <= 0:
                break
        return " ".join((self.text[first - 1][left - 1:right - 1] + (rest[:end] if rest.startswith("(") else "")).split())

    def branches(self):
        """Every outcome of every condition, in the order of the source. Conditions that are constants have none, and neither have those that the
        compiler puts into a function that is `= default`: all stand in one place, and no count says how often one was false."""
        found = []
        for (site, inner), (true, false) in self.conditions.items():
            text = self.use(site) if inner else self.words(site)
            line = self.words((site[0], 1, site[0], 1000))
            constant = true == false == 0 and (re.fullmatch(r"true|false|0|1", text) or "if constexpr" in line)
            if not constant and "= default" not in line:
                found += [Branch(site[0], text, "true", true > 0), Branch(site[0], text, "false", false > 0)]
        return sorted(found)


def path_in(root, name):
    """`name` relative to the repository, or None for what is not ours. The compiler and its cache write paths in several ways."""
    parts = name.split("/")
    for i, part in enumerate(parts):
        if part in FOLDERS and parts[i - 1] != "tests" and (root / "/".join(parts[i:])).is_file():
            return "/".join(parts[i:])
    return None


def lines_of(segments):
    """{line: executions} of one file's segments, as llvm-cov itself counts them: the largest count of the regions on the line."""
    by_line = collections.defaultdict(list)
    for segment in segments:
        by_line[segment[0]].append(segment)
    counts, wrapped = {}, None
    for line in range(segments[0][0], segments[-1][0] + 1) if segments else []:
        here = by_line.get(line, [])
        starts = [s[2] for s in here if s[3] and s[4] and not s[5]]
        skipped = bool(here) and not here[0][3] and here[0][4]
        if not skipped and (starts or (wrapped and wrapped[3])):
            counts[line] = max(starts + ([wrapped[2]] if wrapped and wrapped[3] else []))
        wrapped = here[-1] if here else wrapped
    return counts


def add_function(function, source_of):
    """Adds a function's conditions to the files that they stand in."""
    # Where each expanded macro is used: {its file number: (file number of the use, place of the use)}.
    uses = {r[6]: (r[5], tuple(r[:4])) for r in function["regions"] if r[7] == EXPANSION}
    for branch in function.get("branches", []):
        number, places = branch[6], [tuple(branch[:4])]
        while number in uses:
            number, place = uses[number]
            places.append(place)
        source = source_of(function["filenames"][number])
        if source:
            counts = source.conditions[(places[-1], tuple(places[:-1]))]
            counts[0] += branch[4]
            counts[1] += branch[5]


def read_export(export, root):
    """{path: Source} of an export of llvm-cov."""
    sources, paths = {}, {}

    def source_of(name):
        if name not in paths:
            paths[name] = path_in(root, name)
        path = paths[name]
        if path and path not in sources:
            sources[path] = Source(root, path)
        return sources.get(path)

    for data in export["data"]:
        for entry in data["files"]:
            source = source_of(entry["filename"])
            if source:
                for line, count in lines_of(entry["segments"]).items():
                    source.lines[line] = max(count, source.lines.get(line, 0))
        for function in data["functions"]:
            add_function(function, source_of)
    return sources
