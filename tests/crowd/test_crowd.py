"""Crowds: very many idle sessions under TLS, and those who take places and never log in."""

import contextlib
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from support import companion
from support.case import TestCase
from support.server import ROOT
from support.tls import Authority, TlsClient
from support.wire import GUARD, Client

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.path.abspath(os.path.join(ROOT, os.environ.get("BUILD", "build")))
IDLE = int(os.environ.get("POP3_CROWD_IDLE", "1000"))
PLACES = int(os.environ.get("POP3_CROWD_PLACES", "1000"))
EACH = int(os.environ.get("POP3_CROWD_EACH", "10"))
# What holds if nobody says otherwise; the short form makes them smaller.
DEFAULT_PLACES = 10000
DEFAULT_EACH = 50
IDLE_PLACES = 12000  # the limit that 10,000 sessions fit in
SOURCES = 100
SPARE = 1000         # descriptors that are not for the crowd
GOOD_SECONDS = 1.0   # to log in
LOGINS = 5           # the machine is noisy: most of them count
HANDSHAKES = 50      # that a process is certain to get done in a second
IDLE_KIB_MAX = 24.0  # each
WAYS = ("implicit", "stls", "plain")


class CrowdTest(TestCase):
    @classmethod
    def setUpClass(cls):
        subprocess.run(["make", "-s", "-C", ROOT, f"BUILD={BUILD}", "bench-tools"], check=True)
        folder = tempfile.mkdtemp(prefix="pop3-crowd-")
        cls.addClassCleanup(shutil.rmtree, folder)
        os.chmod(folder, 0o755)
        cls.ca = Authority(folder)
        cls.pair = cls.ca.issue("localhost")
        cls.descriptors = cls.raise_descriptors()

    @classmethod
    def raise_descriptors(cls):
        """How many a server may have, which takes all it may: more if we are allowed to say so."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = 2 * max(IDLE, PLACES, SOURCES * EACH) + SPARE
        if hard == resource.RLIM_INFINITY or hard >= wanted:
            return wanted
        with contextlib.suppress(ValueError, PermissionError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, wanted))
            return wanted
        return hard

    def tls_server(self, *arguments, **options):
        server = self.server("--cert", self.pair[0], "--key", self.pair[1], "--listen-tls",
                             "127.0.0.1:0", *arguments, **options, listeners=2)
        return server

    def log_in(self, server, way, source=None):
        """A session of alice and the seconds until she had it."""
        begun = time.monotonic()
        if way == "plain":
            client = Client(server.addresses[0], source=source)
        else:
            address = server.addresses[way == "implicit"]
            client = TlsClient(address, self.ca.context(), way == "stls", source=source)
        self.addCleanup(client.close)
        client.login("alice", server.users["alice"])
        return client, time.monotonic() - begun

    def good_client(self, server, source=None):
        """Logs in within a second, in each way."""
        for way in WAYS:
            taken = []
            for _ in range(LOGINS):
                client, seconds = self.log_in(server, way, source)
                taken.append(seconds)
                client.ok("NOOP")
                client.quit()
            print(f"    {way}: {' '.join(f'{seconds:.3f}' for seconds in taken)} s", flush=True)
            self.assertLessEqual(statistics.median(taken), GOOD_SECONDS, way)

    # -- those who are there and idle

    def idle_clients(self, server, count, login):
        """A process that holds so many sessions under TLS."""
        return companion.start(
            self, os.path.join(BUILD, "loadgen"), "idle", f"port={server.addresses[1][1]}", "tls=1",
            "prefix=idle", "password=secret", f"users={count}", f"login={login}",
            says=f"open={count}", guard=GUARD + count / HANDSHAKES)

    def test_idle_tls_sessions_are_all_held_and_an_active_one_is_served(self):
        # A session that has logged in has a socket and a folder. Where descriptors are too few for all
        # to log in, the last ones only have their handshake and their greeting behind them.
        users = min(IDLE, (self.descriptors - SPARE // 2) // 2)
        names = [f"idle{number:04d}" for number in range(users)]
        server = self.tls_server("--max-connections", str(IDLE_PLACES), "--login-timeout", "600",
                                 users={"alice": "wonderland", **dict.fromkeys(names, "secret")})
        server.plant([b"Subject: one\n\ntext\n"])
        self.log_in(server, "implicit")[0].quit()
        descriptors, memory = server.descriptors(), server.private_kib()
        crowds = [self.idle_clients(server, users, 1)]
        if users < IDLE:
            crowds.append(self.idle_clients(server, IDLE - users, 0))
        each = (server.private_kib() - memory) / IDLE
        self.assertGreaterEqual(server.descriptors() - descriptors, IDLE + users)
        client, _ = self.log_in(server, "implicit")
        for _ in range(100):
            client.ok("NOOP")
            self.assertEqual(client.multiline("RETR 1")[1], b"Subject: one\r\n\r\ntext\r\n")
        client.ok("DELE 1")
        client.quit()
        self.good_client(server)
        for crowd in crowds:
            self.assertEqual(companion.finish(self, crowd), ["lost=0"])
        print(f"    {IDLE} idle sessions, {users} logged in, {each:.2f} KiB each", flush=True)
        self.assertLess(each, IDLE_KIB_MAX)
        self.count(IDLE)

    # -- those who never log in

    def attackers(self, server, each, *sources):
        """A process of attackers.py that has come `each` times from each of them."""
        ports = [str(port) for _, port in server.addresses]
        return companion.start(self, sys.executable, os.path.join(HERE, "attackers.py"), *ports,
                               str(each), *sources, guard=GUARD + IDLE_PLACES / HANDSHAKES)

    def result(self, process):
        """How many they opened, were closed, are there, and are there from one address."""
        line, = companion.finish(self, process)
        numbers = [int(word) for word in line.split()]
        print("    opened {}, closed {}, open {}, of one address {}".format(*numbers), flush=True)
        return numbers

    def test_those_who_never_log_in_go_when_all_places_are_taken(self):
        limit = [] if PLACES == DEFAULT_PLACES else ["--max-connections", str(PLACES)]
        server = self.tls_server(*limit)
        stays, _ = self.log_in(server, "plain")
        # More than there are places, so that there is never a free one.
        attack = self.attackers(server, PLACES + PLACES // 10, "127.0.0.201")
        stays.ok("QUIT")
        stays.close()
        self.good_client(server)
        opened, closed, places, _ = self.result(attack)
        self.assertGreater(closed, PLACES // 10)
        self.assertLessEqual(places, PLACES)
        self.assertGreater(places, PLACES // 2)
        self.assert_log("event=closed .*reason=limit", server)
        self.count(opened)

    def test_good_client_gets_in_beside_floods_from_a_hundred_addresses(self):
        limit = [] if EACH == DEFAULT_EACH else ["--max-connections-per-address", str(EACH)]
        server = self.tls_server("--limits-on-loopback", *limit)
        attack = self.attackers(server, EACH + EACH // 5,
                                *(f"127.0.0.{number}" for number in range(2, 2 + SOURCES)))
        self.good_client(server, "127.0.0.200")
        opened, closed, places, most = self.result(attack)
        self.assertEqual(most, EACH)
        self.assertGreater(places, SOURCES * EACH // 2)
        self.assertGreater(closed, SOURCES * (EACH // 5) // 2)
        self.assert_log("too many connections from this address", server)
        self.count(opened)
