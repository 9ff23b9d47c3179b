"""A maildrop that other programs change all the time while clients read it and delete from it: no
message is lost, shown in place of another, or deleted in place of another. Judged by content.

POP3_MUTATOR_OPS is how many operations the mutator does; sessions and deletions go with it.
POP3_MUTATOR_SEED makes the same choices again, though not the same races."""

import os
import random
import threading
import time

import ledger as ledgers
from ledger import Ledger
from mutator import Mutator
from reader import Reader
from support.case import TestCase

READERS = 3
OPS_A_SESSION = 50
OPS_A_DELETION = 20
AHEAD = 100        # operations that the mutator may be ahead of the readers
REST = (0, 0, 0.001, 0.004, 0.015)  # seconds between two bursts
ENOUGH = 20000     # operations after which what is rare must have happened
FEW_TEMPORARY = 0.1  # of what is asked for may be refused because the folders never were quiet


def setting(name, default):
    return int(os.environ.get(name, default))


class Run:
    """All threads of one test; the first thing that goes wrong ends them."""

    def __init__(self, server, operations, seed):
        self.operations = operations
        self.wrong = []
        self.over = threading.Event()
        self.ledger = Ledger(server.box())
        self.mutator = Mutator(self.ledger, random.Random(seed))
        turn = threading.Lock()
        self.readers = [Reader(server.address, self.ledger, self.mutator, turn,
                               random.Random(seed + 1 + number)) for number in range(READERS)]

    def total(self, name):
        return sum(reader.counts[name] for reader in self.readers)

    @property
    def wanted_sessions(self):
        return self.operations // OPS_A_SESSION

    @property
    def wanted_deletions(self):
        return self.operations // OPS_A_DELETION

    def mutate(self):
        while self.mutator.count < self.operations:
            allowed = AHEAD + min(self.total("sessions") * OPS_A_SESSION,
                                  self.ledger.deletions * OPS_A_DELETION)
            burst = min(self.mutator.rng.randint(1, 30), self.operations - self.mutator.count,
                        allowed - self.mutator.count)
            for _ in range(burst):
                self.mutator.step()
            if self.over.wait(0.001 if burst <= 0 else self.mutator.rng.choice(REST)):
                return

    def read(self, reader):
        while not self.over.is_set() and not (
                self.mutator.count >= self.operations
                and self.total("sessions") >= self.wanted_sessions
                and self.ledger.deletions >= self.wanted_deletions):
            reader.session()

    def guarded(self, work, *arguments):
        try:
            work(*arguments)
        except BaseException as error:  # all threads must end, whatever one of them met
            self.wrong.append(error)
            self.over.set()

    def run(self):
        threads = [threading.Thread(target=self.guarded, args=(self.mutate,))]
        threads += [threading.Thread(target=self.guarded, args=(self.read, reader))
                    for reader in self.readers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self.wrong:
            raise self.wrong[0]

    def summary(self):
        names = self.readers[0].counts
        text = ", ".join(f"{self.total(name)} {name}" for name in names)
        deeds = ", ".join(f"{name} {good}/{often}"
                          for name, (often, good) in sorted(self.mutator.done.items()))
        return (f"{self.mutator.count} operations ({deeds}; {self.mutator.inodes_used_again} inodes "
                f"used again), {self.ledger.deletions} deletions, {text}, "
                f"{self.ledger.shown_in_place} shown in place")


class Mutations(TestCase):
    def test_texts_tell_messages_apart(self):
        ledgers.check_texts()

    def test_maildrop_that_others_change_all_the_time_never_loses_or_confuses_mail(self):
        operations = setting("POP3_MUTATOR_OPS", 3000)
        seed = setting("POP3_MUTATOR_SEED", random.SystemRandom().randrange(1 << 32))
        print(f"mutator: seed {seed}", flush=True)
        server = self.server("--mark-seen")
        server.expect_log("result=in-use")
        server.expect_log("another file has its place: it is not deleted")
        server.expect_log("the message is not deleted. error=.Resource temporarily unavailable")
        server.expect_log("cannot open the message. error=.(No such file|Resource temporarily)")
        server.expect_log("the message has changed its size")
        run = Run(server, operations, seed)
        started = time.monotonic()
        run.run()
        print(f"mutator: {time.monotonic() - started:.0f} s, {run.summary()}", flush=True)
        live = {content.number for content in run.ledger.live()}
        self.assertEqual(live, set(run.ledger.read_maildrop()))
        self.assertEqual(live, self.read_all(run.readers[0]))
        self.judge_counts(run)
        self.count(operations + run.total("sessions") + run.ledger.deletions)

    def read_all(self, reader):
        """When the last session is over."""
        found = []

        def read():
            found[:] = [reader.read_all()]
            return found[0] is not None
        self.wait_until(read, "the maildrop stays in use")
        return found[0]

    def judge_counts(self, run):
        """Enough of everything happened for the verdict to mean something."""
        self.assertGreaterEqual(run.mutator.count, run.operations)
        self.assertGreaterEqual(run.total("sessions"), run.wanted_sessions)
        self.assertGreaterEqual(run.ledger.deletions, run.wanted_deletions)
        self.assertLess(run.total("busy"), FEW_TEMPORARY * run.total("retrieved"))
        self.assertGreater(run.total("quits"), 2 * run.total("not_all_gone"))
        for name, (often, good) in run.mutator.done.items():
            self.assertGreater(good, 0, f"{name} of {often}")
        rare = ("refused", "not_all_gone") if run.operations >= ENOUGH else ()
        for name in ("in_use", "drops", *rare):
            self.assertGreater(run.total(name), 0, name)
