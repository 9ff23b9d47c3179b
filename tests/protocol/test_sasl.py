"""SASL exchanges that are malformed or left, at each of their steps: exactly one answer, one line in
the log, and a session that goes on."""

import hashlib
import hmac
import socket
import struct

from ground import Endings, baseline
from support.case import TestCase
from support.scram import Scram, challenge_of, encode
from support.wire import Client

DENIED = "-ERR [AUTH] authentication failed"
NO_BASE64 = "-ERR response is not base64"
MALFORMED = "-ERR malformed response"
CANCELLED = "-ERR authentication cancelled"
TOO_LONG = "-ERR line too long"
CONTROL = "-ERR line has control characters"
READY = "+OK maildrop ready"
PLAIN = b"AGFsaWNlAHdvbmRlcmxhbmQ="  # NUL alice NUL wonderland
LIMIT = 12288  # octets of a response, CRLF included

# How far an exchange may go before it goes wrong: its name, and a function that goes there.
STEPS = {}
# What each step takes an empty response for.
EMPTY = {}


def step(name, empty):
    def keep(function):
        STEPS[name] = function
        EMPTY[name] = empty
        return function
    return keep


@step("plain", MALFORMED)
def plain(client):
    return client.command("AUTH PLAIN") == "+ "


@step("login: name", MALFORMED)
def login_name(client):
    return client.command("AUTH LOGIN") == "+ VXNlcm5hbWU6"


@step("login: password", MALFORMED)
def login_password(client):
    return client.command("AUTH LOGIN YWxpY2U=") == "+ UGFzc3dvcmQ6"


@step("cram-md5", MALFORMED)
def cram_md5(client):
    return client.command("AUTH CRAM-MD5").startswith("+ ")


@step("scram: nothing said", DENIED)
def scram_begun(client):
    return client.command("AUTH SCRAM-SHA-256") == "+ "


@step("scram: challenged", DENIED)
def scram_challenged(client, scram=None):
    scram = scram or Scram("alice", b"wonderland")
    client.shown = client.command("AUTH SCRAM-SHA-256 " + encode(scram.first()).decode())
    return client.shown.startswith("+ ")


@step("scram: proven", READY)
def scram_proven(client):
    scram = Scram("alice", b"wonderland")
    scram_challenged(client, scram)
    return client.command(encode(scram.final(challenge_of(client.shown)))).startswith("+ ")


# Responses that no step of any mechanism takes.
WRONG_ANYWHERE = {
    "*": CANCELLED,
    "=": NO_BASE64,
    "YWJj ": NO_BASE64,
    " YWJj": NO_BASE64,
    "YW Jj": NO_BASE64,
    "YWJ": NO_BASE64,
    "YQ": NO_BASE64,
    "YQ=": NO_BASE64,
    "YR==": NO_BASE64,
    "YWF=": NO_BASE64,
    "Y===": NO_BASE64,
    "====": NO_BASE64,
    "YQ==YQ==": NO_BASE64,
    "YW=j": NO_BASE64,
    "YWJj====": NO_BASE64,
    "YW-_": NO_BASE64,
    "YW\u00e9": NO_BASE64,
    "**": NO_BASE64,
    "\0": CONTROL,
    "YW\tJj": CONTROL,
    "YW\rJj": CONTROL,
    "A" * (LIMIT - 2 + 1): TOO_LONG,
    "A" * 40000: TOO_LONG,
}


class Ground(TestCase):
    """A server, and what is checked of each exchange."""

    def setUp(self):
        self.running = self.server("--apop", "yes")
        self.running.expect_log(r"event=(login|login_refused|sasl_refused)\b")
        self.endings = Endings(self.running)
        self.sessions = 0
        self.lines = 0

    def refusals(self):
        """Log lines about what was refused since the last call, by all sessions that are over."""
        self.sessions += 1
        self.wait_until(lambda: self.endings.seen() >= self.sessions,
                        lambda: "the session does not end")
        lines = [line for line in self.running.log_lines()
                 if " event=sasl_refused " in line or " event=login_refused " in line]
        fresh, self.lines = lines[self.lines:], len(lines)
        return fresh

    def goes_on(self, client, answer):
        """One answer and no other; a session that goes on."""
        if answer == READY:
            self.assertEqual("+OK 0 0", client.command("STAT"))
        else:
            self.assertEqual("-ERR command not valid in this state", client.command("STAT"))
            self.assertEqual("+OK send PASS", client.command("USER alice"))
        client.quit()

    def check(self, reach, response, answer):
        """The answer to this response at this step; a refusal is one line in the log."""
        with Client(self.running.address) as client:
            self.assertTrue(reach(client), "the step is not reached")
            client.send(response + b"\r\n")
            self.assertEqual(answer, client.line().decode(), f"{response[:80]!r}")
            self.goes_on(client, answer)
        self.count()
        expected = 0 if answer in (CANCELLED, READY) else 1
        lines = self.refusals()
        self.assertEqual(expected, len(lines), f"{response[:80]!r}: {lines}")
        self.assertNotIn("wonderland", "".join(lines))


