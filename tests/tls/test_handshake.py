"""Handshakes: how long they may take, what is refused, what they leave."""

import os
import socket
import ssl
import subprocess
import time

from tls_ground import TlsCase, VERSIONS, WAYS, hello_of
from support.tls_talk import Talk
from support.wire import Client, connect

HALF = 200           # connections that never finish their handshake
RESUMED = 10         # handshakes in a row
AT_ONCE = 5          # seconds; less than any deadline


class Handshake(TlsCase):
    def test_old_protocols_and_ciphers_are_refused(self):
        server = self.tls_server()
        offers = (["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"], ["-tls1", "-cipher", "ALL:@SECLEVEL=0"],
                  ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA"],
                  ["-tls1_2", "-cipher", "AES128-GCM-SHA256"],
                  ["-tls1_2", "-cipher", "DHE-RSA-AES128-GCM-SHA256"],
                  ["-tls1_3", "-groups", "ffdhe2048"], ["-tls1_3", "-groups", "P-521"])
        for offer in offers:
            for way, extra in (("stls", ["-starttls", "pop3"]), ("implicit", [])):
                host, port = self.address(server, way)
                done = subprocess.run(["openssl", "s_client", "-connect", f"{host}:{port}", *extra,
                                       *offer], stdin=subprocess.DEVNULL, capture_output=True,
                                      check=False)
                text = (done.stdout + done.stderr).decode()
                self.assertRegex(text, "alert (handshake failure|protocol version)", offer)
                self.count()
        self.fails(server, "")

    def test_tickets_permit_no_early_data(self):
        """What comes with a resumed handshake could be sent again by somebody else."""
        server = self.tls_server()
        kept = os.path.join(self.temporary(), "session")
        for way, extra in (("stls", ["-starttls", "pop3"]), ("implicit", [])):
            host, port = self.address(server, way)
            with subprocess.Popen(["openssl", "s_client", "-quiet", "-tls1_3", "-sess_out", kept,
                                   "-connect", f"{host}:{port}", *extra], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
                # With the answer the ticket has come.
                process.stdin.write(b"NOOP\r\n")
                process.stdin.flush()
                while b"-ERR" not in process.stdout.readline():
                    pass
                # With -quiet it does not end with its input, but with the session.
                process.stdin.write(b"QUIT\r\n")
                process.stdin.close()
                process.wait()
            text = subprocess.run(["openssl", "sess_id", "-in", kept, "-noout", "-text"],
                                  capture_output=True, check=True).stdout
            self.assertIn(b"TLS session ticket:", text)
            self.assertIn(b"Max Early Data: 0\n", text)
            self.count()

    def test_handshakes_that_never_end_are_ended_and_others_are_served(self):
        server = self.tls_server("--handshake-timeout", "4")
        hello = hello_of("-tls1_3")
        halves = []
        for i in range(HALF):
            if i % 2:
                client = Client(server.address)
                client.ok("STLS")
                sock = client.socket
            else:
                sock = connect(self.address(server, "implicit"))
            sock.sendall((b"", hello[:1], hello[:200], hello)[i // 2 % 4])
            halves.append(sock)
        begun = time.monotonic()
        with self.subTest("a good client"):
            self.tls_client(server, "implicit", login="alice").quit()
            self.assertLess(time.monotonic() - begun, 3)
        for sock in halves:
            try:
                while sock.recv(65536):
                    pass
            except ConnectionResetError:
                pass
            sock.close()
        self.assertLess(time.monotonic() - begun, 20)
        self.wait_until(lambda: server.log_text().count("the TLS handshake took too long") == HALF,
                        lambda: server.log_text()[-2000:])
        self.count(HALF)

    def test_every_kind_of_record_in_place_of_a_handshake_is_one_close_and_one_line(self):
        server = self.tls_server()
        lines = 0
        bodies = (b"", b"\0", b"\1\0", b"\2\50", bytes(64), b"\xff" * 300)
        for kind in (0, 20, 21, 22, 23, 24, 64, 128, 255):
            for body in bodies:
                for version in (b"\3\1", b"\3\3", b"\2\0"):
                    with connect(self.address(server, "implicit")) as sock:
                        record = bytes((kind,)) + version + len(body).to_bytes(2, "big") + body
                        sock.sendall(record)
                        sock.shutdown(socket.SHUT_WR)
                        got = b""
                        try:
                            got = sock.recv(4096)
                        except ConnectionResetError:
                            pass
                        self.assertTrue(got == b"" or got[0] == 21, got)
                    lines += 1
        self.wait_until(lambda: server.log_text().count("event=closed") == lines,
                        lambda: server.log_text()[-2000:])
        self.assertEqual(server.log_text().count("\n"), lines)
        self.count(lines)

    def test_a_handshake_octet_by_octet_succeeds(self):
        server = self.tls_server()
        for version in VERSIONS:
            incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            talk = self.ca.context(version).wrap_bio(incoming, outgoing)
            with connect(self.address(server, "implicit")) as sock:
                def flush():
                    for octet in outgoing.read():
                        sock.sendall(bytes((octet,)))
                while True:
                    try:
                        talk.do_handshake()
                        break
                    except ssl.SSLWantReadError:
                        flush()
                        incoming.write(sock.recv(65536))
                talk.write(b"QUIT\r\n")
                flush()
                text = b""
                while b"bye" not in text:
                    try:
                        text += talk.read(1000)
                    except ssl.SSLWantReadError:
                        incoming.write(sock.recv(65536))
                self.assertEqual(text, b"+OK POP3 server ready\r\n+OK bye\r\n")
            self.count()

    def test_a_command_in_one_segment_with_the_finished_is_answered_at_once(self):
        """In TLS 1.3 any client may send it so, in 1.2 one that resumes."""
        server = self.tls_server()
        for version in VERSIONS:
            for way in WAYS:
                context, session = self.ca.context(version), None
                for run in range(RESUMED + 1):
                    talk = Talk(self.address(server, way), context, way == "stls", session=session)
                    talk.socket.settimeout(AT_ONCE)
                    talk.shake(last=False)
                    talk.says(b"AUTH SCRAM-SHA-256")
                    if way == "implicit":
                        talk.line()
                    self.assertEqual(talk.line(), b"+ \r\n")
                    self.assertEqual(talk.tls.session_reused, run > 0)
                    session = talk.tls.session
                    talk.socket.close()
                    self.count()


class Clients(TlsCase):
    """The message arrives unchanged, whatever the client, the way and the version."""
    MESSAGE = b"Subject: one\r\n\r\n.dot\r\n" + b"x" * 900 + b"\r\n" + b"line\r\n" * 20000

    def setUp(self):
        super().setUp()
        self.target = self.tls_server()
        self.target.plant([self.MESSAGE])

    def run_client(self, *words, stdin=b""):
        done = subprocess.run(words, input=stdin, capture_output=True, check=False, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr.decode("latin-1"))
        return done.stdout

    def test_poplib_fetches_under_tls(self):
        import poplib
        for way in WAYS:
            host, port = self.address(self.target, way)
            for version in VERSIONS:
                context = self.ca.context(version)
                if way == "implicit":
                    box = poplib.POP3_SSL(host, port, context=context)
                else:
                    box = poplib.POP3(host, port)
                    box.stls(context)
                box.user("alice")
                box.pass_("wonderland")
                self.assertEqual(b"\r\n".join(box.retr(1)[1]) + b"\r\n", self.MESSAGE)
                box.quit()
                self.count()

    def test_curl_fetches_under_tls(self):
        for way, scheme, extra in (("stls", "pop3", ["--ssl-reqd"]), ("implicit", "pop3s", [])):
            for version in ("1.2", "1.3"):
                port = self.address(self.target, way)[1]
                got = self.run_client("curl", "-sS", "--cacert", self.ca.ca, *extra, "--tlsv" + version,
                                      "--tls-max", version, "-u", "alice:wonderland",
                                      f"{scheme}://localhost:{port}/1", "--resolve",
                                      f"localhost:{port}:127.0.0.1")
                self.assertEqual(got, self.MESSAGE)
                self.count()

    def dialog(self, words, stdin_open=0.0):
        """Types a session into a program that carries lines; what it shows."""
        with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT) as process:
            shown = b""
            # Programs of this kind drop what is typed before the handshake.
            for line, answer in ((b"USER alice\n", b"+OK send PASS"),
                                 (b"PASS wonderland\n", b"+OK maildrop ready"),
                                 (b"RETR 1\n", b"\n.\r\n"), (b"QUIT\n", b"+OK bye")):
                if line.startswith(b"USER"):
                    time.sleep(0.4 + stdin_open)
                process.stdin.write(line.replace(b"\n", b"\r\n"))
                process.stdin.flush()
                while answer not in shown:
                    data = os.read(process.stdout.fileno(), 65536)
                    if not data:
                        break
                    shown += data
                self.assertIn(answer, shown)
            process.stdin.close()
            process.wait(30)
        return shown

    def test_openssl_s_client_fetches_under_tls(self):
        for way, extra in (("stls", ["-starttls", "pop3"]), ("implicit", [])):
            for version in ("-tls1_2", "-tls1_3"):
                host, port = self.address(self.target, way)
                shown = self.dialog(["openssl", "s_client", "-quiet", version, "-CAfile",
                                     self.ca.ca, "-verify_return_error", "-connect",
                                     f"{host}:{port}", *extra])
                self.assertIn(self.MESSAGE.replace(b"\r\n.dot", b"\r\n..dot"), shown)
                self.count()

    def test_gnutls_cli_fetches_under_tls(self):
        for way, extra in (("stls", ["--starttls-proto=pop3"]), ("implicit", [])):
            for version in ("1.2", "1.3"):
                host, port = self.address(self.target, way)
                shown = self.dialog(["gnutls-cli", "--logfile=/dev/null", "--x509cafile", self.ca.ca, "--priority",
                                     "NORMAL:-VERS-ALL:+VERS-TLS" + version, "-p", str(port),
                                     *extra, host])
                self.assertIn(self.MESSAGE.replace(b"\r\n.dot", b"\r\n..dot"), shown)
                self.count()
