"""Clients that share one maildrop while mail is delivered into it, and what they find.

They take turns: who finds the maildrop in use tries again. A session fetches what nobody has
fetched before and a few messages again, deletes half of what it fetched, and ends with QUIT, or
once in a while without, which must not delete anything.
"""

import os
import poplib
import random
import subprocess
import sys
import threading
import time

import traffic
from ledger import Ledger
from servers import PASSWORD, BenchError, undisturbed

RATE = 200            # deliveries a second
READERS = 3
FETCHED_AGAIN = 5     # messages of a session
DROPPED = 0.125       # of the sessions end without QUIT
DELETED = 0.5         # of the messages that a session fetches
RETRY_SECONDS = 0.01  # at most, when the maildrop is in use
HANG_SECONDS = 60
SLOW_WRITER = 1.1     # times the time that the deliveries should take


class Reader(threading.Thread):
    """One client: session after session until it is told to stop."""

    def __init__(self, server, user, ledger, seed):
        super().__init__(daemon=True)
        self.server = server
        self.user = user
        self.ledger = ledger
        self.rng = random.Random(seed)
        self.stopping = threading.Event()
        self.failure = None
        self.sessions = 0
        self.refused = 0
        self.slowest = 0

    def run(self):
        try:
            while not self.stopping.is_set():
                self.session()
        except (poplib.error_proto, OSError) as error:
            self.failure = error

    def log_in(self):
        """A session that has the maildrop, and when its PASS was sent."""
        while True:
            client = poplib.POP3("127.0.0.1", self.server.port, HANG_SECONDS)
            client.user(self.user)
            started = time.monotonic()
            try:
                client.pass_(PASSWORD)
                self.slowest = max(self.slowest, time.monotonic() - started)
                return client, started
            except poplib.error_proto as error:
                client.close()
                if b"[IN-USE]" not in error.args[0]:
                    raise
            self.refused += 1
            time.sleep(self.rng.uniform(0, RETRY_SECONDS))

    def fetch(self, client, ids, names):
        """Fetches the messages of those unique-ids; ids has all, in order."""
        sizes = client.list()[1]
        places = {name: place for place, name in enumerate(ids)}
        for name in names:
            _, lines, octets = client.retr(places[name] + 1)
            listed = int(sizes[places[name]].split()[1])
            self.ledger.fetched(name, traffic.number_of(lines) if octets == listed else None)

    def end(self, client, ids, fetched):
        """Deletes some and says QUIT, or closes the connection."""
        doomed = {name for name in fetched if self.rng.random() < DELETED}
        for place, name in enumerate(ids, 1):
            if name in doomed:
                client.dele(place)
        if self.rng.random() < DROPPED:
            client.close()
            return
        self.ledger.mark(doomed)
        client.quit()
        self.ledger.gone(doomed, time.monotonic())

    def session(self, everything=False):
        """Returns how many messages there are."""
        client, started = self.log_in()
        ids = [line.split()[1] for line in client.uidl()[1]]
        names = ids if everything else self.ledger.unknown(ids)
        again = self.rng.sample(ids, min(FETCHED_AGAIN, len(ids)))
        self.fetch(client, ids, {*names, *again})
        self.ledger.listed(started, ids)
        self.end(client, ids, [] if everything else names)
        self.sessions += 1
        return len(ids)


def start_writer(server, maildir, mail_user, user, seconds):
    command = [sys.executable, traffic.__file__, maildir, mail_user.pw_uid, mail_user.pw_gid, RATE,
               seconds, server.program, server.config, user]
    with undisturbed():
        return subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE,
                                start_new_session=True)


def read_deliveries(writer, ledger):
    for line in writer.stdout:
        number, when = line.split()
        ledger.delivered(int(number), float(when))


def deliver_and_read(readers, writer, ledger, seconds):
    """Until all is delivered and all readers have ended."""
    for reader in readers:
        reader.start()
    try:
        note = threading.Thread(target=read_deliveries, args=(writer, ledger), daemon=True)
        note.start()
        status = writer.wait(seconds * 2 + HANG_SECONDS)
        note.join()
    except subprocess.TimeoutExpired:
        raise BenchError("the deliveries hang") from None
    finally:
        writer.kill()
        for reader in readers:
            reader.stopping.set()
    for reader in readers:
        reader.join(HANG_SECONDS)
        if reader.failure or reader.is_alive():
            raise BenchError(f"a session failed: {reader.failure or 'it hangs'}\n"
                             f"{reader.server.tail()}")
    if status != 0:
        raise BenchError(f"the deliveries failed: exit status {status}")


def check_rate(ledger, seconds):
    times = ledger.times.values()
    taken = max(times) - min(times)
    if len(times) != int(RATE * seconds) or taken > seconds * SLOW_WRITER + 1:
        raise BenchError(f"{len(times)} deliveries in {taken:.1f} s: too few to show anything")


def run(server, mail_user, user, seconds):
    """Deliveries and sessions for that time; (the faults found, a note)."""
    maildir = os.path.join(server.folder, "mail", user, "Maildir")
    ledger = Ledger()
    readers = [Reader(server, user, ledger, seed) for seed in range(READERS)]
    deliver_and_read(readers, start_writer(server, maildir, mail_user, user, seconds), ledger,
                     seconds)
    check_rate(ledger, seconds)
    last = Reader(server, user, ledger, READERS)
    left = last.session(everything=True)
    files = sum(len(os.listdir(os.path.join(maildir, folder))) for folder in ("new", "cur"))
    if files != left or left + len(ledger.deleted) != len(ledger.times):
        ledger.fault("does not add up", f"count: {files} files, {left} listed, "
                     f"{len(ledger.deleted)} of {len(ledger.times)} deleted")
    return ledger.faults, (f"{len(ledger.times):,} deliveries, "
                           f"{sum(reader.sessions for reader in readers):,} sessions, "
                           f"{len(ledger.deleted):,} deleted, slowest login "
                           f"{1e3 * max(reader.slowest for reader in readers):.0f} ms")
