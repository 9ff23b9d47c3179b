"""`make bench`: this server and Dovecot, in turn, over equal Maildirs; a table and a verdict.

    BENCH_ROUNDS=7     rounds; each measures both servers, in alternating order
    BENCH_SECONDS=2    of one measurement
    BENCH_IDLE=1000    sessions whose memory is compared
    BENCH_MESSAGES=100000  in the large maildrop
    BENCH_TRAFFIC=30   seconds of deliveries
    BENCH_ONLY=a,b     only those rows (the names that --list prints)
    BENCH_JUDGE=no     print the table, and fail only if mail is lost or a measurement is void
    BENCH_DIR, BENCH_TMPFS=yes   where the maildrops lie; see place.py
    BENCH_USER=nobody  who reads them, when started as root
    BENCH_OURS=emitter who is measured; `dovecot` compares it with itself, to see the noise

Exit status: 0 every bar reached, 1 some are not, 2 a measurement is void.
"""

import os
import signal
import sys

import measure
import place
import readers
from large import Large, deleted_of
from mailboxes import (EMPTY_USERS, IDLE_USERS, LOGIN_USERS, LargeMailbox, all_mailboxes,
                       write_tree)
from report import Row, passed, table, write_results
from rows import MAILBOXES, ROWS
from secure import Secure
from servers import (BenchError, Dovecot, Emitter, PollServer, SecureDovecot, TlsServer, all_names,
                     undisturbed)

STARTS = 20        # for exec to first greeting
SINGLE_RUNS = 3    # of what is not a rate
SETTLE_SECONDS = 2.0
FAULTS_SHOWN = 20


class Stop(Exception):
    """A signal asks for the end."""


