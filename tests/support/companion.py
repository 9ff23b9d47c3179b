"""A process that a test has beside its server: it says that it is ready, does what it is for until
its stdin is closed, and says then what it has found."""

import subprocess

from support.wire import GUARD


def start(case, *command, says="ready"):
    """The process, which has said so; it is gone after the test."""
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def end():
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()
    case.addCleanup(end)
    case.assertEqual(process.stdout.readline(), says + "\n")
    return process


def finish(case, process):
    """Ends it: the lines of what it found."""
    process.stdin.close()
    lines = process.stdout.read().splitlines()
    case.assertEqual(process.wait(GUARD), 0)
    return lines
