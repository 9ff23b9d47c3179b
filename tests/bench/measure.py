"""Single measurements: a run of the load generator, the memory of processes, the time to start.

Every function returns plain numbers, or raises BenchError when the run is void.
"""

import os
import signal
import socket
import subprocess
import time

from servers import PASSWORD, BenchError, undisturbed

HANG_SECONDS = 180  # beyond the time that a run was asked to take

LOGIN_CLIENTS_MAX = 64
STALL_REPLIES = 1000
NOOP_COUNT = 4000
NOOP_FEW = 10
FLOOD_CLIENTS = 200


def pairs(line):
    """`a=1 b=2` -> {"a": 1, "b": 2}"""
    return {key: int(value) for key, value in (word.split("=") for word in line.split())}


class Loadgen:
    """Runs the load generator against one server."""

    def __init__(self, program):
        self.program = program
        self.running = None

    def launch(self, server, mode, **options):
        options = {"port": server.port, "password": PASSWORD, **options}
        command = [self.program, mode] + [f"{key}={value}" for key, value in options.items()]
        with undisturbed():
            self.running = subprocess.Popen(command, stdin=subprocess.PIPE,
                                            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                            start_new_session=True)
        return self.running

    def finish(self, server, mode, seconds):
        """Waits for the end; the lines it printed, as dictionaries."""
        try:
            out, err = self.running.communicate(b"\n", timeout=seconds + HANG_SECONDS)
        except subprocess.TimeoutExpired:
            raise BenchError(f"{mode} on {server.name} hangs\n{server.tail()}") from None
        finally:
            self.stop()
        if self.status != 0:
            raise BenchError(f"{mode} on {server.name} failed:\n{err.decode()}{server.tail()}")
        return [pairs(line) for line in out.decode().splitlines()]

    def run(self, server, mode, **options):
        self.launch(server, mode, **options)
        return self.finish(server, mode, options.get("milliseconds", 0) / 1000)

    def stop(self):
        if self.running is None:
            return
        if self.running.poll() is None:
            self.running.send_signal(signal.SIGKILL)
        self.status = self.running.wait()
        for pipe in (self.running.stdin, self.running.stdout, self.running.stderr):
            pipe.close()
        self.running = None


def logins(loadgen, server, clients, users, seconds, **options):
    """Sessions a second. options: for the load generator, as server.secure() has them."""
    result, = loadgen.run(server, "logins", prefix="login", users=users, clients=clients,
                          milliseconds=int(seconds * 1000), **options)
    return result["sessions"] * 1e9 / result["nanoseconds"]


def retr(loadgen, server, box, pipelined, seconds, **options):
    """MB/s of message octets, after the check that each session got exactly this mailbox."""
    result, = loadgen.run(server, "retr", prefix=box.prefix, clients=box.users,
                          pipelined=int(pipelined), milliseconds=int(seconds * 1000), **options)
    got = (result["messages"], result["octets"])
    if got != (len(box.messages), box.octets()):
        raise BenchError(f"{server.name} sent {got[0]} messages, {got[1]} octets of {box.prefix}; "
                         f"on disk are {len(box.messages)} messages, {box.octets()} octets")
    return result["total_octets"] * 1e3 / result["nanoseconds"], got


def stall(loadgen, server):
    """Replies that took 35 ms or longer with delayed acknowledgements, and the slowest in ms."""
    result, = loadgen.run(server, "stall", prefix="mixed", count=STALL_REPLIES)
    return result["slow"], result["max"] / 1e6


def noop(loadgen, server, many, settle):
    """Median NOOP latency in microseconds among few idle sessions and among many."""
    few, among = loadgen.run(server, "noop", prefix="empty", few=NOOP_FEW, many=many,
                             count=NOOP_COUNT, settle=int(settle * 1000))
    return few["p50"] / 1e3, among["p50"] / 1e3


def cpu_nanoseconds(server):
    """What all threads of a server that still live have spent."""
    total = 0
    for pid in server.processes():
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as file:
                total += int(file.read().split()[0])
    return total


def handshake_cpu(loadgen, server, clients, users, seconds):
    """Connections that only greet and say QUIT: how many, and nanoseconds of CPU for them all."""
    before = cpu_nanoseconds(server)
    result, = loadgen.run(server, "handshakes", prefix="login", users=users, clients=clients,
                          milliseconds=int(seconds * 1000), **server.secure())
    return result["sessions"], cpu_nanoseconds(server) - before


def tickets(loadgen, server, clients, users, seconds):
    """How many tickets clients have offered, and how many of them the server has taken."""
    result, = loadgen.run(server, "logins", prefix="login", users=users, clients=clients,
                          milliseconds=int(seconds * 1000), resume=1, **server.secure())
    if result["offered"] == 0:
        raise BenchError(f"{server.name} gives no tickets")
    return result["offered"], result["resumed"]


def refused_cpu(loadgen, server, count):
    """Milliseconds of CPU for a client whose groups are refused."""
    before = cpu_nanoseconds(server)
    loadgen.run(server, "refused", count=count, port=server.tls_port)
    return (cpu_nanoseconds(server) - before) / 1e6 / count