class Sasl(Ground):
    """Responses that are wrong at a step, or come where there is none."""

    def test_what_no_step_takes_gets_one_answer_at_each(self):
        for name, reach in STEPS.items():
            for response, answer in WRONG_ANYWHERE.items():
                with self.subTest(step=name, response=response[:20]):
                    self.check(reach, response.encode(), answer)

    def test_an_empty_line_is_a_response_of_no_octets(self):
        for name, reach in STEPS.items():
            with self.subTest(step=name):
                self.check(reach, b"", EMPTY[name])

    def test_longest_response_is_judged_by_the_mechanism(self):
        longest = b"A" * (LIMIT - 4)  # a multiple of four, two octets short of the limit
        for name, reach in STEPS.items():
            with self.subTest(step=name):
                answer = DENIED if name.startswith("scram") else MALFORMED
                self.check(reach, longest, answer)

    def test_a_response_after_the_end_is_no_command(self):
        for response in (PLAIN, b"*", b"="):
            with Client(self.running.address) as client:
                plain(client)
                self.assertEqual(READY, client.command(PLAIN))
                self.assertEqual("-ERR unknown command", client.command(response))
                self.assertEqual("-ERR command not valid in this state",
                                 client.command(b"AUTH PLAIN " + PLAIN))
                self.assertEqual("-ERR command not valid in this state", client.command("AUTH"))
                self.goes_on(client, READY)
            self.count()
            self.assertEqual([], self.refusals())

    def test_unknown_mechanisms_are_no_exchange(self):
        for arguments in (b"XYZZY", b"XYZZY =", b"XYZZY " + PLAIN, b"SCRAM-SHA-256-PLUS",
                          b"SCRAM-SHA-256-PLUS biws", b"EXTERNAL", b"EXTERNAL =", b"SCRAM-SHA-512"):
            with Client(self.running.address) as client:
                self.assertEqual("-ERR mechanism is not available",
                                 client.command(b"AUTH " + arguments))
                self.assertEqual("-ERR unknown command", client.command(PLAIN))
                self.goes_on(client, DENIED)
            self.count()
            self.assertEqual([], self.refusals())

    def test_nul_and_its_absence_in_plain(self):
        wrong = (b"", b"alice", b"\0alice", b"\0alice\0", b"\0\0wonderland", b"\0\0", b"\0\0\0",
                 b"\0alice\0wonderland\0", b"\0alice\0wonder\0land", b"\0alice\0\0wonderland",
                 b"\0alice\0wonderland\0x", b"\0al ice\0wonderland", b"\0alice\n\0wonderland",
                 b"a b\0alice\0wonderland", b"\x7f\0alice\0wonderland")
        for message in wrong:
            self.check(plain, encode(message), MALFORMED)
        self.check(plain, encode(b"bob\0alice\0wonderland"), DENIED)
        self.check(plain, encode(b"alice\0alice\0wonderland"), READY)

    def test_nul_in_login_and_cram_md5(self):
        self.check(login_name, encode(b"al\0ice"), MALFORMED)
        self.check(login_password, encode(b"wonder\0land"), MALFORMED)
        for message in (b"alice", b"alice ", b" x", b"alice\0 x", b"al ice x", b"alice x\0"):
            self.check(cram_md5, encode(message), MALFORMED)
        self.check(cram_md5, encode(b"alice x"), DENIED)

    def test_commands_behind_auth_are_responses(self):
        with Client(self.running.address) as client:
            client.send(b"AUTH PLAIN\r\nCAPA\r\nSTAT\r\nAUTH LOGIN\r\nQUIT\r\nQUIT\r\n")
            client.finish_sending()
            self.assertEqual(b"+ \r\n-ERR malformed response\r\n"
                             b"-ERR command not valid in this state\r\n+ VXNlcm5hbWU6\r\n"
                             b"-ERR malformed response\r\n+OK bye\r\n",
                             client.rest())
        self.assertEqual(2, len(self.refusals()))
        with Client(self.running.address) as client:
            client.send(b"AUTH PLAIN\r\n" + PLAIN + b"\r\nSTAT\r\nQUIT\r\n")
            client.finish_sending()
            self.assertEqual(b"+ \r\n+OK maildrop ready\r\n+OK 0 0\r\n+OK bye\r\n", client.rest())
        self.assertEqual([], self.refusals())
        self.count(2)


