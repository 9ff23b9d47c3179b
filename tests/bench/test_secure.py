"""The parts of the bench that know TLS, or guess passwords; without a server under test."""

import os
import ssl
import subprocess
import sys
import time

import measure
from fake import BODIES_OCTETS, BUILD, FakeServer, LoadTest, MailServer
from measure import pairs
from support.tls import Authority
from support.wire import GUARD

SLOW_SECONDS = 0.2


class Tls:
    """A fake server under TLS. anew: its ticket keys change with each connection."""

    pair = None
    anew = False

    def context(self):
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.load_cert_chain(*self.pair)
        return made

    def secured(self, peer):
        if self.anew or not hasattr(self, "made"):
            self.made = self.context()
        return self.made.wrap_socket(peer, server_side=True)


class TlsMailServer(Tls, MailServer):
    pass


class ForgetfulServer(TlsMailServer):
    anew = True


class GuessedServer(FakeServer):
    """Knows the password; stands still for all while it looks at one, but for the first."""

    def __init__(self):
        self.passwords = 0
        self.until = 0
        super().__init__()

    def answer(self, words):
        if words[:2] == [b"PASS", b"not"]:
            time.sleep(0.02)
            return b"-ERR\r\n"
        if words[0] == b"PASS":
            self.passwords += 1
            if self.passwords > 1:
                self.until = time.monotonic() + SLOW_SECONDS
        time.sleep(max(0, self.until - time.monotonic()))
        return b"+OK\r\n"


class SecureTest(LoadTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # Outside of any test's folder, since servers of several tests use it.
        cls.folder = os.path.join(BUILD, "bench-certificates")
        os.makedirs(cls.folder, exist_ok=True)
        cls.pair = Tls.pair = Authority(cls.folder).issue("localhost")

    def tlsserver(self):
        return self.bare("tlsserver", *self.pair)

    def result(self, run):
        self.assertEqual(run.returncode, 0, run.stderr)
        return pairs(run.stdout.decode())


class UnderTls(SecureTest):
    def test_message_octets_under_tls_are_counted_in_records_of_any_size(self):
        for piece in (1, 7, 256, 100000):
            for pipelined in (0, 1):
                with self.subTest(piece=piece, pipelined=pipelined):
                    server = self.fake(TlsMailServer, piece)
                    result = self.result(self.loadgen("retr", port=server.port, clients=1,
                                                      milliseconds=0, pipelined=pipelined, tls=1))
                    self.assertEqual((result["messages"], result["octets"]), (8, BODIES_OCTETS))
                    self.count()

    def test_sessions_without_a_ticket_are_all_new(self):
        result = self.result(self.loadgen("logins", port=self.tlsserver(), users=8, clients=8,
                                          milliseconds=200, tls=1))
        self.assertGreater(result["sessions"], 8)
        self.assertEqual((result["offered"], result["resumed"]), (0, 0))

    def test_tickets_that_are_taken_are_counted(self):
        result = self.result(self.loadgen("logins", port=self.tlsserver(), users=8, clients=8,
                                          milliseconds=200, tls=1, resume=1))
        self.assertEqual(result["offered"], result["sessions"] - 8)
        self.assertEqual(result["resumed"], result["offered"])
        self.assertGreater(result["offered"], 8)

    def test_tickets_that_are_not_taken_are_counted(self):
        server = self.fake(ForgetfulServer)
        result = self.result(self.loadgen("logins", port=server.port, users=1, clients=1,
                                          milliseconds=300, tls=1, resume=1))
        self.assertEqual((result["offered"], result["resumed"]), (result["sessions"] - 1, 0))
        self.assertGreater(result["offered"], 1)

    def test_idle_sessions_under_tls_are_opened_and_held(self):
        run = self.loadgen("idle", port=self.tlsserver(), users=100, tls=1)
        self.assertEqual(run.stdout, b"open=100\nlost=0\n")

    def test_handshakes_are_greeted_and_end(self):
        server = self.fake(TlsMailServer)
        asked = []
        answer = server.answer
        server.answer = lambda words: asked.append(words) or answer(words)
        result = self.result(self.loadgen("handshakes", port=server.port, users=1, clients=1,
                                          milliseconds=200, tls=1))
        self.assertGreater(result["sessions"], 1)
        self.assertEqual(asked, [[b"QUIT"]] * result["sessions"])

    def test_server_without_tls_makes_the_run_void(self):
        run = self.loadgen("logins", port=self.bare("pollserver"), users=1, clients=1,
                           milliseconds=200, tls=1)
        self.assertEqual(run.returncode, 1)
        self.assertIn(b"handshake", run.stderr)


class Refusals(SecureTest):
    def test_refused_groups_are_counted(self):
        result = self.result(self.loadgen("refused", port=self.tlsserver(), count=50))
        self.assertEqual(result["refused"], 50)

    def test_server_that_takes_finite_field_groups_makes_the_run_void(self):
        server = self.fake(TlsMailServer)
        run = self.loadgen("refused", port=server.port, count=50)
        self.assertEqual(run.returncode, 1)
        self.assertIn(b"not refused", run.stderr)


class Guesses(SecureTest):
    def test_wrong_password_that_is_right_makes_the_run_void(self):
        command = [os.path.join(BUILD, "loadgen"), "flood", "users=2", "clients=2",
                   f"port={self.bare('pollserver')}"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE) as flood:
            self.addCleanup(flood.kill)
            self.assertEqual(flood.wait(GUARD), 1)
            self.assertIn(b"a wrong password was right", flood.stderr.read())

    def test_what_a_flood_does_to_others_is_measured(self):
        server = self.fake(GuessedServer)
        server.name = "fake"
        server.tail = lambda: ""
        program = os.path.join(BUILD, "loadgen")
        seen, wrong = measure.flood(measure.Loadgen(program), measure.Loadgen(program), server, 5,
                                    0.3, clients=3)
        self.assertGreater(wrong, 0)
        # Of 300 and some for each login, those that were due while the server stood still.
        self.assertGreater(seen["noop_p99"], SLOW_SECONDS / 2 * 1e9)
        self.assertGreater(seen["login"], SLOW_SECONDS * 1e9)
        self.assertGreater(seen["noop_count"], 300)


class Processor(LoadTest):
    def test_cpu_of_a_server_is_that_of_all_its_threads(self):
        burn = ("import hashlib, resource, threading\n"
                "done = threading.Event()\n"
                "def run():\n"
                "    hashlib.pbkdf2_hmac('sha256', b'', b'', 400000)\n"
                "    done.set()\n"
                "    threading.Event().wait()\n"
                "threading.Thread(target=run, daemon=True).start()\n"
                "done.wait()\n"
                "used = resource.getrusage(resource.RUSAGE_SELF)\n"
                "print(used.ru_utime + used.ru_stime, flush=True)\n"
                "threading.Event().wait()\n")
        with subprocess.Popen([sys.executable, "-c", burn], stdout=subprocess.PIPE) as process:
            self.addCleanup(process.kill)
            used = float(process.stdout.readline())
            process.processes = lambda: [process.pid]
            measured = measure.cpu_nanoseconds(process) / 1e9
            process.kill()
        self.assertGreater(used, 0.1)
        self.assertAlmostEqual(measured, used, delta=0.03)
