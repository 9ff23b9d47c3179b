"""Records inside the encryption that do not belong there, at each moment of a session: what the
table in record_cases.py says happens, one line in the log, nothing deleted and nothing left
behind."""

import os
import re
import socket
import time

from record_cases import CASES, ENDED, Outcome, key_updates
from tls_ground import NO_QUARANTINE, TlsCase, VERSIONS, WAYS
from support import messages
from support.tls_records import DATA, FINISHED, HANDSHAKE, WARNING, message
from support.tls_talk import Logged, RecordTalk

# As there are many kinds, half as many of each as of records in the clear.
EVERY = 2 * int(os.environ.get("POP3_RECORDS_EVERY", "7")) - 1
PATIENCE = 8           # seconds; what happens does so at once
FAILURES_MAX = 10      # each may take all of that
MEMORY_ROUNDS = 3 if EVERY > 1 else 20
MEMORY_CASES = 9       # each of so many
# That may come in all rounds together; the address sanitizer's allocator is long in filling.
MEMORY_KIB_MAX = int(os.environ.get("POP3_RECORDS_KIB", "24"))

# In place of our Finished; behind it, before the greeting is read; before the login; in the middle
# of a command; with a message marked as deleted; while a reply is sent that nobody reads; behind
# QUIT.
MOMENTS = ("shaking", "greeting", "authorization", "line", "marked", "reply", "quit")
MAIL = b"Subject: long\r\n\r\n" + b"x" * 78 + b"\r\n"
LONG = MAIL * 4000
REPLY = b"+OK %d octets\r\n" % len(LONG) + LONG + b".\r\n"
SMALL = 16384  # octets that the client's kernel takes, so that the reply stays with the server
QUIT = Outcome([(WARNING, 0)], "quit")  # whatever comes behind it
CUT = re.compile("the TLS stream was cut off|the stream ended in the TLS handshake")


class Tail:
    """The lines that come into a log."""

    def __init__(self, path):
        self.file = open(path, encoding="utf-8")
        self.text = ""

    def take(self):
        """All that has come since."""
        self.text += self.file.read()
        lines, end, self.text = self.text.rpartition("\n")
        return (lines + end).splitlines()

    def close(self):
        self.file.close()


