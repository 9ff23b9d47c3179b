"""SIGKILL at any moment: on entry to each system call of QUIT and of a delivery, and at random under
load. What is missing afterwards had been marked, nothing was confirmed that is not so, whatever
lies in new/ and cur/ is whole, and the next login succeeds at once.

POP3_KILLS is the number of the random ones; POP3_SEED repeats them as far as the clock lets it."""

import contextlib
import os
import random
import re
import shutil
import signal
import subprocess

import crash_points
from crash_load import Load, delivery, plant
from promises import GONE, KEPT, LEAVING, Promises, judge, on_disk, served
from support.case import TestCase
from support.messages import make_maildir, name_of
from support.server import Server, environment, own
from support.wire import GUARD, Client, Gone

KILLS = int(os.environ.get("POP3_KILLS", "20"))
SECRET = "secret"
# A thread that waits is not always woken at the same call: these may be fewer in another run.
WAITING = ("futex", "ppoll", "restart_syscall")
ATTEMPTS = 5
TRACES = 5      # of QUIT, which waits now and then for the clock of the file system
OPTIONS = ("--mark-seen", "yes", "--store-workers", "1", "--log-level", "warning")
LATEST = 0.3    # seconds from the answer to QUIT to a kill
LONGEST = 0.12  # seconds from the start of the load to the kill


