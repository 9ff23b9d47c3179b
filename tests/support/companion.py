"""A process that a test has beside its server: it says that it is ready, does what it is for until
its stdin is closed, and says then what it has found."""

import select
import subprocess
import threading

from support.wire import GUARD


def start(case, *command, says="ready", guard=GUARD):
    """The process, which has said so within that time; it is gone after the test."""
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def end():
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()
    case.addCleanup(end)
    case.assertTrue(select.select([process.stdout], [], [], guard)[0], "hang: it says nothing")
    case.assertEqual(process.stdout.readline(), says + "\n")
    return process


def finish(case, process):
    """Ends it: the lines of what it found."""
    guard = threading.Timer(GUARD, process.kill)
    guard.start()
    process.stdin.close()
    text = process.stdout.read()
    process.wait()
    guard.cancel()
    case.assertEqual(process.returncode, 0)
    return text.splitlines()
