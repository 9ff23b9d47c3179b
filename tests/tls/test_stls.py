"""STLS injection: nothing that was sent before the handshake is executed after it."""

import os
import re
import ssl
import time

from tls_ground import TlsCase, VERSIONS
from support.wire import Client, Gone

RUNS = int(os.environ.get("POP3_STLS_RUNS", "300"))
FEW = max(10, RUNS // 50)
PLANTED = b"USER mallory\r\nPASS secret\r\nDELE 1\r\nQUIT\r\n"
USERS = {"alice": "wonderland", "mallory": "secret"}


class Injection(TlsCase):
    def setUp(self):
        super().setUp()
        # Nobody here needs TLS for a password: what is planted would work, if it were heard.
        self.target = self.tls_server("--require-tls", "never", users=USERS)
        self.target.plant([b"Subject: one\n\none\n"], user="mallory")
        self.target.plant([b"Subject: one\n\none\n"], user="alice")

    def tearDown(self):
        """No login of mallory, no message gone."""
        with Client(self.target.address) as client:
            client.login("mallory", "secret")
            self.assertEqual(client.command("STAT").split()[1], "1")
            client.quit()
        sessions = re.findall(r'event=closed user="mallory"', self.target.log_text())
        self.assertLessEqual(len(sessions), 1)
        self.assertNotIn("deleted=1", self.target.log_text())

    def secure(self, client):
        """Go on as a victim would: the handshake, then a command; its answer must be the first
        thing that is heard. False: the server would not."""
        try:
            if not client.line().startswith(b"+OK"):
                return False
            if client.pending:  # then an alert and nothing else
                self.assertRegex(bytes(client.pending), rb"(?s)\A\x15\x03.\x00\x02..\Z")
                return False
            client.socket = self.ca.context().wrap_socket(client.socket)
            client.send(b"XNOSUCH\r\n")
            self.assertEqual(client.line(), b"-ERR unknown command", "something else was heard")
            client.send(b"CAPA\r\n")
            self.assertEqual(client.line(), b"+OK", "something else was heard")
        except (Gone, ssl.SSLError, OSError):
            return False
        return True

    def test_commands_behind_stls_in_one_segment_are_never_executed(self):
        for _ in range(RUNS):
            with Client(self.target.address) as client:
                client.send(b"STLS\r\n" + PLANTED)
                self.assertFalse(self.secure(client), "the connection was not closed")
                self.assertEqual(bytes(client.transcript), b"+OK POP3 server ready\r\n")
        self.assert_log('reason=refused .*error="octets behind STLS"', self.target)
        self.count(RUNS)

    def test_a_handshake_behind_stls_in_one_segment_is_not_begun(self):
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        talk = self.ca.context().wrap_bio(incoming, outgoing)
        with self.assertRaises(ssl.SSLWantReadError):
            talk.do_handshake()
        hello = outgoing.read()
        for between in (b"", PLANTED):
            for _ in range(FEW):
                with Client(self.target.address) as client:
                    client.send(b"STLS\r\n" + between + hello)
                    self.assertEqual(client.rest(), b"")
        self.count(2 * FEW)

    def test_commands_behind_stls_octet_by_octet_are_never_executed(self):
        for i in range(FEW):
            with Client(self.target.address) as client:
                client.send_bytewise(b"STLS\r\n")
                if i % 2:
                    time.sleep(0.001)  # so that some come before, some after the +OK has left
                try:
                    client.send_bytewise(PLANTED)
                except OSError:
                    pass  # it has had enough
                self.assertFalse(self.secure(client))
        self.count(FEW)

    def test_plaintext_behind_a_completed_handshake_ends_the_session(self):
        for i in range(FEW):
            way = ("stls", "implicit")[i % 2]
            client = self.tls_client(self.target, way, login="alice",
                                     version=VERSIONS[i // 2 % 2])
            raw = os.dup(client.socket.fileno())
            try:
                os.write(raw, b"DELE 1\r\nQUIT\r\n")
                with self.assertRaises((ssl.SSLError, Gone, OSError)):
                    while client.receive():
                        pass
                    raise Gone("the end")
            finally:
                os.close(raw)
                client.close()
        self.assert_log("event=closed user=\"alice\" .*deleted=0 reason=tls", self.target)
        self.count(FEW)

    def test_commands_in_one_record_are_answered_though_the_socket_is_silent(self):
        for i in range(FEW):
            client = self.tls_client(self.target, ("stls", "implicit")[i % 2],
                                     version=VERSIONS[i // 2 % 2])
            client.send(b"STLS\r\nUSER alice\r\nPASS wonderland\r\nSTAT\r\nSTLS\r\nNOOP\r\n")
            self.assertEqual([client.line() for _ in range(6)],
                             [b"-ERR TLS is active already", b"+OK send PASS",
                              b"+OK maildrop ready", b"+OK 1 21", b"-ERR TLS is active already",
                              b"+OK"])
            client.quit()
        self.count(FEW)

    def test_what_was_said_before_the_handshake_is_forgotten(self):
        with Client(self.target.address) as client:
            client.ok("USER mallory")
            client.ok("STLS")
            client.socket = self.ca.context().wrap_socket(client.socket)
            self.assertEqual(client.command("PASS secret"), "-ERR send USER first")


class Capabilities(TlsCase):
    def test_capa_shows_stls_before_and_not_after(self):
        server = self.tls_server()
        plain = self.client(server)
        self.assertIn("STLS", plain.lines("CAPA"))
        for way in ("stls", "implicit"):
            self.assertNotIn("STLS", self.tls_client(server, way).lines("CAPA"))
        plain.login()
        self.assertNotIn("STLS", plain.lines("CAPA"))
        self.assertRegex(plain.command("STLS"), "^-ERR ")

    def test_without_a_certificate_there_is_no_stls(self):
        client = self.client(self.server())
        self.assertNotIn("STLS", client.lines("CAPA"))
        self.assertEqual(client.command("STLS"), "-ERR unknown command")

    def test_tls_is_required_where_that_is_set(self):
        server = self.tls_server("--require-tls", "always")
        client = self.client(server)
        self.assertNotIn("USER", client.lines("CAPA"))
        for line in ("USER alice", "PASS wonderland", "APOP alice x", "AUTH PLAIN", "AUTH"):
            self.assertEqual(client.command(line), "-ERR TLS is required here: send STLS first")
        secured = self.tls_client(server, "stls", login="alice")
        self.assertIn("USER", secured.lines("CAPA"))
        self.tls_client(server, "implicit", login=None).ok("USER alice")

    def test_a_first_line_of_http_closes_the_connection(self):
        server = self.tls_server()
        for client in (self.client(server), self.tls_client(server, "implicit")):
            client.send(b"POST / HTTP/1.1\r\nHost: x\r\n\r\nUSER alice\r\n")
            self.assertEqual(client.rest(), b"")
        self.assert_log('error="speaks HTTP"', server)
