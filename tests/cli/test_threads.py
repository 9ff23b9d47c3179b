"""Whom the processor serves first, told by /proc: the thread that answers clients asks for short
turns, those that work for them for long ones, and what they start has the usual ones."""

import concurrent.futures
import os
import re

from support.case import TestCase

LOOP, WORKERS = 100_000, 20_000_000  # nanoseconds
# Says as what it runs.
PROGRAM = """#!/bin/sh
cp /proc/self/sched "${0%/*}/sched"
exit 0
"""


def field(path, name):
    """The number of that name, or None."""
    with open(path, encoding="ascii") as file:
        found = re.search(rf"^{re.escape(name)} *: *(\d+)$", file.read(), re.MULTILINE)
    return found and int(found[1])


class ThreadsTest(TestCase):
    def setUp(self):
        release = tuple(int(part) for part in re.findall(r"\d+", os.uname().release)[:2])
        told = os.path.exists("/proc/self/sched") and field("/proc/self/sched", "se.slice")
        if release < (6, 12) or not told:
            self.cannot("this kernel has turns of one length, or does not tell")

    def turns(self, server):
        """Of the thread that serves, and of all others."""
        folder = f"/proc/{server.pid}/task"
        of = {int(thread): field(f"{folder}/{thread}/sched", "se.slice")
              for thread in os.listdir(folder)}
        return of.pop(server.pid), set(of.values())

    def check_turns(self, server):
        """As soon as each thread has come to ask."""
        self.wait_until(lambda: self.turns(server) == (LOOP, {WORKERS}),
                        lambda: str(self.turns(server)))

    def serve(self):
        folder = self.temporary()
        program = os.path.join(folder, "program")
        with open(program, "w", encoding="utf-8") as file:
            file.write(PROGRAM)
        os.chmod(program, 0o755)
        server = self.server("--verify-command", program, passwd="alice:{VERIFY}\n")
        client = self.client(server)
        client.ok("USER alice")
        client.ok("PASS secret")
        return server, os.path.join(folder, "sched")

    def test_the_loop_takes_short_turns_and_workers_take_long_ones(self):
        server, child = self.serve()
        self.check_turns(server)
        self.assertEqual(field(child, "se.slice"), field("/proc/self/sched", "se.slice"))

    def check_niceness(self, increment):
        # It belongs to a thread, as does the policy, and whatever it starts has them.
        with concurrent.futures.ThreadPoolExecutor(1) as other:
            other.submit(os.sched_setscheduler, 0, os.SCHED_BATCH, os.sched_param(0)).result()
            try:
                niceness = other.submit(os.nice, increment).result()
            except PermissionError:
                self.cannot("only root may lower it")
            server, _ = other.submit(self.serve).result()
        for thread in map(int, os.listdir(f"/proc/{server.pid}/task")):
            self.assertEqual(os.sched_getscheduler(thread) & ~os.SCHED_RESET_ON_FORK,
                             os.SCHED_BATCH)
            self.assertEqual(os.getpriority(os.PRIO_PROCESS, thread), niceness)
        self.check_turns(server)

    def test_the_policy_and_niceness_that_were_given_stay(self):
        self.check_niceness(3)

    def test_a_niceness_below_zero_stays_with_the_workers_too(self):
        self.check_niceness(-5)
