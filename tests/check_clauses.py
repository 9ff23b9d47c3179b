#!/usr/bin/env python3
"""Checks tests/clauses.tsv: every clause that is met or relaxed names tests, and each of them
exists, ran and passed.

usage: check_clauses.py RESULTS     the file that the runners wrote (POP3_RESULTS)
       check_clauses.py --exists    only that the tests exist, from their sources

Prints one line: how many clauses of each RFC, how many tests. Exit code 1 if something is missing.
"""

import collections
import glob
import os
import re
import sys

TESTS = os.path.dirname(os.path.abspath(__file__))
CLAUSES = os.path.join(TESTS, "clauses.tsv")
COLUMNS = ("rfc", "section", "word", "clause", "status", "how", "tests")
STATUSES = ("met", "relaxed", "not applicable")
RFCS = ("1939", "2449", "2595", "3206", "5034", "5246", "5802", "6856", "7301", "7628", "7677", "8314",
        "8446", "9266")

Clause = collections.namedtuple("Clause", ("line",) + COLUMNS)


def read_clauses(path=CLAUSES):
    """All clauses and what is wrong with the file itself."""
    clauses, problems = [], []
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if line.startswith("#") or not line.strip():
                continue
            fields = line.rstrip("\n").split("\t")
            if len(fields) != len(COLUMNS):
                problems.append(f"clauses.tsv:{number}: {len(fields)} columns, not {len(COLUMNS)}")
                continue
            clause = Clause(number, *fields)
            problems += [f"clauses.tsv:{number}: {text}" for text in faults(clause)]
            clauses.append(clause)
    for rfc in RFCS:
        if not any(clause.rfc == rfc for clause in clauses):
            problems.append(f"clauses.tsv: no clause of RFC {rfc}")
    return clauses, problems


def faults(clause):
    """What is wrong with one clause."""
    if clause.rfc not in RFCS:
        yield f"RFC {clause.rfc}?"
    if clause.status not in STATUSES:
        yield f"status {clause.status!r}?"
    if clause.status == "not applicable":
        if clause.tests != "-":
            yield "not applicable, but it names tests"
    elif not names(clause):
        yield "it names no test"
    if clause.status != "met" and not clause.how:
        yield f"{clause.status}, but not why"


def names(clause):
    return [] if clause.tests == "-" else clause.tests.split()


def existing():
    """The names of all tests in the sources: scripts, Python methods, CUnit tables."""
    found = {os.path.splitext(os.path.basename(path))[0]
             for path in glob.glob(os.path.join(TESTS, "protocol", "scripts", "*.pop3"))}
    for pattern, expression in (("**/test_*.py", r"^    def test_(\w+)\("),
                                ("unit/*.c", r"\bTEST\((\w+)\)")):
        for path in glob.glob(os.path.join(TESTS, pattern), recursive=True):
            with open(path, encoding="utf-8") as file:
                found.update(re.findall(expression, file.read(), re.M))
    return found


def results(path):
    """Outcomes by test name: a test may run in several stages."""
    outcomes = collections.defaultdict(set)
    with open(path, encoding="utf-8") as file:
        for line in file:
            fields = line.rstrip("\n").split("\t")
            if len(fields) == 4:
                outcomes[fields[1]].add(fields[2])
    return outcomes


def judge(clauses, verdict):
    """Problems of the tests named; verdict(name) is a text, or None if all is well."""
    for clause in clauses:
        for name in names(clause):
            text = verdict(name)
            if text:
                yield f"clauses.tsv:{clause.line}: RFC {clause.rfc} {clause.section}: {name} {text}"


def report(clauses, problems):
    """A line for the summary, if there is a results file."""
    path = os.environ.get("POP3_RESULTS")
    if path:
        with open(path, "a", encoding="utf-8") as file:
            file.write(f"clauses\tevery_clause_has_a_test_that_passed\t"
                       f"{'fail' if problems else 'ok'}\t{len(clauses)}\n")


def main():
    if len(sys.argv) != 2 or sys.argv[1] in ("-h", "--help"):
        print(__doc__.strip(), file=sys.stderr)
        return 64
    clauses, problems = read_clauses()
    known = existing()
    problems += judge(clauses, lambda name: None if name in known else "does not exist")
    if sys.argv[1] != "--exists":
        try:
            outcomes = results(sys.argv[1])
        except OSError as error:
            print(f"check_clauses.py: {error}", file=sys.stderr)
            return 1

        def ran(name):
            if name not in known:
                return None  # said already
            if name not in outcomes:
                return "did not run"
            bad = outcomes[name] - {"ok"}
            said = {"skip": "was skipped", "fail": "failed", "unable": "cannot be run here"}
            return said[min(bad)] if bad else None
        problems += judge(clauses, ran)
    for problem in problems:
        print(problem, file=sys.stderr)
    report(clauses, problems)
    counts = ", ".join(f"RFC {rfc}: {sum(c.rfc == rfc for c in clauses)}" for rfc in RFCS)
    tests = {name for clause in clauses for name in names(clause)}
    print(f"{len(clauses)} clauses ({counts}), {len(tests)} tests named, "
          f"{len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
