"""Killing a process on entry to one system call: the calls are found by tracing a first run, then
each is the last thing of another run. strace(1) does both."""

import collections
import re
import select
import subprocess

from support.wire import GUARD

# The nth call of that name in the first thread, or in another one: strace counts the calls of each
# thread apart. Should two others come to it, it is where one of them does first.
Point = collections.namedtuple("Point", "first call nth text")

LINE = re.compile(r"(\d+) +(\w+)\((.*)")
# The end of a call during which strace wrote lines of other threads.
RESUMED = re.compile(r"(\d+) +<\.\.\. \w+ resumed>(.*)")


def points(path, pid=None):
    """The calls in a file of strace -f, in order. pid: of the process, which is its first thread;
    None: it is the one that begins."""
    nth = collections.Counter()
    found = []
    last = {}
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            match = RESUMED.match(line)
            if match and match[1] in last:
                begun = found[last[match[1]]]
                found[last[match[1]]] = begun._replace(text=begun.text + match[2].rstrip())
            match = LINE.match(line)
            if not match:
                continue  # the end of a call, a signal
            task, call, rest = match[1], match[2], match[3].rstrip()
            pid = pid or task
            nth[task, call] += 1
            last[task] = len(found)
            found.append(Point(task == str(pid), call, nth[task, call], rest))
    return found


def between(found, first, last):
    """The points after the one that matches `first`, up to the one that matches `last`."""
    lines = [f"{point.call}({point.text}" for point in found]
    begin = next(i for i, line in enumerate(lines) if re.search(first, line))
    end = next(i for i, line in enumerate(lines) if i > begin and re.search(last, line))
    return found[begin + 1:end + 1]


def unsynced(found):
    """Folders in which something was deleted or moved, and that were not synced after that."""
    changed = set()
    for point in found:
        folders = re.findall(r"\d+<(/[^>]*)>", point.text)
        if point.call in ("unlinkat", "renameat2"):
            changed.update(folders)
        elif point.call == "fsync":
            changed.difference_update(folders)
    return changed


def injection(point):
    return ["-e", f"trace={point.call}", "-e",
            f"inject={point.call}:signal=KILL:when={point.nth}"]


class Attached:
    """strace on a process that runs already, during a `with` block; with a point it is killed
    there."""

    def __init__(self, pid, path, point=None):
        what = [] if point and point.first else ["-f"]
        what += injection(point) if point else []
        self.command = ["strace", "-y", "-o", path, *what, "-p", str(pid)]
        self.point = point

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stderr=subprocess.PIPE)
        line = b"hangs"
        if select.select([self.process.stderr], [], [], GUARD)[0]:
            line = self.process.stderr.readline()
        if b"attached" not in line:
            self.__exit__()
            raise AssertionError(f"strace: {line}")
        return self

    def __exit__(self, *_):
        # One whose threads were killed under it may wait for them in vain, and not heed SIGTERM.
        if self.point:
            self.process.kill()
        else:
            self.process.terminate()
        self.process.wait(GUARD)
        self.process.stderr.close()


def traced(command, path, data, env, point=None):
    """Runs a command under strace: its exit code, negative if a signal ended it. data: its input.
    The trace goes to path."""
    what = injection(point) if point else []
    done = subprocess.run(["strace", "-o", path, "-f", *what, *command], input=data, env=env,
                          capture_output=True, check=False)
    return done.returncode