class SealedRecords(TlsCase):
    def serve(self, *arguments, **options):
        self.target = self.tls_server("--max-connections-per-user", "1000", *arguments, **options)
        self.target.plant([MAIL, LONG])
        folder = self.temporary()
        self.contexts = {version: Logged(self.ca, version, folder) for version in VERSIONS}
        self.tail = Tail(self.target.log_path)
        self.addCleanup(self.tail.close)

    # -- a session up to its moment

    def talk(self, moment, way, version):
        talk = RecordTalk(self.address(self.target, way), self.contexts[version], way == "stls",
                          SMALL if moment == "reply" else None)
        talk.socket.settimeout(PATIENCE)
        talk.shake_to_finished()
        if moment != "shaking":
            talk.finish()
            self.to_moment(talk, moment, way)
        return talk

    def to_moment(self, talk, moment, way):
        if moment == "greeting":
            return
        if way == "implicit":
            talk.line()
        if moment == "line":
            talk.writes(b"CA")
        if moment in ("authorization", "line"):
            return
        for command in (b"USER alice", b"PASS wonderland", b"DELE 1"):
            talk.ok(command)
        if moment == "reply":
            talk.says(b"RETR 2")
        elif moment == "quit":
            talk.ok(b"RSET")

    # -- what happens then

    def send(self, talk, octets):
        """The server may have had enough of them before the last."""
        try:
            talk.socket.sendall(octets)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def go_on(self, talk, moment):
        if moment == "shaking":
            talk.send_finished()
        else:
            talk.says(b"PA" if moment == "line" else b"CAPA")

    def check_goes_on(self, talk, moment):
        self.go_on(talk, moment)
        if moment == "shaking":
            talk.take_finished()
            talk.says(b"CAPA")
        said = talk.until(b"\r\n.\r\n")
        if moment == "reply":
            self.assertEqual(said, REPLY)
            said = talk.until(b"\r\n.\r\n")
        self.assertRegex(said, rb"\A(\+OK POP3 server ready\r\n)?\+OK\r\n")
        self.assertEqual((talk.text, talk.alerts), (b"", []))

    def check_end(self, talk, moment, way, outcome):
        """Nothing is said but what was owed before."""
        talk.to_the_end()
        self.assertEqual(talk.alerts, outcome.alerts)
        if moment == "reply" and outcome is ENDED:
            self.assertEqual(talk.text, REPLY)
        elif moment == "reply":
            self.assertTrue(REPLY.startswith(talk.text))
        elif moment == "greeting" and way == "implicit":
            # In TLS 1.3 the record may be there before the greeting is.
            self.assertIn(talk.text, (b"", b"+OK POP3 server ready\r\n"))
        else:
            self.assertEqual(talk.text, b"+OK bye\r\n" if moment == "quit" else b"")

    def lines(self):
        """What the log says of a session that has ended."""
        lines = []
        end = time.monotonic() + PATIENCE
        while not any("event=closed" in line for line in lines) and time.monotonic() < end:
            time.sleep(0.0005)
            lines += self.tail.take()
        return lines

    def check_lines(self, lines, reason, moment):
        user = "alice" if moment in ("marked", "reply", "quit") else ""
        self.assertEqual(len(lines), 1, lines)
        self.assertRegex(lines[0], rf'event=closed user="{user}" .* deleted=0 reason={reason} ')
        self.assertEqual(' error="' in lines[0], reason == "tls" or bool(CUT.search(lines[0])))

    def send_case(self, case, moment, way, version):
        outcome = case.outcome(moment, version)
        talk = self.talk(moment, way, version)
        before = b""
        if moment == "quit":
            outcome = QUIT
            before = talk.out.seal(DATA, b"QUIT\r\n")
        try:
            self.send(talk, before + case.send(talk))
            if outcome.then == "goes on":
                self.check_goes_on(talk, moment)
            else:
                if outcome.then == "too late":
                    self.go_on(talk, moment)
                elif outcome.then == "ends":
                    talk.socket.shutdown(socket.SHUT_WR)
                self.check_end(talk, moment, way, outcome)
        finally:
            talk.socket.close()
            lines = self.lines()
        self.check_lines(lines, outcome.reason, moment)

    def test_a_sealed_record_that_does_not_belong_there_has_one_outcome_and_one_line(self):
        self.serve()
        planted = messages.files(self.target.box())
        other = self.tls_client(self.target, "implicit", login="bob")
        combinations = [(moment, way, version) for moment in MOMENTS for way in WAYS
                        for version in VERSIONS]
        tried = runs = 0
        with self.no_descriptor_leak(self.target):
            # Not the same combinations of each case.
            for shift, case in enumerate(CASES):
                for moment, way, version in combinations[shift % EVERY::EVERY]:
                    if not case.outcome(moment, version):
                        continue
                    tried += 1
                    with self.subTest(case=case.name, moment=moment, way=way, version=version):
                        self.send_case(case, moment, way, version)
                        runs += 1
                self.assertLess(tried - runs, FAILURES_MAX, "failures; the rest is not tried")
                other.ok("NOOP")
        self.assertEqual(self.tail.take(), [])
        other.quit()
        self.assertEqual(messages.files(self.target.box()), planted)
        self.count(runs)

    def test_sealed_records_leave_no_memory_behind(self):
        self.serve(env=NO_QUARANTINE)
        some = [(case, moment, "implicit", version) for case in CASES[::MEMORY_CASES]
                for moment in ("shaking", "authorization") for version in VERSIONS
                if case.outcome(moment, version)]
        for what in 2 * some:
            self.send_case(*what)
        before = self.target.private_kib()
        for what in MEMORY_ROUNDS * some:
            self.send_case(*what)
        self.count(MEMORY_ROUNDS * len(some))
        self.assertLess(self.target.private_kib() - before, MEMORY_KIB_MAX, f"{self.cases} sessions")

    def test_key_updates_are_bounded_in_a_second_and_not_in_a_session(self):
        self.serve()
        talks = [(self.talk("authorization", way, "TLS1.3"), request)
                 for way in WAYS for request in (0, 1)]
        for _ in range(3):
            for talk, request in talks:
                talk.socket.sendall(key_updates(8, request)(talk))
                self.check_goes_on(talk, "authorization")
            time.sleep(1.1)
        for talk, request in talks:
            # One answer for all that has been asked for since the last words.
            self.assertEqual(talk.updates, 3 * request)
            talk.socket.close()
        self.count(len(talks))

    def test_half_a_message_is_waited_for_until_the_deadline_and_no_longer(self):
        self.serve("--handshake-timeout", "5", "--login-timeout", "5")
        half = message(FINISHED, bytes(32))[:20]
        talks = []
        for way in WAYS:
            # In a session of TLS 1.2 it is refused at once.
            for moment, version in (("shaking", "TLS1.2"), ("shaking", "TLS1.3"),
                                    ("line", "TLS1.3")):
                talk = self.talk(moment, way, version)
                talk.socket.sendall(talk.out.seal(HANDSHAKE, half))
                talks.append(talk)
        for talk in talks:
            talk.to_the_end()
            self.assertEqual(talk.text, b"")
            talk.socket.close()
        lines = []
        self.wait_until(lambda: lines.extend(self.tail.take()) or len(lines) == len(talks),
                        lambda: str(lines))
        for line in lines:
            self.assertRegex(line, "event=closed .* reason=timeout ")
        self.count(len(talks))
