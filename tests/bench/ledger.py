"""What became of every message that was delivered: the accounts of the traffic row.

Times are those of the monotonic clock. All may be called from any thread. A fault is counted once
for each message, however many sessions see it.
"""

import collections
import threading


class Ledger:
    """Deliveries, unique-ids, deletions, and the faults found in what sessions showed."""

    def __init__(self):
        self.lock = threading.Lock()
        self.times = {}      # number -> when its delivery was durable
        self.numbers = {}    # unique-id -> number
        self.ids = {}        # number -> unique-id
        self.marked = set()  # QUIT is under way, or its outcome unknown
        self.deleted = {}    # number -> when QUIT was answered
        self.faults = {}     # (what, message) -> a sentence

    def fault(self, what, message):
        self.faults.setdefault((what, message), f"message {message} {what}")

    def delivered(self, number, when):
        with self.lock:
            if number in self.times:
                self.fault("delivered twice", number)
            self.times[number] = when

    def unknown(self, ids):
        """Those of the unique-ids whose message nobody has fetched yet."""
        with self.lock:
            return [name for name in ids if name not in self.numbers]

    def fetched(self, name, number):
        """A message came under that unique-id; number None: not as it was delivered, and from now
        on the unique-id stands for a number that nobody delivered."""
        with self.lock:
            if number is None:
                self.fault("is not as it was delivered", name)
                self.numbers.setdefault(name, name)
                return
            known = self.numbers.setdefault(name, number)
            if known != number:
                self.fault(f"came under the unique-id of {known}", number)
            if self.ids.setdefault(number, name) != name:
                self.fault("has two unique-ids", number)

    def listed(self, started, ids):
        """A session that began then lists those unique-ids, all of which have been fetched."""
        with self.lock:
            for name, times in collections.Counter(ids).items():
                if times > 1:
                    self.fault("is listed twice", self.numbers[name])
            here = {self.numbers[name] for name in ids}
            for number in here:
                if self.deleted.get(number, started) < started:
                    self.fault("is back after its deletion", number)
            missing = self.times.keys() - here - self.deleted.keys() - self.marked
            for number in missing:
                if self.times[number] < started:
                    self.fault("is lost", number)

    def mark(self, names):
        """These are about to be deleted by QUIT."""
        with self.lock:
            self.marked.update(self.numbers[name] for name in names)

    def gone(self, names, when):
        """QUIT said so."""
        with self.lock:
            for number in (self.numbers[name] for name in names):
                if number in self.deleted:
                    self.fault("was deleted twice", number)
                self.deleted[number] = when
                self.marked.discard(number)
