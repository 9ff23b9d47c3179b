"""Rude clients, and what they cost: memory of the server, and time of the others.

Two servers run: one has the rude clients, the other nobody. A probe asks both for NOOPs, one after
the other, as long as the rude clients are at it."""

import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time

from support import companion
from support.case import TestCase
from support.server import ROOT

HERE = os.path.dirname(os.path.abspath(__file__))
SECONDS = float(os.environ.get("POP3_RUDE_SECONDS", "5"))
CONNECTIONS = int(os.environ.get("POP3_RUDE_CONNECTIONS", "5000"))
SLOW = int(os.environ.get("POP3_RUDE_SLOW", "1000"))
DEAF = 4         # each of another user: a maildrop has one session
RATIO_MAX = 5.0  # NOOP p99 beside rude clients to that of the idle server
ATTEMPTS = 4     # the machine is noisy; one attempt in which nothing else disturbed is enough
SAMPLES_MIN = 500
USERS = {name: "secret" for name in ["probe", *(f"deaf{i}" for i in range(DEAF))]}
MESSAGE = b"Subject: Large\n\n" + b"a line of a large message, that nobody reads\n" * 100000


def session_memory_max():
    """SESSION_MEMORY_MAX of src/proto/limits.h, in octets."""
    with open(os.path.join(ROOT, "src/proto/limits.h"), encoding="ascii") as file:
        defined = dict(re.findall(r"^#define (\w+)\s+(\S.*)$", file.read(), re.M))
    expression = defined["SESSION_MEMORY_MAX"].replace("BLOCK_SIZE", defined["BLOCK_SIZE"])
    if not re.fullmatch(r"[\d\s()+*]+", expression):
        raise AssertionError("not an expression that this test knows: " + expression)
    return eval(expression)  # digits and operators only, see above


class RudeTest(TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.mkdtemp(prefix="pop3-rude-")
        cls.addClassCleanup(shutil.rmtree, folder)
        cls.probe = os.path.join(folder, "probe")
        subprocess.run([os.environ.get("CC", "cc"), "-D_GNU_SOURCE", "-O2", "-o", cls.probe,
                        os.path.join(HERE, "probe.c")], check=True)
        # The servers and the clients inherit it; a server takes all it may.
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = CONNECTIONS + 1000
        if hard != resource.RLIM_INFINITY and hard < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, wanted))

    def rude_and_idle(self):
        """Two equal servers that have served a session each, so that what the first session costs
        for good (threads, tables) is not counted."""
        servers = []
        for _ in range(2):
            server = self.server(users=USERS)
            for user in USERS:
                server.plant([MESSAGE], user)
            for user in USERS:
                with self.client(server, user) as client:
                    client.multiline("RETR 1")
                    client.ok("QUIT")
            servers.append(server)
        return servers

    def ratio(self, lines):
        """NOOP p99 of the rude server to that of the idle one."""
        rude, idle = ([int(word) for word in line.split()] for line in lines)
        self.assertGreaterEqual(rude[0], SAMPLES_MIN)
        print(f"    {rude[0]} NOOPs each: p50 {rude[1] / 1000:.0f} µs, idle {idle[1] / 1000:.0f} "
              f"µs; p99 {rude[2] / 1000:.0f} µs, idle {idle[2] / 1000:.0f} µs, "
              f"{rude[2] / idle[2]:.2f} ×", flush=True)
        return rude[2] / idle[2]

    def attempt(self, kind, count, servers):
        """(ratio of the p99s, KiB of growth a connection, octets sent)."""
        rude, idle = servers
        probe = companion.start(self, self.probe, "probe", USERS["probe"], str(rude.port),
                                str(idle.port))
        before = rude.private_kib()
        descriptors = rude.descriptors()
        roles = [f"deaf{i}:secret" for i in range(DEAF)]
        clients = companion.start(self, sys.executable, os.path.join(HERE, "clients.py"), kind,
                                  str(rude.port), str(SECONDS), str(count), *roles)
        octets, still_open = map(int, clients.stdout.readline().split())
        growth = rude.private_kib() - before
        ratio = self.ratio(companion.finish(self, probe))
        self.assertEqual(still_open, count, "the server closed some of them")
        companion.finish(self, clients)
        self.wait_until(lambda: rude.descriptors() <= descriptors,
                        lambda: f"descriptors: {descriptors} before, {rude.descriptors()} after")
        print(f"    {kind}: {count} connections, {octets} octets sent, "
              f"{growth * 1024 / count:.0f} octets of memory a connection", flush=True)
        return ratio, growth / count, octets

    def bear(self, kind, count):
        """The best of some attempts as to time; memory has to be right in each."""
        servers = self.rude_and_idle()
        ratios = []
        for _ in range(ATTEMPTS):
            ratio, growth, octets = self.attempt(kind, count, servers)
            self.count(count)
            self.assertLess(growth * 1024, session_memory_max())
            ratios.append(ratio)
            if ratio <= RATIO_MAX:
                break
            time.sleep(1)
        self.assertLessEqual(min(ratios), RATIO_MAX, f"p99 beside {kind} clients: {ratios}")
        return octets

    def test_clients_that_never_read_while_they_pipeline_retr_cost_little(self):
        self.assertGreater(self.bear("deaf", DEAF), 1000)

    def test_clients_that_send_an_octet_a_second_cost_little(self):
        self.assertGreater(self.bear("slow", SLOW), SLOW * SECONDS / 2)

    def test_client_that_sends_a_gigabyte_without_a_line_end_costs_little(self):
        self.assertGreater(self.bear("endless", 1), 10 ** 6)

    def test_thousands_of_connections_at_once_cost_little(self):
        self.bear("crowd", CONNECTIONS)
