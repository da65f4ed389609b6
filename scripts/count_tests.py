#!/usr/bin/env python3
"""Counts the tests of a ctest run: count_tests.py JUNIT_FILE RESULTS_DIRECTORY

A test of ctest may stand for many: those that it wrote to RESULTS_DIRECTORY/NAME.xml, as GoogleTest and pytest do, are
counted there. One that failed without a failure in that file (a crash, a leak, a timeout) is a failure of its own.
Prints "PASSED FAILED SKIPPED", and what failed to standard error.
"""

import pathlib
import sys
from xml.etree import ElementTree


def results_of(path):
    """The (name, result) of each test in the file; None where it is missing or cut short."""
    try:
        cases = ElementTree.parse(path).getroot().iter("testcase")
    except (OSError, ElementTree.ParseError):
        return None
    return [(f"{case.get('classname')}.{case.get('name')}", result_of(case)) for case in cases]


def result_of(case):
    if case.get("status") == "fail" or case.find("failure") is not None or case.find("error") is not None:
        return "failed"
    if case.get("status") in ("notrun", "disabled") or case.find("skipped") is not None:
        return "skipped"
    return "passed"


def count(junit, directory):
    results = []
    for case in ElementTree.parse(junit).getroot().iter("testcase"):
        name, result = case.get("name"), result_of(case)
        inner = results_of(pathlib.Path(directory, f"{name}.xml")) or []
        if not inner or (result == "failed" and all(it != "failed" for _, it in inner)):
            inner = inner + [("", result)]
        results += [(f"{name} {test}".rstrip(), it) for test, it in inner]
    return results


def main():
    results = count(*sys.argv[1:])
    for name, result in results:
        if result == "failed":
            print(f"FAILED: {name}", file=sys.stderr)
    print(*(sum(it == wanted for _, it in results) for wanted in ("passed", "failed", "skipped")))


if __name__ == "__main__":
    main()
