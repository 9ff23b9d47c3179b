#!/usr/bin/env python3
"""Line coverage, by gcov, of what the unit tests ran.

usage: coverage.py BUILD PERCENT FOLDER...
Prints each file of the folders and the lines that were not run; exit code 1 if a folder's share is
below PERCENT.
"""

import gzip
import json
import os
import subprocess
import sys
import tempfile


def lines_of(build, folder):
    """file -> {line: times run}"""
    files = {}
    notes = os.path.join(build, folder)
    with tempfile.TemporaryDirectory() as place:
        names = [os.path.abspath(os.path.join(notes, n))
                 for n in os.listdir(notes) if n.endswith(".gcno")]
        subprocess.run(["gcov", "--json-format", *names], cwd=place, check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for name in os.listdir(place):
            with gzip.open(os.path.join(place, name)) as report:
                for entry in json.load(report)["files"]:
                    if not entry["file"].startswith(folder + "/"):
                        continue
                    lines = files.setdefault(entry["file"], {})
                    for line in entry["lines"]:
                        number = line["line_number"]
                        lines[number] = lines.get(number, 0) + line["count"]
    return files


def report(name, outcome, count):
    path = os.environ.get("POP3_RESULTS")
    if path:
        with open(path, "a", encoding="utf-8") as results:
            results.write(f"coverage\t{name}\t{outcome}\t{count}\n")


def main():
    build, percent = sys.argv[1], float(sys.argv[2])
    low = False
    for folder in sys.argv[3:]:
        total = run = 0
        for name, lines in sorted(lines_of(build, folder).items()):
            missed = sorted(number for number, count in lines.items() if count == 0)
            total += len(lines)
            run += len(lines) - len(missed)
            print(f"{100 * (len(lines) - len(missed)) / max(len(lines), 1):6.1f} % {name}"
                  + (f"  not run: {missed}" if missed else ""))
        share = 100 * run / max(total, 1)
        enough = total > 0 and share >= percent
        low = low or not enough
        print(f"{share:6.1f} % {folder}: {run} of {total} lines")
        report(f"lines_of_{folder.replace('/', '_')}_are_covered", "ok" if enough else "fail", run)
    return 1 if low else 0


if __name__ == "__main__":
    sys.exit(main())
