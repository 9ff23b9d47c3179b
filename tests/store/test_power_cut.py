"""Power cuts: what lies on the disk at the moment of QUIT's +OK, of the exit of a delivery, and at
any other, is a maildrop that keeps every promise.

POP3_SEED repeats a run as far as the clock lets it; POP3_POWER_CUTS is the number of each kind."""

import contextlib
import os
import random
import select
import subprocess

from crash_load import Load, Processes, plant
from power import SECRET, Machine, Recovery
from promises import GONE, KEPT, LEAVING, Promises, digest
from support import disk
from support.case import TestCase
from support.wire import GUARD, Client

CUTS = int(os.environ.get("POP3_POWER_CUTS", "6"))
HERE = os.path.dirname(os.path.abspath(__file__))
USERS = ("alice", "bob", "carol")
OTHERS = USERS[1:]
MESSAGES = 6       # that alice has before her QUIT
AT_ONCE = 4        # deliveries
FULL = 8           # messages of a user, when it is time to make room
LONGEST = 0.06     # seconds between two moments at random
CONTROLS = 3       # cuts of a kind, when nothing is synced


class PowerCut(TestCase):
    @classmethod
    def setUpClass(cls):
        if disk.why_not() is None:
            disk.own_mounts()

    def setUp(self):
        reason = disk.why_not()
        if reason:
            self.cannot(reason)
        self.seed = int(os.environ.get("POP3_SEED") or random.randrange(1 << 32))
        print(f"seed: POP3_SEED={self.seed}", flush=True)
        self.rng = random.Random(self.seed)
        self.promises = Promises()

    def power(self, env=None):
        """A machine with a server that runs."""
        self.recovery = Recovery(self.temporary(), USERS)
        self.machine = Machine(self.temporary(), USERS, env)
        self.addCleanup(self.machine.remove)
        self.server = self.machine.server
        self.server.expect_log("step=open result=in-use")
        self.addCleanup(self.judge, self.server)
        self.server.start()
        self.processes = Processes(self.server, env)

    def cut(self, noted=lambda: None):
        """The problems of the disk at this moment. noted(): once everything stands still, notes
        what was promised just before."""
        with self.processes.frozen():
            noted()
            path = self.machine.copy()
            promised = self.promises.snapshot()
        self.count()
        return self.recovery.judge(path, promised)

    def cut_well(self, *noted):
        self.assertEqual([], self.cut(*noted), f"POP3_SEED={self.seed}, cut {self.cases}")

    @contextlib.contextmanager
    def load(self, **options):
        load = Load(self.server, self.promises, self.rng.random(), processes=self.processes,
                    **options)
        load.start()
        try:
            yield
        finally:
            load.stop()
        self.assertEqual([], load.problems, f"POP3_SEED={self.seed}")

    # -- QUIT

    def mark(self, client, chance):
        """Marks messages at random, reads the others: digests of those marked."""
        marked = []
        for number in range(1, int(client.ok("STAT").split()[1]) + 1):
            lines = client.lines(f"RETR {number}")
            if self.rng.random() < chance:
                client.ok(f"DELE {number}")
                marked.append(digest("".join(line + "\n" for line in lines).encode("latin-1")))
        return marked

    def quit(self, user, chance):
        """A session that ends with +OK, and nothing else is done after it."""
        with Client(self.server.address) as client:
            client.login(user, SECRET)
            marked = self.mark(client, chance)
            self.promises.note(marked, LEAVING)
            client.ok("QUIT")
            self.promises.note(marked, GONE)

    def fill(self):
        while self.promises.count("alice") < MESSAGES:
            self.delivered(self.begin("alice"))

    def cut_at_quits(self, count):
        for _ in range(count):
            self.fill()
            self.quit("alice", 0.5)
            self.cut_well()

    def test_after_the_answer_to_quit_what_was_marked_is_gone_for_good(self):
        """Half of the cuts while nobody else syncs anything, which would help."""
        self.power()
        self.cut_at_quits(CUTS - CUTS // 2)
        with self.load(users=OTHERS):
            self.cut_at_quits(CUTS // 2)

    def test_power_cut_at_any_moment_loses_nothing_that_was_not_marked(self):
        self.power()
        with self.load(users=USERS):
            for _ in range(CUTS):
                select.select([], [], [], self.rng.uniform(0, LONGEST))
                self.cut_well()

    # -- deliver

    def begin(self, user):
        key, data = self.promises.new(user)
        return key, self.processes.deliver(user, data)

    def delivered(self, delivery):
        key, process = delivery
        code, said = self.processes.ended(process)
        self.assertEqual(0, code, said)
        self.promises.note([key], KEPT)

    def cut_at_exit(self, count):
        """Of so many deliveries at once; the moment is when the first has ended."""
        deliveries = [self.begin(self.rng.choice(USERS)) for _ in range(count)]
        first = [os.pidfd_open(process.pid) for _, process in deliveries]

        def note():
            self.promises.note([key for key, process in deliveries if process.poll() == 0], KEPT)

        try:
            self.assertNotEqual([], select.select(first, [], [], GUARD)[0], "no delivery ends")
            problems = self.cut(note)
        finally:
            for descriptor in first:
                os.close(descriptor)
            for delivery in deliveries:
                self.delivered(delivery)
        return problems

    def make_room(self):
        for user in USERS:
            if self.promises.count(user) >= FULL:
                self.quit(user, 1)

    def test_after_the_exit_of_a_delivery_the_message_is_there_for_good(self):
        """One alone and several at once, in turn."""
        self.power()
        for number in range(CUTS):
            self.make_room()
            problems = self.cut_at_exit(1 if number % 2 == 0 else AT_ONCE)
            self.assertEqual([], problems, f"POP3_SEED={self.seed}, cut {number}")

    def test_power_cut_at_any_moment_of_deliveries_leaves_whole_messages_alone(self):
        self.power()
        with self.load(users=USERS, sessions=False, deliveries=AT_ONCE):
            for _ in range(CUTS):
                self.make_room()
                select.select([], [], [], self.rng.uniform(0, LONGEST))
                self.cut_well()

    # -- the test itself

    def unsynced(self):
        """The environment of programs that sync nothing."""
        library = os.path.join(self.temporary(), "unsynced.so")
        subprocess.run([os.environ.get("CC", "cc"), "-shared", "-fPIC", "-o", library,
                        os.path.join(HERE, "unsynced.c")], check=True)
        return {"LD_PRELOAD": library}

    def test_server_that_does_not_sync_is_found_out(self):
        self.power(self.unsynced())
        problems = []
        for _ in range(CONTROLS):
            plant(self.server, self.promises, "alice", MESSAGES)
            self.machine.sync()
            self.quit("alice", 0.5)
            problems += self.cut()
        self.assertRegex("\n".join(problems), "back: alice")

    def test_delivery_that_does_not_sync_is_found_out(self):
        self.power(self.unsynced())
        problems = [text for _ in range(CONTROLS) for text in self.cut_at_exit(AT_ONCE)]
        self.assertRegex("\n".join(problems), "(lost|damaged): ")
