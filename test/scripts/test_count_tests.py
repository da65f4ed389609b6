"""What scripts/count_tests.py makes of a run of ctest."""

import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "scripts"))

from count_tests import count  # noqa: E402

PASSED = '<testcase name="Good" classname="Suite" status="run"/>'
FAILED = '<testcase name="Bad" classname="Suite" status="run"><failure message="x"/></testcase>'
SKIPPED = '<testcase name="Not" classname="Suite" status="run"><skipped message="x"/></testcase>'
DISABLED = '<testcase name="Off" classname="Suite" status="notrun"/>'


class CountTests(unittest.TestCase):
    def results(self, ctest_status, inner=None):
        with tempfile.TemporaryDirectory() as directory:
            junit = pathlib.Path(directory, "ctest.xml")
            junit.write_text(f'<testsuite><testcase name="unit.0" status="{ctest_status}"/></testsuite>')
            if inner is not None:
                pathlib.Path(directory, "unit.0.xml").write_text(inner)
            return sorted(result for _, result in count(junit, directory))

    def test_each_test_of_a_shard_counts(self):
        inner = f"<testsuites><testsuite>{PASSED}{FAILED}{SKIPPED}{DISABLED}</testsuite></testsuites>"
        self.assertEqual(self.results("fail", inner), ["failed", "passed", "skipped", "skipped"])

    def test_a_test_without_results_of_its_own_is_one(self):
        self.assertEqual(self.results("run"), ["passed"])
        self.assertEqual(self.results("notrun"), ["skipped"])

    def test_a_crash_is_a_failure(self):
        self.assertEqual(self.results("fail"), ["failed"])

    def test_results_cut_short_are_a_failure(self):
        self.assertEqual(self.results("fail", f"<testsuites><testsuite>{PASSED}"), ["failed"])

    def test_a_leak_after_the_last_test_is_a_failure(self):
        inner = f"<testsuites><testsuite>{PASSED}</testsuite></testsuites>"
        self.assertEqual(self.results("fail", inner), ["failed", "passed"])


if __name__ == "__main__":
    unittest.main()
