#!/usr/bin/env python3
"""Gives count_tests.py a real project of ctest's and takes tests away from it in every way in which tests go missing."""
import pathlib
import subprocess
import sys
import tempfile
import unittest

GUARD = pathlib.Path(__file__).with_name("count_tests.py")
# Two folders; `part` has a suite of three tests and one test of a longer tier, `deploy` a suite that needs promtool.
PROJECT = """cmake_minimum_required(VERSION 3.25)
project(toy LANGUAGES NONE)
set(STEER_TEST_FOLDERS "part;deploy" CACHE STRING "")
set(STEER_PROMTOOL "/usr/bin/env" CACHE FILEPATH "")
enable_testing()
add_subdirectory(tests)
"""
TESTS = "foreach(folder ${STEER_TEST_FOLDERS})\n  add_subdirectory(${folder})\nendforeach()\n"
PART = """foreach(name Alpha.One Alpha.Two Alpha.Three Beta.One LongBeta.One)
  add_test(NAME ${name} COMMAND cmake -E true)
endforeach()
set_tests_properties(LongBeta.One PROPERTIES LABELS long-beta)
"""
DEPLOY = "if(STEER_PROMTOOL)\n  add_test(NAME Rules.AreValid COMMAND cmake -E true)\nendif()\nadd_test(NAME Boards.One COMMAND cmake -E true)\n"


class Project:
    """A project in a folder of its own, with the counts of its first state."""

    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.build = self.root / "build"
        self.counts = self.root / "counts.txt"
        for folder in ("tests/part", "tests/deploy"):
            (self.root / folder).mkdir(parents=True)
        (self.root / "CMakeLists.txt").write_text(PROJECT)
        (self.root / "tests/CMakeLists.txt").write_text(TESTS)
        (self.root / "tests/part/CMakeLists.txt").write_text(PART)
        (self.root / "tests/deploy/CMakeLists.txt").write_text(DEPLOY)
        self.configure()
        self.guard("--update")

    def configure(self, *options):
        subprocess.run(["cmake", "-S", str(self.root), "-B", str(self.build), *options], check=True, stdout=subprocess.DEVNULL)

    def change_part(self, text):
        (self.root / "tests/part/CMakeLists.txt").write_text(text)
        self.configure()

    def guard(self, *options):
        """(exit code, output)."""
        command = [sys.executable, "-B", str(GUARD), str(self.build), "--counts", str(self.counts), *options]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        return done.returncode, done.stdout


class CountTestsTest(unittest.TestCase):
    def setUp(self):
        aside = tempfile.TemporaryDirectory()
        self.addCleanup(aside.cleanup)
        self.project = Project(aside.name)

    def passes(self, *parts):
        code, output = self.project.guard()
        self.assertEqual(code, 0, output)
        for part in parts:
            self.assertIn(part, output)

    def fails(self, *parts):
        code, output = self.project.guard()
        self.assertEqual(code, 1, output)
        for part in (*parts, "--update"):
            self.assertIn(part, output)

    def test_counts_are_sorted_one_suite_a_line(self):
        lines = self.project.counts.read_text().splitlines()[1:]
        self.assertEqual(lines, ["deploy Boards default 1", "deploy Rules default 1", "part Alpha default 3", "part Beta default 1",
                                 "part LongBeta long-beta 1"])
        self.passes("7 tests in 5 suites, 0 suites differ")

    def test_a_lost_test(self):
        self.project.change_part(PART.replace(" Alpha.Two", ""))
        self.fails("part: Alpha (default): 2 tests, 3 expected: 1 fewer")

    def test_a_lost_suite(self):
        self.project.change_part(PART.replace(" Beta.One", ""))
        self.fails("part: Beta (default): 0 tests, 1 expected: 1 fewer")

    def test_a_new_test(self):
        self.project.change_part(PART.replace(" Beta.One", " Beta.One Beta.Two"))
        self.fails("part: Beta (default): 2 tests, 1 expected: 1 more")

    def test_a_disabled_test(self):
        self.project.change_part(PART + "set_tests_properties(Alpha.One PROPERTIES DISABLED ON)\n")
        self.fails("part: Alpha (default): 2 tests, 3 expected: 1 fewer")

    def test_a_test_that_moved_into_a_longer_tier(self):
        self.project.change_part(PART + "set_tests_properties(Alpha.One PROPERTIES LABELS long-alpha)\n")
        self.fails("part: Alpha (default): 2 tests, 3 expected", "part: Alpha (long-alpha): 1 tests, 0 expected")

    def test_a_folder_that_the_build_leaves_out_is_not_held(self):
        self.project.configure("-DSTEER_TEST_FOLDERS=deploy")
        self.passes("not held: part: not in STEER_TEST_FOLDERS", "2 tests in 2 suites")

    def test_a_program_that_is_not_built_is_not_held(self):
        self.project.change_part("add_test(NAME part_test_NOT_BUILT COMMAND part_test_NOT_BUILT)\n")
        self.passes("not held: part: not built: part_test", "2 tests in 2 suites")

    def test_what_needs_a_program_that_is_not_here_is_not_held(self):
        self.project.configure("-DSTEER_PROMTOOL=STEER_PROMTOOL-NOTFOUND")
        self.passes("not held: Rules: no program for STEER_PROMTOOL")

    def test_what_needs_a_program_is_held_where_that_is(self):
        (self.project.root / "tests/deploy/CMakeLists.txt").write_text(DEPLOY.replace("if(STEER_PROMTOOL)", "if(FALSE)"))
        self.project.configure()
        self.fails("deploy: Rules (default): 0 tests, 1 expected")

    def test_an_update_keeps_what_this_build_cannot_know(self):
        before = self.project.counts.read_text()
        self.project.configure("-DSTEER_PROMTOOL=STEER_PROMTOOL-NOTFOUND", "-DSTEER_TEST_FOLDERS=deploy")
        self.assertEqual(self.project.guard("--update")[0], 0)
        self.assertEqual(self.project.counts.read_text(), before)

    def test_an_update_takes_a_lost_suite_out(self):
        self.project.change_part(PART.replace(" Beta.One", ""))
        self.assertEqual(self.project.guard("--update")[0], 0)
        self.assertNotIn(" Beta ", self.project.counts.read_text())
        self.passes("0 suites differ")

    def test_a_line_that_is_none(self):
        for line in ("part Alpha default", "part Alpha default three", "part Alpha default 3"):
            kept = self.project.counts.read_text()
            self.project.counts.write_text(kept + line + "\n")
            code, output = self.project.guard()
            self.assertNotEqual(code, 0)
            self.assertIn("counts.txt:7", output)
            self.project.counts.write_text(kept)

    def test_listing_leaves_the_log_of_a_run_alone(self):
        subprocess.run(["ctest", "--test-dir", str(self.project.build)], check=True, stdout=subprocess.DEVNULL)
        log = self.project.build / "Testing/Temporary/LastTest.log"
        before = log.read_text()
        self.assertIn("Alpha.One", before)
        self.passes()
        self.assertEqual(log.read_text(), before)


if __name__ == "__main__":
    unittest.main()
