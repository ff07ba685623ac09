#!/usr/bin/env python3
"""Gives report.py llvm-cov's export of two small programs, whose coverage is plain to see, with floors and exceptions that hold and do not.
The export is kept, so this runs without clang; sample/make_export.sh makes it."""
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

import measure

HERE = pathlib.Path(__file__).resolve().parent
SAMPLE = HERE / "sample"


class ReportTest(unittest.TestCase):
    def setUp(self):
        aside = tempfile.TemporaryDirectory()
        self.addCleanup(aside.cleanup)
        self.settings = pathlib.Path(aside.name)

    def report(self, *options, floors="", unreachable=""):
        """(exit code, output, the file of what is not covered)."""
        (self.settings / "floors.txt").write_text(floors)
        (self.settings / "unreachable.txt").write_text(unreachable)
        details = self.settings / "details.txt"
        command = [sys.executable, "-B", str(HERE / "report.py"), str(SAMPLE / "export.json"), "--root", str(SAMPLE), "--settings",
                   str(self.settings), "--details", str(details), *options]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        return done.returncode, done.stdout, details.read_text() if details.exists() else ""

    def test_each_outcome_and_line_that_nothing_reached_is_named(self):
        code, _, details = self.report()
        self.assertEqual(code, 0)
        self.assertEqual(details.splitlines(), [
            "common/sample.cc:5: never true: SAMPLE_CHECK(b != 7)",  # in a macro: named where that is used
            "common/sample.cc:6: never true: b > 100",               # and neither `while (true)` nor `if constexpr`
            "common/sample.cc:7: never run: return 1;",
            "common/sample.cc:8: never run: }",
            "common/sample.cc:10: never run: return 3;",
            "common/sample.cc:11: never run: }",
        ])

    def test_copies_are_one_function(self):
        # AtLeast<int> is only ever true, AtLeast<double> only false, in two programs.
        self.assertIn(" 100.0 %      2/2 ", self.report()[1])

    def test_what_the_compiler_writes_has_no_conditions(self):
        (self.settings / "x.h").write_text("bool operator==(const X&, const X&) = default;\nreturn a;\n")
        source = measure.Source(self.settings, "x.h")
        source.conditions[((1, 45, 1, 46), ())] = [7, 0]
        source.conditions[((2, 8, 2, 9), ())] = [7, 0]
        self.assertEqual([(b.line, b.outcome, b.seen) for b in source.branches()], [(2, "false", False), (2, "true", True)])

    def test_lines_are_those_of_llvm_cov(self):
        export = json.loads((SAMPLE / "export.json").read_text())
        sources = measure.read_export(export, SAMPLE)
        # Its sums by file leave out the lines of macros, of which the header has three.
        macro = {"common/sample.cc": 0, "common/sample.h": 3}
        theirs = {measure.path_in(SAMPLE, entry["filename"]): entry["summary"]["lines"] for entry in export["data"][0]["files"]}
        for path, more in macro.items():
            counts = sources[path].lines.values()
            self.assertEqual((len(counts), sum(c > 0 for c in counts)), (theirs[path]["count"] + more, theirs[path]["covered"] + more), path)

    def test_the_worst_stands_first(self):
        rows = [line.split()[-1] for line in self.report()[1].splitlines() if "%" in line]
        self.assertEqual(rows, ["common/sample.cc", "common/sample.h", "common/"])

    def test_floors_that_hold(self):
        code, output, _ = self.report(floors="common/ 83.3 80\ncommon/sample.cc 80 71.4\ncommon/sample.h 100 100\n")
        self.assertEqual(code, 0, output)
        self.assertIn("3 floors, 0 broken", output)

    def test_floors_that_do_not(self):
        code, output, _ = self.report(floors="common/ 83.4 80\ncommon/sample.cc 80 71.5\n")
        self.assertEqual(code, 1)
        self.assertIn("common/: 83.33 % of branches, the floor is 83.4 %", output)
        self.assertIn("common/sample.cc: 71.43 % of lines, the floor is 71.5 %", output)

    def test_a_file_that_was_not_measured(self):
        self.assertEqual(self.report(floors="common/gone.cc 0 0\n")[0], 1)
        code, output, _ = self.report("--partial", floors="common/gone.cc 0 0\n")
        self.assertEqual(code, 0)
        self.assertIn("left out: common/gone.cc: not measured", output)

    def test_an_unreachable_outcome_does_not_count(self):
        line = "common/sample.cc | b > 100 | true | the sample says so\n"
        code, output, details = self.report(floors="common/sample.cc 88 71\n", unreachable=line)
        self.assertEqual(code, 0, output)
        self.assertIn("8/9 ", output)
        self.assertNotIn("never true: b > 100", details)

    def test_an_exception_that_a_test_reaches(self):
        code, output, _ = self.report(unreachable="common/sample.cc | b > 100 | false | no\n")
        self.assertEqual(code, 1)
        self.assertIn("\"b > 100\" is false in a test", output)

    def test_an_exception_that_names_nothing(self):
        for line in ("common/sample.cc | b > 99 | true | no\n", "common/gone.cc | b > 100 | true | no\n"):
            code, output, _ = self.report(unreachable=line)
            self.assertEqual(code, 1, output)
            self.assertIn("1 wrongly", output)

    def test_settings_that_cannot_be_read(self):
        for settings in ({"floors": "common/ 80\n"}, {"floors": "common/ 80 80\ncommon/ 80 80\n"},
                         {"unreachable": "common/sample.cc | b > 100 | true\n"}, {"unreachable": "common/sample.cc | b > 100 | maybe | no\n"}):
            code, output, _ = self.report(**settings)
            self.assertNotEqual(code, 0)
            self.assertIn(".txt:", output)


if __name__ == "__main__":
    unittest.main()