class Proofs(Ground):
    """The two messages of SCRAM, by a client that knows the password and proves what it says."""

    def message(self, client, bound=b"n,,", nonce=b"", between=b"", behind=b"", flip=False):
        """Goes to the challenge; the second message, with the right proof of what is in it."""
        scram = Scram("alice", b"wonderland")
        self.assertTrue(scram_challenged(client, scram))
        challenge = challenge_of(client.shown)
        scram.final(challenge)
        fields = dict(field.split(b"=", 1) for field in challenge.split(b","))
        said = b"c=" + encode(bound) + b",r=" + fields[b"r"] + nonce + between
        salted = hashlib.pbkdf2_hmac("sha256", b"wonderland", scram.salt, scram.iterations)
        key = hmac.digest(salted, b"Client Key", "sha256")
        stored = hashlib.sha256(key).digest()
        signature = hmac.digest(stored, scram.bare + b"," + challenge + b"," + said, "sha256")
        proof = bytearray(a ^ b for a, b in zip(key, signature))
        proof[-1] ^= flip
        return said + b",p=" + encode(bytes(proof)) + behind

    def check_final(self, answer, **changes):
        """The answer that a second message gets; `READY` stands for a proof that was taken."""
        with Client(self.running.address) as client:
            line = client.command(encode(self.message(client, **changes)))
            if answer == READY:
                self.assertTrue(line.startswith("+ "), line)
                line = client.command("")
            self.assertEqual(answer, line, f"{changes}")
            self.goes_on(client, answer)
        self.count()
        self.assertEqual(int(answer != READY), len(self.refusals()))

    def test_what_is_said_must_be_what_was_agreed(self):
        self.check_final(READY)
        self.check_final(DENIED, flip=True)
        self.check_final(DENIED, nonce=b"x")
        for bound in (b"", b"y,,", b"n,,x", b"n,", b"p=tls-exporter,," + bytes(32), b"n,a=bob,"):
            self.check_final(DENIED, bound=bound)

    def test_extensions_are_ignored_unless_they_are_mandatory(self):
        self.check_final(READY, between=b",x=1")
        self.check_final(DENIED, between=b",m=1")
        self.check_final(DENIED, between=b",x=1,m=1")
        self.check_final(DENIED, behind=b",x=1")
        self.check_final(DENIED, behind=b",m=1")

    def test_first_messages_that_are_none(self):
        for message in (b"n", b"n,,", b"n,,n=alice", b"n,,r=abc", b",,n=alice,r=abc",
                        b"x,,n=alice,r=abc", b"n,n=alice,r=abc", b"n,alice,n=alice,r=abc",
                        b"n,,m=1,n=alice,r=abc", b"n,,n=alice,r=abc,m=1", b"n,,n=,r=abc",
                        b"n,,n=al=ice,r=abc", b"n,,r=abc,n=alice", b"n,,n=alice,r=",
                        b"n,,n=al\0ice,r=abc", b"n,,n=al\xffice,r=abc",
                        b"p=tls-exporter,,n=alice,r=abc", b"p=tls-unique,,n=alice,r=abc"):
            with self.subTest(message=message):
                self.check(scram_begun, encode(message), DENIED)

    def test_a_second_message_that_is_none(self):
        for message in (b"c=biws", b"p=AAAA", b"c=biws,p=AAAA", b"n,,n=alice,r=abc", b"e=other",
                        b"c=biws,r=abc,p=AAAA", b"c=biws,r=abc", b"c=biws,r=abc,p="):
            self.check(scram_challenged, encode(message), DENIED)

    def test_the_last_response_has_no_octets(self):
        self.check(scram_proven, encode(b"x"), DENIED)
        self.check(scram_proven, encode(b"\0"), DENIED)


class Left(TestCase):
    """A peer that vanishes at a step."""

    def test_a_peer_that_vanishes_at_any_step_leaves_nothing(self):
        running = self.server("--apop", "yes")
        before = baseline(running)
        endings = Endings(running)
        sessions = endings.seen()
        for rest in (b"", b"YWJj", b"YWJj\r\n"):
            for reach in STEPS.values():
                for linger in (False, True):
                    client = Client(running.address)
                    self.assertTrue(reach(client))
                    client.send(rest)
                    if linger:
                        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                                 struct.pack("ii", 1, 0))
                    client.close()
                    sessions += 1
                    self.count()
        running.expect_log(r"event=(login|login_refused|sasl_refused)\b")
        self.wait_until(lambda: endings.seen() >= sessions,
                        lambda: f"{sessions} sessions, {endings.count} ended")
        self.wait_until(lambda: running.descriptors() <= before,
                        lambda: f"{before} descriptors before, {running.descriptors()} after")
        with Client(running.address) as client:
            client.login()
            client.quit()
