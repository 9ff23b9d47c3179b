"""A process that a test has beside its server: it says that it is ready, does what it is for until
its stdin is closed, and says then what it has found."""

import select
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
    case.assertTrue(select.select([process.stdout], [], [], GUARD)[0], "hang: it says nothing")
    case.assertEqual(process.stdout.readline(), says + "\n")
    return process


def finish(case, process):
    """Ends it: the lines of what it found."""
    text, _ = process.communicate(timeout=GUARD)
    case.assertEqual(process.returncode, 0)
    return text.splitlines()
