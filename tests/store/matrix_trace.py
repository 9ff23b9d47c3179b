"""Scenarios under strace(1), without the shim: which calls there are, and the same faults."""

import collections
import os
import re
import select
import signal
import subprocess
import time

from matrix_places import is_below, place_of
from matrix_shim import Record
from support.wire import GUARD

Call = collections.namedtuple("Call", "thread name path injected")

LINE = re.compile(r"(\d+) +([a-z_0-9]+)\((.*)")
# A descriptor with its path, then perhaps a name in that directory; or a path alone.
PLACE = re.compile(r'(?:(?:\d+|AT_FDCWD)<(?P<folder>[^>]*)>(?P<gone>\(deleted\))?(?:, )?)?'
                   r'(?:"(?P<name>(?:[^"\\]|\\.)*)")?')
# Of calls with two names the new one counts, as in the shim.
TWO_NAMES = {"renameat", "renameat2", "linkat", "rename", "link"}
# What follows the descriptor is data.
WITH_DATA = {"read", "pread64", "write", "pwrite64", "sendto", "recvfrom"}
# Reads of /proc by the C library, and the program's own start, are none of the store.
NOT_OF_THE_STORE = {"execve", "readlink", "readlinkat"}


def joined(folder, name):
    if name is None or name == "":
        return folder
    return name if name.startswith("/") else f"{folder}/{name}"


def paths_in(name, arguments):
    """The paths a call is about, by its arguments as strace shows them."""
    arguments = arguments.split(" = ")[0]
    found = []
    for match in PLACE.finditer(arguments):
        folder, text = match.group("folder"), match.group("name")
        if folder is None and (text is None or not text.startswith("/")):
            continue
        if folder is None:
            found.append(text)
            continue
        if match.group("gone"):
            folder += " (deleted)"
        found.append(folder if name in WITH_DATA else joined(folder, text))
    if name in TWO_NAMES:
        return found[1:2]
    return found[:1]


def parse(text):
    """All calls of a trace, in order."""
    for line in text.splitlines():
        match = LINE.match(line)
        if match:
            thread, name, arguments = match.groups()
            paths = paths_in(name, arguments)
            yield Call(int(thread), name, paths[0] if paths else "", "(INJECTED)" in arguments)


class Tracer:
    """strace on a server or one thread of it, or on a delivery. inject: its expression."""

    def __init__(self, folder, inject=None, thread=None):
        self.output = os.path.join(folder, "trace")
        self.thread = thread
        self.words = ["strace", "-y", "-s", "400", "-o", self.output]
        # With one process alone strace leaves the number out.
        self.words += [] if thread else ["-f"]
        self.words += ["-e", f"inject={inject}"] if inject else []
        self.process = None

    def attach(self, pid):
        self.process = subprocess.Popen([*self.words, "-p", str(self.thread or pid)],
                                        stderr=subprocess.PIPE)
        threads = 1 if self.thread else len(os.listdir(f"/proc/{pid}/task"))
        text = b""
        end = time.monotonic() + GUARD
        while b" attached" not in text or (threads > 1 and b"threads" not in text):
            if not select.select([self.process.stderr], [], [], end - time.monotonic())[0]:
                raise AssertionError(f"strace does not attach: {text}")
            data = os.read(self.process.stderr.fileno(), 4096)
            if not data:
                raise AssertionError(f"strace has ended: {text}")
            text += data

    def detach(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(GUARD)
        self.process.stderr.close()

    def calls(self):
        with open(self.output, encoding="utf-8", errors="surrogateescape") as file:
            text = file.read()
        if self.thread:
            text = re.sub("^", f"{self.thread} ", text, flags=re.MULTILINE)
        return list(parse(text))


def traced_run(host, box, scenario, inject=None, thread=None):
    """(outcome, all calls of the armed command, or of the delivery)"""
    tracer = Tracer(host.server.folder, inject, thread)
    if scenario.is_delivery():
        return host.delivery(box, scenario, None, tracer.words), tracer.calls()

    class Traced(host.__class__):
        alone = True  # strace cannot tell calls of the witness's from those of the session's

        def arm(self, *what):
            super().arm(*what)
            tracer.attach(self.server.pid)

        def disarm(self):
            tracer.detach()
            return super().disarm()

    traced = Traced(host.server, host.library, host.shim)
    traced.witness, traced.indexes = host.witness, host.indexes
    return traced.run(box, scenario), tracer.calls()


def is_of_store(call, host, box):
    return call.name not in NOT_OF_THE_STORE and \
        any(is_below(call.path, path) for path in host.watched(box))


def rows(host, box, scenario):
    """What the matrix must have a row for: (call, place)."""
    _, calls = traced_run(host, box, scenario)
    return {(call.name, place_of(call.path, box, host.indexes)) for call in calls
            if is_of_store(call, host, box)}


# ---- Injecting

def position(calls, box, host, fault):
    """Where strace has to inject a fault: (thread, which of that thread's calls of the name)."""
    counts = collections.Counter()
    number = 0
    for call in calls:
        if call.name != fault.call:
            continue
        counts[call.thread] += 1
        if is_of_store(call, host, box):
            number += 1
            if number == fault.number:
                return call.thread, counts[call.thread]
    return None


def injected_run(host, box, case, where):
    """The outcome with the fault made by strace; its records are the calls that it injected."""
    thread, number = where
    outcome, calls = traced_run(host, box, case.scenario,
                                f"{case.fault.call}:error={case.fault.what}:when={number}",
                                None if case.scenario.is_delivery() else thread)
    outcome.records = [Record(call.name, -case.fault.code(), True, False, call.path)
                       for call in calls if call.injected]
    outcome.hits = len(outcome.records)
    return outcome
