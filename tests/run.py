#!/usr/bin/env python3
"""Runs the Python tests of the folders (or files) given and reports one line a test.

usage: run.py [--stage NAME] [--list] [--failfast] [-v] FOLDER|FILE... [FILTER...]

An argument that is neither a folder nor a file filters: only tests whose name contains one of the
filters run. Results are appended to the file named by POP3_RESULTS, one line a test:
stage, name (without the leading test_), ok|fail|skip|unable, number of cases, separated by tabs;
unable: this machine cannot run it, see TestCase.cannot().
Exit code 1 if a test failed or if no test ran: a run that tests nothing must not look green.
"""

import argparse
import os
import sys
import time
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tests"))


def plain_name(test):
    """The sentence that names a test: its method without test_, or what unittest calls it."""
    name = getattr(test, "_testMethodName", None) or test.id()
    return name[len("test_"):] if name.startswith("test_") else name


class Results(unittest.TestResult):
    """Collects one verdict a test; a failed subtest fails the test it belongs to."""

    def __init__(self, stage, verbose):
        super().__init__()
        self.stage = stage
        self.verbose = verbose
        self.counts = {"ok": 0, "fail": 0, "skip": 0, "unable": 0}
        self.verdict = None
        self.path = os.environ.get("POP3_RESULTS")

    def startTest(self, test):
        super().startTest(test)
        self.verdict = ("ok", "")
        self.started = time.monotonic()

    def stopTest(self, test):
        super().stopTest(test)
        self.record(test, *self.verdict)

    def addFailure(self, test, err):
        self.fail(test, err)

    def addError(self, test, err):
        self.fail(test, err)

    def addSubTest(self, test, subtest, err):
        if err is not None:
            self.fail(test, err, " " + subtest._subDescription())

    def addUnexpectedSuccess(self, test):
        self.verdict = ("fail", "unexpected success")

    def addSkip(self, test, reason):
        outcome = "unable" if getattr(test, "unable", False) else "skip"
        if self.verdict is None:
            self.record(test, outcome, reason)
        elif self.verdict[0] == "ok":
            self.verdict = (outcome, reason)

    def fail(self, test, err, where=""):
        text = self._exc_info_to_string(err, test)
        if where:
            text = where.strip() + "\n" + text
        if self.verdict is None:
            # A setUpClass or setUpModule: no test is running that could carry the verdict.
            self.record(test, "fail", text)
        elif self.verdict[0] == "fail":
            self.verdict = ("fail", self.verdict[1] + "\n" + text)
        else:
            self.verdict = ("fail", text)

    def record(self, test, outcome, text):
        self.counts[outcome] += 1
        if outcome == "fail" and self.failfast:
            self.stop()
        name = plain_name(test)
        cases = getattr(test, "cases", None) or 1
        if outcome == "fail":
            indented = "\n".join("    " + line for line in text.rstrip().splitlines())
            print(f"FAIL {self.stage} {name}\n{indented}", flush=True)
        elif outcome in ("skip", "unable"):
            print(f"{outcome.upper()} {self.stage} {name}: {text}", flush=True)
        elif self.verbose:
            print(f"ok   {self.stage} {name} ({time.monotonic() - self.started:.1f} s)", flush=True)
        if self.path:
            with open(self.path, "a", encoding="utf-8") as file:
                file.write(f"{self.stage}\t{name}\t{outcome}\t{cases}\n")
        self.verdict = None


def tests_in(suite):
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            yield from tests_in(item)
        else:
            yield item


def load(paths):
    """All tests of the folders and files; the file names must differ, they become modules."""
    for path in paths:
        folder = folder_of(path)
        pattern = os.path.basename(path) if os.path.isfile(path) else "test_*.py"
        # A new loader each time: one loader insists on a single top-level folder.
        yield from tests_in(unittest.TestLoader().discover(folder, pattern, folder))


def folder_of(path):
    path = os.path.abspath(path)
    return os.path.dirname(path) if os.path.isfile(path) else path


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stage", help="stage name in the results (default: the first folder)")
    parser.add_argument("--list", action="store_true", help="print the names and stop")
    parser.add_argument("--failfast", action="store_true", help="stop at the first failure")
    parser.add_argument("-v", "--verbose", action="store_true", help="a line for passed tests too")
    parser.add_argument("what", nargs="+", help="folders, files, and name filters")
    return parser.parse_args()


def main():
    args = arguments()
    paths = [item for item in args.what if os.path.exists(item)]
    filters = [item for item in args.what if not os.path.exists(item)]
    if not paths:
        print("run.py: none of the arguments is a folder or a file", file=sys.stderr)
        return 1
    tests = [t for t in load(paths)
             if not filters or any(word in plain_name(t) for word in filters)]
    if args.list:
        print("\n".join(plain_name(test) for test in tests))
        return 0
    names = [plain_name(test) for test in tests]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        print("run.py: these names stand for several tests: " + ", ".join(sorted(twice)))
        return 1
    stage = args.stage or os.path.basename(folder_of(paths[0]))
    results = Results(stage, args.verbose)
    results.failfast = args.failfast
    unittest.TestSuite(tests).run(results)
    print("{ok} passed, {fail} failed, {skip} skipped, {unable} unable".format(**results.counts), flush=True)
    return 1 if results.counts["fail"] or not sum(results.counts.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
