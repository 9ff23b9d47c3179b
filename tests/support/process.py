"""Other servers that a test or the bench starts: found ready, and stopped by process id with all
their children."""

import contextlib
import os
import signal
import socket
import subprocess
import time

START_SECONDS = 20
STOP_SECONDS = 15


class ServerError(Exception):
    """Not a slow server or one that answers wrongly, but one that does not run."""


def process_table():
    """pid -> (parent, start time)."""
    table = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", encoding="latin-1") as file:
                fields = file.read().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] != "Z":
            table[int(name)] = (int(fields[1]), fields[19])
    return table


def descendants(root):
    """pid -> start time, of root and everything below it."""
    table = process_table()
    found = {}
    todo = [root]
    while todo:
        pid = todo.pop()
        if pid in table and pid not in found:
            found[pid] = table[pid][1]
            todo += [child for child, (parent, _) in table.items() if parent == pid]
    return found


def free_port():
    """For a server that cannot choose one itself."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def undisturbed():
    """Holds SIGINT, SIGTERM and SIGHUP back until the block is over: a signal between the start
    of a process and the note of its id would leave that process behind."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    late = []
    handlers = {number: signal.signal(number, lambda number, frame: late.append(number))
                for number in numbers}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    if late:
        os.kill(os.getpid(), late[0])


class ServerProcess:
    """One server process and its children; the log goes to a file beside its mail."""

    name = "server"

    def __init__(self, folder):
        self.folder = folder
        self.process = None
        self.port = None
        self.log = os.path.join(folder, f"{self.name}.log")

    def command(self):
        raise NotImplementedError

    def prepare(self):
        """Writes what command() needs; called before each start."""

    def launch(self):
        """Starts the process; the time that it took to be reachable is not included."""
        with open(self.log, "ab") as log, undisturbed():
            self.process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log,
                start_new_session=True, cwd="/")

    def wait_ready(self):
        """Until the ready line: `listening pop3 127.0.0.1:PORT`."""
        line = self.process.stdout.readline().decode()
        if not line.startswith("listening pop3 127.0.0.1:"):
            raise ServerError(f"{self.name} did not start: {line.strip()!r}\n{self.tail()}")
        self.port = int(line.rpartition(":")[2])

    def wait_greeting(self, greeting):
        """For one that prints nothing: until its port greets."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                with socket.create_connection(("127.0.0.1", self.port), 5) as peer:
                    if peer.recv(512).startswith(greeting):
                        return
            except OSError:
                time.sleep(0.02)
        raise ServerError(f"{self.name} did not start\n{self.tail()}")

    def start(self):
        self.prepare()
        self.launch()
        self.wait_ready()
        return self

    def tail(self):
        try:
            with open(self.log, encoding="utf-8", errors="replace") as file:
                return "".join(file.readlines()[-10:])
        except OSError:
            return ""

    def processes(self):
        return descendants(self.process.pid)

    def stop(self):
        """Ends the process and, by their ids, all children that outlive it."""
        if self.process is None:
            return
        family = self.processes()
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.process = None
        deadline = time.monotonic() + 2
        while time.monotonic() < deadline and self.survivors(family):
            time.sleep(0.02)
        for pid in self.survivors(family):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

    @staticmethod
    def survivors(family):
        table = process_table()
        return [pid for pid, start in family.items() if pid in table and table[pid][1] == start]