class Kill(TestCase):
    def started(self, *names):
        """A server for these users that may be killed and started again."""
        users = {name: SECRET for name in names}
        server = Server(self.temporary(), *OPTIONS, users=users)
        self.addCleanup(self.judge, server)
        return server.start()

    def check(self, server, promises, when):
        """The disk keeps the promises, and the first login of each user serves what is on it."""
        found = on_disk(server.mail, server.users)
        problems = judge(promises.snapshot(), found)
        for user in server.users:
            with Client(server.address) as client:
                client.login(user, SECRET)
                problems += served(client, found[user].values())
        self.assertEqual([], problems, when)
        return found

    def empty(self, server):
        for user in server.users:
            shutil.rmtree(server.box(user), ignore_errors=True)
            make_maildir(server.home(user))
        own(server.mail)

    # -- QUIT

    def marked(self, server):
        """A client about to say QUIT, in a maildrop of eight: it has marked two in new/, of which
        another program has moved one to cur/, and two in cur/, and has read a third in new/.
        (client, promises, digests of those marked)"""
        self.empty(server)
        promises = Promises()
        keys = plant(server, promises, "alice", 4) + plant(server, promises, "alice", 4, seen=True)
        client = self.client(server)
        client.login("alice", SECRET)
        for number in (1, 2, 5, 6):
            client.ok(f"DELE {number}")
        client.lines("RETR 3")
        os.rename(os.path.join(server.box(), "new", name_of(2)),
                  os.path.join(server.box(), "cur", name_of(2) + ":2,S"))
        return client, promises, [keys[i] for i in (0, 1, 4, 5)]

    def quit_points(self, server):
        """Every system call of the server between QUIT and its reply, which is the last one."""
        client, promises, keys = self.marked(server)
        path = os.path.join(server.folder, "trace")
        with crash_points.Attached(server.pid, path):
            self.assertEqual("+OK bye", client.quit())
        promises.note(keys, GONE)
        self.check(server, promises, "without a kill")
        return crash_points.between(crash_points.points(path, server.pid), r'"QUIT\\r\\n"',
                                    r'"\+OK bye\\r\\n"')

    def revive(self, server, seconds):
        """Starts the server if it has been killed, or is within that time."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.assertEqual(-signal.SIGKILL, server.wait(seconds))
            server.process.stdout.close()
            server.start()

    def quit_killed(self, server, point):
        """Was the server killed at that point? A thread that waits may have come there after the
        answer instead. The server runs again afterwards."""
        client, promises, keys = self.marked(server)
        promises.note(keys, LEAVING)
        with crash_points.Attached(server.pid, os.path.join(server.folder, "trace"), point):
            try:
                answer = client.quit()
            except (Gone, OSError):
                answer = None
        if answer is not None:
            self.assertEqual("+OK bye", answer)
            promises.note(keys, GONE)
        self.revive(server, GUARD if answer is None else LATEST)
        self.check(server, promises, f"killed at {point.call} number {point.nth}: {point.text}")
        return answer is None

    def test_server_killed_at_any_call_of_quit_deletes_only_what_was_marked(self):
        server = self.started("alice")
        traces = sorted((self.quit_points(server) for _ in range(TRACES)), key=len)
        points = traces[-1]
        always = {point[:3] for point in traces[0] if point.call not in WAITING}
        names = {point.call for point in traces[0]}
        self.assertLessEqual({"unlinkat", "renameat2", "fsync", "sendto"}, names)
        missed = []
        for point in points:
            attempts = ATTEMPTS if point[:3] in always else 1
            if any(self.quit_killed(server, point) for _ in range(attempts)):
                self.count()
            elif point[:3] in always:
                missed.append(point)
        self.assertEqual([], missed)
        self.assertGreater(self.cases, len(always) * 3 // 4)

    def test_quit_syncs_every_folder_it_changed_before_it_answers(self):
        """Most file systems make more durable than they are asked for, and hide what is missing."""
        server = self.started("alice")
        points = self.quit_points(server)
        folders = {os.path.join(server.box(), part) for part in ("new", "cur")}
        changed = crash_points.unsynced([point for point in points if point.call != "fsync"])
        self.assertLessEqual(folders, changed)
        self.assertEqual(set(), crash_points.unsynced(points) & folders)
        # What moved must be safe in cur/ before it is gone from new/ for good.
        synced = [os.path.basename(point.text.split(">")[0]) for point in points
                  if point.call == "fsync"]
        self.assertEqual(["cur", "new"], synced)

    # -- deliver

    def deliver(self, server, point=None):
        """A delivery to alice under strace, killed at that point: its exit code, what it was, and
        whether the point was reached."""
        promises = Promises()
        key, data = promises.new("alice")
        code = crash_points.traced(delivery(server, "alice"), os.path.join(server.folder, "trace"),
                                   data, environment(), point)
        if code == 0:
            promises.note([key], KEPT)
        return code, promises

    def deliver_points(self, server, prepare):
        """Every system call of a delivery since it knows where to."""
        prepare()
        code, promises = self.deliver(server)
        self.assertEqual(0, code)
        self.check(server, promises, "without a kill")
        found = crash_points.points(os.path.join(server.folder, "trace"))
        return crash_points.between(found, "^openat.*" + re.escape(server.passwd_path), "exit_group")

    def deliver_killed_everywhere(self, server, prepare):
        """prepare() puts the maildrop into the state before each."""
        points = self.deliver_points(server, prepare)
        names = {point.call for point in points}
        self.assertLessEqual({"write", "fsync", "renameat2", "exit_group"}, names)
        for point in points:
            prepare()
            code, promises = self.deliver(server, point)
            self.assertEqual(-signal.SIGKILL, code, point)
            self.check(server, promises, f"killed at {point.call} number {point.nth}: {point.text}")
            self.count()

    def test_delivery_killed_at_any_call_leaves_whole_messages_alone(self):
        server = self.started("alice")
        self.deliver_killed_everywhere(server, lambda: self.empty(server))

    def test_first_delivery_killed_at_any_call_leaves_a_maildrop_that_opens(self):
        server = self.started("alice")
        self.deliver_killed_everywhere(
            server, lambda: shutil.rmtree(server.box(), ignore_errors=True))

    # -- at random

    def test_kills_at_random_under_load_break_no_promise(self):
        seed = int(os.environ.get("POP3_SEED") or random.randrange(1 << 32))
        print(f"seed: POP3_SEED={seed}", flush=True)
        rng = random.Random(seed)
        server = self.started("alice", "bob", "carol", "dave")
        server.expect_log("step=open result=in-use")
        promises = Promises()
        for kill in range(KILLS):
            when = f"POP3_SEED={seed}, kill {kill}"
            load = Load(server, promises, rng.random())
            load.start()
            load.over.wait(rng.uniform(0, LONGEST))
            load.kill()
            self.assertEqual([], load.problems, when)
            server.start()
            promises.settle(self.check(server, promises, when))
            self.count()
