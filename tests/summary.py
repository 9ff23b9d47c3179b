#!/usr/bin/env python3
"""Says what the results file proves: one line for each point of points.tsv, what ran and how many
cases, then what did not run. Exit code 1 if anything failed, was skipped, or did not run; what this
machine cannot run is told with the rest, but is no failure.

usage: summary.py RESULTS POINTS [--only]
--only: just some stages were asked for; the points that lack stages are not an error.
"""

import collections
import sys


def read_results(path):
    """stage -> list of (test, outcome, count)"""
    stages = collections.defaultdict(list)
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            stage, test, outcome, count = line.rstrip("\n").split("\t")
            stages[stage].append((test, outcome, int(count)))
    return stages


def read_points(path):
    """(point, title, stages)"""
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            if line.strip() and not line.startswith("#"):
                point, title, stages = line.rstrip("\n").split("\t")
                yield point, title, stages.split()


def ran(tests):
    return [test for test in tests if test[1] in ("ok", "fail")]


def describe(stage, tests):
    cases = sum(count for _, _, count in tests)
    text = f"{stage} {len(tests)}"
    return text if cases == len(tests) else f"{text} ({cases:,} cases)"


def main():
    only = "--only" in sys.argv
    results_path, points_path = [a for a in sys.argv[1:] if a != "--only"]
    results = read_results(results_path)
    not_run, failed, unable = [], [], []
    print()
    for point, title, stages in read_points(points_path):
        missing = [stage for stage in stages if not results[stage]]
        shown = [describe(stage, ran(results[stage])) for stage in stages if ran(results[stage])]
        print(f"{point}. {title}: {', '.join(shown) or 'nothing'}")
        not_run += [] if only else [f"{point}: {stage}" for stage in missing]
    for stage, tests in results.items():
        not_run += [f"{stage}: {test}" for test, outcome, _ in tests if outcome == "skip"]
        failed += [f"{stage}: {test}" for test, outcome, _ in tests if outcome == "fail"]
        unable += [f"{stage}: {test}" for test, outcome, _ in tests if outcome == "unable"]
    for title, names in (("failed", failed), ("not run", not_run),
                         ("cannot be run on this machine", unable)):
        print(f"{title}: {'nothing' if not names else ''}")
        for name in names:
            print(f"  {name}")
    tests = [entry for stage in results.values() for entry in stage]
    passed = sum(outcome == "ok" for _, outcome, _ in tests)
    skipped = sum(outcome == "skip" for _, outcome, _ in tests)
    print(f"{passed} passed, {len(failed)} failed, {skipped} skipped, {len(unable)} unable")
    return 1 if failed or not_run or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
