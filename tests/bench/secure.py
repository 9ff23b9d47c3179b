"""The rows of TLS and of guessed passwords.

Both servers have the same certificate (ECDSA, P-256) and the same clients, whose sessions are all
new but in the row of tickets. A handshake of ours is compared with one of a bare GnuTLS server that
has the same priorities and gives tickets, too: they take turns many times in a round, and their sums
are compared, so that what disturbs the machine disturbs both.
"""

import os
import subprocess

import measure
from mailboxes import FLOOD_USERS, IDLE_USERS, LOGIN_USERS
from servers import BenchError
from support.tls import Authority

HANDSHAKE_CLIENTS = 8
TURNS = 5             # of each server in a round
SINGLE_RUNS = 3       # of what is not a rate
REFUSED = 2000
# Whoever counts failures turns most of these away unseen. Here nothing does: only the queue of the
# hashes is between the flood and the others.
FLOOD_SETTINGS = f"""\
limits_on_loopback = yes
max_connections_per_address = {2 * measure.FLOOD_CLIENTS}
address_failures = 0
user_failures = 0
failure_delay = 0
drain_timeout = 0
"""


class Secure:
    """These rows of one run of the bench."""

    def __init__(self, bench):
        self.bench = bench
        self.loadgen = bench.loadgen
        self.rows = [row for row in bench.rows if row.name.startswith(("tls_", "crypt_"))]
        self.runs = min(bench.rounds, SINGLE_RUNS)
        self.pair = None

    def make_pair(self):
        """The certificate of all servers, readable by those who serve."""
        folder = os.path.join(self.bench.folder, "certificates")
        os.makedirs(folder)
        self.pair = Authority(folder).issue("localhost")

    def ours(self):
        return self.bench.make_server(self.bench.kind, "ours", self.bench.boxes, self.pair)

    # --- handshakes

    def handshakes(self, row):
        """Both servers' CPU, in turn; after a turn that is not measured."""
        bare = self.bench.make_server("poll", "poll", {}, self.pair).start()
        ours = self.ours().start()
        seconds = self.bench.seconds / TURNS
        spent = []
        for number in range(self.bench.rounds):
            totals = {ours: [0, 0], bare: [0, 0]}
            for turn in range(-1, TURNS):
                order = [ours, bare] if (number + turn) % 2 == 0 else [bare, ours]
                for server in order:
                    got = measure.handshake_cpu(self.loadgen, server, HANDSHAKE_CLIENTS,
                                                LOGIN_USERS, seconds)
                    if turn >= 0:
                        totals[server] = [sum(pair) for pair in zip(totals[server], got)]
            each = [nanoseconds / 1e3 / count for count, nanoseconds in totals.values()]
            row.ours.append(each[0] / each[1])
            spent.append(each)
        each = sorted(spent)[len(spent) // 2]
        row.note = f"{each[0]:.0f} us, bare server {each[1]:.0f} us"
        ours.stop()
        bare.stop()

    def tickets(self, row):
        server = self.ours().start()
        offered = 0
        for _ in range(self.runs):
            count, taken = measure.tickets(self.loadgen, server, HANDSHAKE_CLIENTS, LOGIN_USERS,
                                           self.bench.seconds)
            offered += count
            row.ours.append(100 * (count - taken) / count)
        row.note = f"{offered} offered"
        server.stop()

    def refused(self, row):
        server = self.ours().start()
        measure.refused_cpu(self.loadgen, server, REFUSED // 10)
        for _ in range(self.runs):
            row.ours.append(measure.refused_cpu(self.loadgen, server, REFUSED))
        server.stop()

    # --- memory

    def idle_memory(self, row):
        """Ours alone: of Dovecot it takes half a minute to be told what the row without TLS tells."""
        for _ in range(self.runs):
            server = self.ours().start()
            row.ours.append(measure.idle_memory(self.loadgen, server, IDLE_USERS,
                                                self.bench.settle, **server.secure()))
            server.stop()

    # --- guessed passwords

    def hashed(self):
        """The users' password, as `pop3-emitter passwd` stores it by default."""
        path = os.path.join(self.bench.folder, "hashed")
        done = subprocess.run([self.bench.emitter(), "passwd", "--passwd", path, "add", "one"],
                              input=measure.PASSWORD.encode() + b"\n", capture_output=True,
                              check=False)
        if done.returncode != 0:
            raise BenchError(f"no hash: {done.stderr.decode()}")
        with open(path, encoding="ascii") as file:
            return file.read().strip().split(":")[1]

    def flood(self, noop, login):
        """The latency of a session that is there, and what a login takes that comes in between."""
        secret = self.hashed()
        second = measure.Loadgen(self.loadgen.program)
        answered = []
        for _ in range(self.runs):
            server = self.bench.make_server("emitter", "ours", self.bench.boxes, secret=secret,
                                            settings=FLOOD_SETTINGS).start()
            seen, wrong = measure.flood(self.loadgen, second, server, FLOOD_USERS,
                                        self.bench.seconds)
            server.stop()
            answered.append(wrong)
            if noop:
                noop.ours.append(seen["noop_p99"] / 1e6)
                noop.note = f"p50 {seen['noop_p50'] / 1e6:.2f} ms"
            if login:
                login.ours.append(seen["login"] / 1e6)
                login.note = f"{min(answered)} passwords answered meanwhile"

    # --- all of them

    def run(self):
        if not self.rows:
            return
        self.make_pair()
        self.bench.compare([row for row in self.rows if row.at_least], self.pair)
        for name, action in (("tls_handshake_cpu", self.handshakes),
                             ("tls_not_resumed", self.tickets),
                             ("tls_refused_cpu", self.refused),
                             ("tls_idle_session_memory", self.idle_memory)):
            row = self.bench.row(name)
            if row:
                action(row)
        noop, login = map(self.bench.row, ("crypt_flood_noop", "crypt_flood_login"))
        if noop or login:
            self.flood(noop, login)