class Bench:
    """The servers, the mail and the rows of one run."""

    def __init__(self):
        self.build = os.path.abspath(os.environ.get("BUILD", "build"))
        self.rounds = int(os.environ.get("BENCH_ROUNDS", "7"))
        self.seconds = float(os.environ.get("BENCH_SECONDS", "2"))
        self.idle = min(IDLE_USERS, int(os.environ.get("BENCH_IDLE", IDLE_USERS)))
        self.messages = int(os.environ.get("BENCH_MESSAGES", "100000"))
        self.traffic_seconds = float(os.environ.get("BENCH_TRAFFIC", "30"))
        self.judge = os.environ.get("BENCH_JUDGE", "yes") != "no"
        self.kind = os.environ.get("BENCH_OURS", "emitter")
        self.settle = min(SETTLE_SECONDS, self.seconds)
        self.rows = self.wanted_rows()
        for row in self.rows:
            row.title = row.title.format(n=f"{self.messages:,}", rate=readers.RATE,
                                         deleted=f"{deleted_of(self.messages):,}",
                                         flood=measure.FLOOD_CLIENTS)
        self.loadgen = measure.Loadgen(os.path.join(self.build, "loadgen"))
        self.servers = []
        self.folder = None
        self.counts = {}

    def wanted_rows(self):
        only = os.environ.get("BENCH_ONLY")
        if not only:
            return list(ROWS)
        names = [name.strip() for name in only.split(",") if name.strip()]
        unknown = set(names) - {row.name for row in ROWS}
        if unknown:
            raise BenchError(f"BENCH_ONLY: no row {', '.join(sorted(unknown))}")
        return [row for row in ROWS if row.name in names]

    def row(self, name):
        return next((row for row in self.rows if row.name == name), None)

    # --- servers and mail

    def program(self, name):
        path = os.path.join(self.build, name)
        if not os.access(path, os.X_OK):
            raise BenchError(f"{path} is missing: make BUILD={self.build} all bench-tools")
        return path

    def emitter(self):
        return os.path.abspath(os.environ.get("POP3_EMITTER") or self.program("pop3-emitter"))

    def make_server(self, kind, folder, boxes, pair=None, **options):
        """pair: certificate and key, for a server that has TLS, too. options: of Emitter."""
        folder = os.path.join(self.folder, folder)
        os.makedirs(folder, exist_ok=True)
        if kind == "emitter":
            server = Emitter(folder, boxes, self.user, self.emitter(), pair, **options)
        elif kind == "dovecot" and pair:
            server = SecureDovecot(folder, all_names(boxes), self.user, pair)
        elif kind == "dovecot":
            server = Dovecot(folder, all_names(boxes), self.user)
        elif pair:
            server = TlsServer(folder, self.program("tlsserver"), pair)
        else:
            server = PollServer(folder, self.program("pollserver"))
        self.servers.append(server)
        return server

    def write_mail(self):
        """One tree for each server; returns the mailboxes."""
        prefixes = set()
        for row in self.rows:
            key = next(key for key in MAILBOXES if row.name.startswith(key))
            prefixes.add(MAILBOXES[key])
        boxes = all_mailboxes(prefixes)
        if "large" in prefixes:
            boxes["large"] = LargeMailbox(self.messages)
        for folder in ("ours", "dovecot"):
            root = os.path.join(self.folder, folder, "mail")
            os.makedirs(root)
            if os.geteuid() == 0:
                os.chown(root, self.user.pw_uid, self.user.pw_gid)
            with place.acting_as(self.user):
                write_tree(root, boxes)
        os.sync()
        return boxes

    def prepare(self):
        if not Dovecot.installed():
            raise BenchError("dovecot is missing: apt-get install dovecot-pop3d")
        if self.kind not in ("emitter", "dovecot", "poll"):
            raise BenchError("BENCH_OURS is emitter, dovecot or poll")
        self.program("loadgen")
        self.program("pollserver")
        self.program("tlsserver")
        if self.kind == "emitter":
            self.emitter()
        self.user = place.mail_user()
        descriptors = place.raise_descriptors()
        if self.row("noop_among_5000") and descriptors < 2 * EMPTY_USERS + 100:
            raise BenchError(f"{descriptors} descriptors are too few for 5,000 idle sessions")
        large = any(row.name.startswith("large") for row in self.rows)
        with undisturbed():
            self.folder = place.make_folder(self.build, self.messages if large else 0)
        kind, point, source = place.file_system(self.folder)
        print(f"maildrops in {self.folder}: {kind} ({source} on {point}), read as "
              f"{self.user.pw_name}; {os.cpu_count()} processors; {self.rounds} rounds, "
              f"{self.seconds:g} s each", flush=True)
        self.boxes = self.write_mail()

    # --- rows that compare

    def rate(self, name, server):
        """One measurement of a row that both servers have."""
        options = server.secure() if name.startswith("tls_") else {}
        if "logins" in name:
            clients = int(name.rpartition("_")[2])
            return measure.logins(self.loadgen, server, clients, LOGIN_USERS, self.seconds,
                                  **options)
        if name == "delayed_ack_stalls":
            slow, worst = measure.stall(self.loadgen, server)
            self.worst.setdefault(server, []).append(worst)
            return slow
        box = self.boxes["big" if name.endswith("retr_50_mb") else "mixed"]
        speed, got = measure.retr(self.loadgen, server, box, name.endswith("retr_pipelined"),
                                  self.seconds, **options)
        self.counts.setdefault(name, set()).add(got)
        return speed

    def one_round(self, number, rows, ours, dovecot):
        order = [ours, dovecot] if number % 2 == 0 else [dovecot, ours]
        for row in rows:
            for server in order:
                value = self.rate(row.name, server)
                (row.ours if server is ours else row.dovecot).append(value)

    def compare(self, rows, pair=None):
        """The alternating rounds, after one that is not measured; under TLS if there is a pair."""
        if not rows:
            return
        self.worst = {}
        self.counts = {}
        ours = self.make_server(self.kind, "ours", self.boxes, pair).start()
        dovecot = self.make_server("dovecot", "dovecot", self.boxes, pair).start()
        seconds, self.seconds = self.seconds, min(self.seconds, 0.5)
        for row in rows:
            for server in (ours, dovecot):
                self.rate(row.name, server)
        self.seconds = seconds
        self.worst = {}
        for number in range(self.rounds):
            self.one_round(number, rows, ours, dovecot)
            print(f"round {number + 1}: " + ", ".join(
                f"{row.name} {row.ours[-1]:.0f}/{row.dovecot[-1]:.0f}" for row in rows),
                flush=True)
        stalls = self.row("delayed_ack_stalls")
        if stalls in rows:
            stalls.note = (f"slowest reply {max(self.worst[ours]):.1f} ms, "
                           f"dovecot {max(self.worst[dovecot]):.1f} ms")
        self.check_counts()
        self.bound(rows, pair)
        ours.stop()
        dovecot.stop()

    def check_counts(self):
        """Both servers sent the same; measure.retr compared each with the disk already."""
        for name, seen in self.counts.items():
            if len(seen) != 1:
                raise BenchError(f"{name}: the servers sent different mail: {sorted(seen)}")
            messages, octets = next(iter(seen))
            print(f"{name}: both sent {messages} messages, {octets} octets a session")

    def bound(self, rows, pair):
        """What a server that only says +OK reaches: the most that the logins can show."""
        names = [row for row in rows if "logins" in row.name]
        if not names:
            return
        server = self.make_server("poll", "poll", {}, pair).start()
        for row in names:
            clients = row.name.rpartition("_")[2]
            bound = Row(row.name + "_bound", f"  bare {server.name}, {clients} at once", "/s",
                        information=True, digits=0, dovecot=row.dovecot)
            for _ in range(min(self.rounds, SINGLE_RUNS)):
                bound.ours.append(self.rate(row.name, server))
            self.rows.insert(self.rows.index(row) + 1, bound)
        server.stop()

    # --- rows of our server alone; each starts a fresh one

    def noop(self, row):
        pairs = []
        for _ in range(self.rounds):
            # A fresh one each time: the sessions of the round before would still be closing.
            server = self.make_server(self.kind, "ours", self.boxes).start()
            few, many = measure.noop(self.loadgen, server, EMPTY_USERS - 1, self.settle)
            server.stop()
            row.ours.append(many / few)
            pairs.append((few, many))
        few, many = sorted(pairs)[len(pairs) // 2]
        row.note = f"p50 {many:.0f} us among 5,000, {few:.0f} us among 10"

    def both_memory(self, row, value):
        """Ours, and once Dovecot's for information; each time of a fresh server."""
        servers = [(self.kind, "ours", row.ours)]
        if not row.dovecot:
            servers.append(("dovecot", "dovecot", row.dovecot))
        for kind, folder, values in servers:
            server = self.make_server(kind, folder, self.boxes).start()
            values.append(value(server))
            server.stop()

    def idle_memory(self, row):
        self.both_memory(row, lambda server: measure.idle_memory(
            self.loadgen, server, self.idle, self.settle))

    def start_memory(self, row):
        self.both_memory(row, lambda server: measure.start_memory(self.loadgen, server))

    def exec_to_greeting(self, row):
        for _ in range(STARTS):
            server = self.make_server(self.kind, "ours", self.boxes)
            row.ours.append(measure.exec_to_greeting(server))

    def alone(self):
        row = self.row("noop_among_5000")
        if row:
            self.noop(row)
        for name, action in (("idle_session_memory", self.idle_memory),
                             ("idle_server_memory", self.start_memory)):
            row = self.row(name)
            for _ in range(min(self.rounds, SINGLE_RUNS) if row else 0):
                action(row)
        row = self.row("exec_to_greeting")
        if row:
            self.exec_to_greeting(row)

    # --- rows with more to them

    def large(self):
        if "large" in self.boxes:
            Large(self, self.boxes["large"]).run()

    def traffic(self):
        row = self.row("traffic")
        if not row:
            return
        server = self.make_server("emitter", "ours", self.boxes).start()
        user, = self.boxes["traffic"].names()
        faults, row.note = readers.run(server, self.user, user, self.traffic_seconds)
        for fault in list(faults.values())[:FAULTS_SHOWN]:
            print(f"traffic: {fault}", flush=True)
        row.ours.append(len(faults))
        server.stop()

    # --- the run

    def run(self):
        self.prepare()
        self.compare([row for row in self.rows if not row.name.startswith("tls_") and
                      (row.at_least or row.name == "delayed_ack_stalls")])
        self.alone()
        Secure(self).run()
        self.large()
        self.traffic()
        print("\n" + table(self.rows, {"emitter": "pop3-emitter"}.get(self.kind, self.kind)))
        write_results(self.rows, self.judge)
        return 0 if all(passed(row, self.judge) for row in self.rows) else 1

    def close(self):
        """Ends every process by its id and removes the mail; a second signal does not hinder it."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        self.loadgen.stop()
        for server in self.servers:
            server.stop()
        if self.folder:
            place.remove_folder(self.folder)


def stop_on_signal(number, _frame):
    raise Stop(number)


def main():
    if sys.argv[1:] == ["--list"]:
        print("\n".join(row.name for row in ROWS))
        return 0
    bench = None
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop_on_signal)
    try:
        bench = Bench()
        return bench.run()
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    except Stop as stop:
        return 128 + stop.args[0]
    finally:
        if bench:
            bench.close()


if __name__ == "__main__":
    sys.exit(main())
