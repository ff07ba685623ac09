#!/usr/bin/env python3
"""Lets ctest run tests that skip themselves, for reasons that are and are not true, and gives its report to skipped_tests.py."""
import pathlib
import subprocess
import sys
import tempfile
import unittest
import unittest.mock

import skipped_tests

SCRIPT = pathlib.Path(skipped_tests.__file__)
PROJECT = """cmake_minimum_required(VERSION 3.25)
project(toy LANGUAGES NONE)
enable_testing()
add_test(NAME Toy.Skips COMMAND cmake -E echo "a.cc:1: Skipped\\n{}\\n[  SKIPPED ] Toy.Skips (0 ms)")
set_tests_properties(Toy.Skips PROPERTIES SKIP_REGULAR_EXPRESSION "\\\\[  SKIPPED \\\\]")
add_test(NAME Toy.Runs COMMAND cmake -E echo "no openssl command")
"""


class SkippedTestsTest(unittest.TestCase):
    def judge(self, reason):
        """(exit code, what it says) of a run in which one test skips itself for `reason`."""
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            (root / "CMakeLists.txt").write_text(PROJECT.format(reason))
            subprocess.run(["cmake", "-S", folder, "-B", folder + "/build"], check=True, stdout=subprocess.DEVNULL)
            command = ["ctest", "--test-dir", folder + "/build", "--output-junit", folder + "/results.xml"]
            ran = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
            self.assertIn("Toy.Skips (Skipped)", ran)
            done = subprocess.run([sys.executable, "-B", str(SCRIPT), folder + "/results.xml"], capture_output=True, text=True)
            self.assertEqual(done.stdout, "")  # the last line of tests/run.sh stays ctest's
            return done.returncode, done.stderr

    def test_what_is_missing_may_be_missing(self):
        self.assertEqual(self.judge("no ../shared/tokenizers/of_nobody beside the repository"), (0, ""))
        self.assertEqual(self.judge("skipped: No module named 'of_nobody'"), (0, ""))

    def test_what_is_there_is_not_missing(self):
        code, said = self.judge("skipped: No module named 'json'")
        self.assertEqual(code, 1)
        self.assertEqual(said, "Toy.Skips was skipped: says \"skipped: No module named 'json'\", which is not so\n")

    def test_what_lies_beside_the_repository(self):
        says = "no ../shared/tokenizers/some beside the repository"
        with tempfile.TemporaryDirectory() as folder, unittest.mock.patch.object(skipped_tests, "ROOT", pathlib.Path(folder, "steer")):
            self.assertIsNone(skipped_tests.complaint(says))
            pathlib.Path(folder, "shared/tokenizers/some").mkdir(parents=True)
            self.assertIn("which is not so", skipped_tests.complaint(says))

    def test_a_skip_without_a_reason_that_is_known(self):
        code, said = self.judge("not today")
        self.assertEqual(code, 1)
        self.assertIn("gives no reason", said)

    def test_every_reason_in_the_sources_is_known(self):
        tests = SCRIPT.parents[1]
        for source in [*tests.rglob("*_test.cc"), *tests.rglob("*_fixture.h"), *tests.rglob("golden_tokenizers.cc")]:
            for line in source.read_text().splitlines():
                if "GTEST_SKIP" in line and "status()" not in line:
                    said = line.partition("<<")[2].replace('" << GetParam().name << "', "x").replace('" << GetParam() << "', "x")
                    self.assertTrue(any(skipped_tests.re.search(pattern, said) for pattern, _ in skipped_tests.REASONS), f"{source}: {line}")


if __name__ == "__main__":
    unittest.main()