def flood(loadgen, second, server, users, seconds, clients=FLOOD_CLIENTS):
    """What the load generator says of one who looks on and one who logs in, while so many
    clients have wrong passwords, and how many of these were answered; see load_flood.c."""
    beside = loadgen.launch(server, "beside", prefix="flood", count=int(seconds * 1000))
    if not beside.stdout.readline():
        loadgen.finish(server, "beside", 0)
    crowd = second.launch(server, "flood", prefix="flood", users=users, clients=clients)
    try:
        if not crowd.stdout.readline():
            second.finish(server, "flood", 0)
        seen, = loadgen.finish(server, "beside", seconds)
        answered, = second.finish(server, "flood", 0)
    finally:
        second.stop()
    return seen, answered["wrong"]


def sections(server, name):
    """The lines of that file in /proc of each process of a server, split into words."""
    for pid in server.processes():
        try:
            with open(f"/proc/{pid}/{name}", encoding="utf-8", errors="replace") as file:
                yield [line.split() for line in file]
        except (FileNotFoundError, ProcessLookupError):
            continue
        except PermissionError:
            raise BenchError(f"may not read the memory of process {pid}; run as root") from None


def anonymous_memory(server):
    """KiB of anonymous memory of all processes of a server."""
    return sum(int(words[1]) for lines in sections(server, "smaps_rollup") for words in lines
               if words[0] == "Anonymous:")


def private_of(lines):
    """KiB of private memory that a process's smaps shows, without the clean pages of programs and
    libraries: those are private or shared as other programs come and go."""
    code, clean, total = set(), [], 0
    path = ""
    for words in lines:
        if words[0] == "Private_Dirty:":
            total += int(words[1])
        elif words[0] == "Private_Clean:":
            clean.append((path, int(words[1])))
        elif not words[0].endswith(":"):
            path = words[5] if len(words) > 5 else ""
            if "x" in words[1] and path.startswith("/"):
                code.add(path)
    return total + sum(size for path, size in clean if path not in code)


def private_memory(server):
    """KiB of private memory of all processes of a server."""
    return sum(private_of(lines) for lines in sections(server, "smaps"))


def growth(loadgen, server, settle, mode, **options):
    """KiB of private memory that a server gains by the sessions that a mode holds open, and what
    that mode prints once they are."""
    time.sleep(settle)
    before = private_memory(server)
    process = loadgen.launch(server, mode, **options)
    line = process.stdout.readline().decode()
    if not line:
        loadgen.finish(server, mode, 0)
        raise BenchError(f"{mode} on {server.name} says nothing")
    time.sleep(settle)
    after = private_memory(server)
    loadgen.finish(server, mode, 0)
    return after - before, pairs(line)


def idle_memory(loadgen, server, sessions, settle, **options):
    """KiB of private memory that one idle logged-in session adds, on a fresh server."""
    loadgen.run(server, "idle", prefix="idle", users=1, **options)
    gained, _ = growth(loadgen, server, settle, "idle", prefix="idle", users=sessions, **options)
    return gained / sessions


def start_memory(loadgen, server):
    """KiB of anonymous memory of a server that has served one session and is idle."""
    loadgen.run(server, "idle", prefix="idle", users=1)
    time.sleep(0.3)
    return anonymous_memory(server)


def exec_to_greeting(server):
    """Milliseconds from exec to the first greeting; the server is stopped again."""
    server.prepare()
    start = time.monotonic()
    server.launch()
    try:
        server.wait_ready()
        with socket.create_connection(("127.0.0.1", server.port), 10) as peer:
            greeting = peer.recv(512)
        taken = time.monotonic() - start
    finally:
        server.stop()
    if not greeting.startswith(b"+OK"):
        raise BenchError(f"{server.name} greets with {greeting!r}")
    return taken * 1000


def check_large(server, box, result):
    if (result["messages"], result["octets"]) != (box.count(), box.octets()):
        raise BenchError(f"{server.name} says {result['messages']} messages, {result['octets']} "
                         f"octets; on disk are {box.count()}, {box.octets()} octets")


def large(loadgen, server, box):
    """Milliseconds of PASS + STAT, of LIST and of UIDL in one session; see load_large.c."""
    result, = loadgen.run(server, "large", prefix=box.prefix)
    check_large(server, box, result)
    return [result[name] / 1e6 for name in ("login", "list", "uidl")]


def delete(loadgen, server, box, count):
    """Milliseconds from the first DELE to the reply to QUIT; see load_large.c."""
    result, = loadgen.run(server, "delete", prefix=box.prefix, count=count)
    check_large(server, box, result)
    return result["quit"] / 1e6


def meanwhile(loadgen, server, box, seconds):
    """What a session's NOOPs take on a server that is idle for so long, and during a login; see
    load_meanwhile.c."""
    result, = loadgen.run(server, "meanwhile", prefix=box.prefix, count=int(seconds * 1000))
    return result


def large_memory(loadgen, server, box, settle):
    """Octets that an open session adds for each message, its unique-id not counted, once it has
    done LIST and UIDL. A session before it has fetched one long message, so that the buffers that
    a server keeps for whoever needs them next are there already."""
    loadgen.run(server, "retr", prefix=box.prefix, clients=1, milliseconds=0)
    gained, result = growth(loadgen, server, settle, "large", prefix=box.prefix)
    check_large(server, box, result)
    return (gained * 1024 - result["id_octets"]) / result["messages"]
