"""The rows over one maildrop of 100,000 small messages, the same for both servers.

Both read from a warm page cache on a disk file system. Each part can run alone, and begins with
what it needs; before a measurement all is written to the disk, and the folders are left alone for
SETTLE_SECONDS: a folder that changed within the last second is one that no server may trust to be
unchanged, and a mail client comes minutes after the delivery.

What is measured stands in load_large.c and load_meanwhile.c; every session's STAT, LIST and UIDL
are compared with what is on disk.
"""

import os
import time

import measure
from mailboxes import deliver
from place import acting_as
from servers import BenchError

SETTLE_SECONDS = 2.2
SESSIONS = 3         # of a round, where nothing has to be prepared for each
DELETED = 1000       # by one session; fewer of a small maildrop
HEAVY_ROUNDS = 5     # at most, where a round takes seconds
IDLE_SECONDS = 0.5   # before memory is looked at


def deleted_of(messages):
    return min(DELETED, messages // 4)


class Large:
    """The large maildrop in both servers' trees."""

    def __init__(self, bench, box):
        self.bench = bench
        self.box = box
        self.both = []  # ours and Dovecot
        self.rounds = min(bench.rounds, HEAVY_ROUNDS)
        self.pause = SETTLE_SECONDS if bench.judge else bench.settle

    # --- the trees

    def home(self, server):
        return os.path.join(server.folder, "mail", self.box.owner())

    def forget(self, server):
        """Removes every index: all files of the Maildir that are in none of its folders."""
        with os.scandir(os.path.join(self.home(server), "Maildir")) as entries:
            for entry in entries:
                if not entry.is_dir(follow_symlinks=False):
                    os.unlink(entry.path)

    def add(self, count):
        """Delivers so many messages to each tree; time of delivery and name are the next ones."""
        with acting_as(self.bench.user):
            for number in range(self.box.last + 1, self.box.last + 1 + count):
                for server in self.both:
                    deliver(self.home(server), self.box.file_name(number), self.box.text(number))
        self.box.last += count

    def settle(self):
        os.sync()
        time.sleep(self.pause)

    def login(self, server):
        return measure.large(self.bench.loadgen, server, self.box)

    def remember(self):
        """Logs in to both, so that their indexes are there and know the folders as they are."""
        for server in self.both:
            self.login(server)
        self.settle()
        for server in self.both:
            self.login(server)

    def order(self, number):
        return self.both if number % 2 == 0 else self.both[::-1]

    def note(self, row, server, value):
        (row.ours if server is self.both[0] else row.dovecot).append(value)

    # --- the rows

    def first_login(self, row):
        """No index, no size in any name: every message has to be counted. What a server keeps for
        later it writes within the time or after it, as it likes."""
        for number in range(self.rounds):
            for server in self.both:
                self.forget(server)
            self.settle()
            for server in self.order(number):
                os.sync()
                self.note(row, server, self.login(server)[0])

    def first_noop(self, row):
        """The same login on our server, watched by another session: the 99th percentile of NOOPs
        against that of the idle server, in one life of it."""
        ours = self.both[0]
        seen = []
        for _ in range(self.rounds):
            self.forget(ours)
            self.settle()
            result = measure.meanwhile(self.bench.loadgen, ours, self.box, self.pause)
            row.ours.append(result["busy_p99"] / result["idle_p99"])
            seen.append((result["idle_p99"] / 1e3, result["busy_p99"] / 1e3,
                         result["busy_max"] / 1e3))
        idle, busy, worst = sorted(seen, key=lambda one: one[1] / one[0])[len(seen) // 2]
        row.note = f"p99 {busy:.0f} us meanwhile (slowest {worst:.0f}), {idle:.0f} us idle"

    def unchanged(self, *rows):
        """Nothing has changed since the login before, whose index is there. A row may be None."""
        self.remember()
        for number in range(self.bench.rounds):
            for server in self.order(number):
                for _ in range(SESSIONS):
                    for row, value in zip(rows, self.login(server)):
                        if row:
                            self.note(row, server, value)

    def delivered(self, row):
        """One message more than at the login before."""
        self.remember()
        for number in range(self.rounds):
            self.add(1)
            self.settle()
            for server in self.order(number):
                os.sync()
                self.note(row, server, self.login(server)[0])

    def deleted(self, row):
        """DELE of the oldest messages and QUIT; as many come in for the next round.

        Ours syncs the folders before it says +OK. Dovecot as it is run here syncs nothing, and
        never a folder however it is configured, so this bar is higher than it sounds.
        """
        count = deleted_of(self.box.count())
        self.remember()
        for number in range(self.rounds):
            self.add(count)
            self.settle()
            for server in self.order(number):
                os.sync()
                self.note(row, server, measure.delete(self.bench.loadgen, server, self.box, count))
            self.box.first += count
            self.check_deleted()

    def check_deleted(self):
        """The same messages are gone from both trees, and no other."""
        wanted = {self.box.file_name(number)
                  for number in range(self.box.first, self.box.last + 1)}
        for server in self.both:
            maildir = os.path.join(self.home(server), "Maildir")
            found = [name.partition(":")[0] for folder in ("new", "cur")
                     for name in os.listdir(os.path.join(maildir, folder))]
            if len(found) != len(wanted) or set(found) != wanted:
                raise BenchError(f"{server.name} has not deleted the first messages alone")

    def memory(self, row):
        """Of fresh servers: ours after a login with an index, Dovecot once for information."""
        first = self.session_memory(self.bench.kind, "ours", forget=True)
        for _ in range(min(self.rounds, 3)):
            row.ours.append(self.session_memory(self.bench.kind, "ours"))
        row.dovecot.append(self.session_memory("dovecot", "dovecot"))
        row.note = f"beside its unique-id; after a first login {first:.1f}"

    def session_memory(self, kind, folder, forget=False):
        server = self.bench.make_server(kind, folder, self.bench.boxes).start()
        if forget:
            self.forget(server)
        octets = measure.large_memory(self.bench.loadgen, server, self.box, IDLE_SECONDS)
        server.stop()
        return octets

    # --- the run

    def parts(self):
        """(names of rows, what measures them): those that were asked for, in this order."""
        parts = ((["large_first_login"], self.first_login),
                 (["large_first_noop"], self.first_noop),
                 (["large_login", "large_list", "large_uidl"], self.unchanged),
                 (["large_delivered"], self.delivered),
                 (["large_delete"], self.deleted))
        for names, part in parts:
            rows = [self.bench.row(name) for name in names]
            if any(rows):
                yield rows, part

    def run(self):
        bench = self.bench
        if any(self.parts()):
            self.both = [bench.make_server(bench.kind, "ours", bench.boxes).start(),
                         bench.make_server("dovecot", "dovecot", bench.boxes).start()]
            for rows, part in self.parts():
                part(*rows)
            for server in self.both:
                server.stop()
        row = bench.row("large_session_memory")
        if row:
            self.memory(row)
