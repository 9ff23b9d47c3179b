"""Channel binding (RFC 5802 sections 6 and 7, RFC 9266): SCRAM-SHA-1-PLUS and SCRAM-SHA-256-PLUS by a
client on libgsasl and GnuTLS, and by hand over OpenSSL's TLS, whose own exporter says the binding.
Over TLS 1.2 and 1.3, by STLS and by implicit TLS."""

import contextlib
import os
import socket
import ssl
import subprocess
import threading

import dialogs
from client_ground import ClientCase
from support.scram import Scram, authenticate
from support.server import ROOT, Server
from support.tls import VERSIONS, Authority, TlsClient
from support.wire import GUARD, Gone

WAYS = ("stls", "implicit")
DIGESTS = {"SCRAM-SHA-1": "sha1", "SCRAM-SHA-256": "sha256"}
MAIL = b"Subject: bound\n\n.to this connection\n"
READY = "+OK maildrop ready"
REFUSED = "-ERR [AUTH] authentication failed"
EXPORTER = b"p=tls-exporter,,"
PLACES = [(version, way) for version in VERSIONS for way in WAYS]


def program():
    """Built by make, below BUILD."""
    return os.path.join(ROOT, os.environ.get("BUILD", "build"), "plus-client")


class Exporter(dialogs.Dialog):
    """A dialog over OpenSSL's TLS; `binding`: what its exporter says."""

    def __init__(self, address, ca, way, version):
        words = ["perl", os.path.join(os.path.dirname(__file__), "exporter.pl"), address[0],
                 str(address[1]), ca, way, version.replace("TLS1.", "TLSv1_")]
        super().__init__(words, True, subprocess.DEVNULL)
        self.binding = bytes.fromhex(self.greeting.decode())
        if way == "implicit":
            self.line()


class Relay:
    """A man in the middle with a certificate that the client trusts and a TLS of its own to the
    server. It passes on each line, and so each message of SASL, unchanged."""

    def __init__(self, pair, upstream):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(*pair)
        self.upstream = upstream
        self.door = socket.create_server(("127.0.0.1", 0))
        self.address = self.door.getsockname()
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self):
        with contextlib.suppress(OSError, Gone):
            near, _ = self.door.accept()
            near.settimeout(GUARD)
            with self.context.wrap_socket(near, server_side=True) as victim:
                victim.sendall(self.upstream.greeting + b"\r\n")
                self.pass_on(victim, victim.makefile("rb"))

    def pass_on(self, victim, lines):
        for line in lines:
            self.upstream.send(line)
            answer = self.upstream.line() + b"\r\n"
            if line.startswith(b"RETR"):
                answer += self.upstream.body() + b".\r\n"
            victim.sendall(answer)

    def close(self):
        self.thread.join(GUARD)
        self.door.close()
        self.upstream.close()


class Binding(ClientCase):
    @classmethod
    def setUpClass(cls):
        cls.ground = ClientCase()
        cls.addClassCleanup(cls.ground.doCleanups)
        cls.ca = Authority(cls.ground.temporary("pop3-ca-"))
        flags = []
        for name in ("ecdsa", "rsa"):
            cert, key = cls.ca.issue(name, rsa=name == "rsa")
            flags += ["--cert", cert, "--key", key]
        cls.middle = cls.ca.issue("middle")
        server = Server(cls.ground.temporary(), *flags, "--listen-tls", "127.0.0.1:0",
                        "--require-tls", "always", "--failure-delay", "0")
        cls.ground.addCleanup(cls.ground.judge, server)
        server.plant([MAIL])
        cls.server = server.start(2)
        server.expect_log("event=login")

    # -- libgsasl and GnuTLS

    def log_in(self, version, way, mechanism, binding, address=None):
        """The exit code and what was printed."""
        host, port = address or self.server.addresses[WAYS.index(way)]
        done = subprocess.run([program(), host, str(port), self.ca.ca, way, version, mechanism,
                               binding, "alice", "wonderland"], capture_output=True,
                              timeout=GUARD, check=False)
        self.assertIn(done.returncode, (0, 1), done.stderr)
        self.count()
        return done.returncode, done.stdout

    def for_each(self, mechanism_end, binding, wanted):
        for version, way in PLACES:
            for name in DIGESTS:
                with self.subTest(version=version, way=way, mechanism=name + mechanism_end):
                    got = self.log_in(version[3:], way, name + mechanism_end, binding)
                    self.assertEqual(got, wanted)

    def test_the_right_binding_logs_in_and_fetches_mail(self):
        self.for_each("-PLUS", "right", (0, MAIL))

    def test_a_wrong_binding_is_refused(self):
        self.for_each("-PLUS", "wrong", (1, REFUSED.encode() + b"\n"))

    def test_a_client_that_knows_no_bindings_logs_in(self):
        self.for_each("", "none", (0, MAIL))

    def test_plus_is_not_there_without_the_extended_master_secret(self):
        """RFC 9266, for TLS 1.2."""
        for way in WAYS:
            for name in DIGESTS:
                got = self.log_in("1.2:%NO_SESSION_HASH", way, name + "-PLUS", "zeros")
                self.assertEqual(got, (1, b"-ERR mechanism is not available\n"))
                got = self.log_in("1.2:%NO_SESSION_HASH", way, name, "none")
                self.assertEqual(got, (0, MAIL))

    # -- the man in the middle

    def relayed(self, version, mechanism, binding):
        context = self.ca.context(version)
        upstream = TlsClient(self.server.addresses[1], context)
        relay = Relay(self.middle, upstream)
        try:
            return self.log_in(version[3:], "implicit", mechanism, binding, relay.address)
        finally:
            relay.close()

    def test_a_relayed_exchange_is_refused_if_it_is_bound(self):
        for version in VERSIONS:
            for name in DIGESTS:
                with self.subTest(version=version, mechanism=name):
                    refused = (1, REFUSED.encode() + b"\n")
                    self.assertEqual(self.relayed(version, name + "-PLUS", "right"), refused)
                    # The relay is one: what is not bound gets through.
                    self.assertEqual(self.relayed(version, name, "none"), (0, MAIL))

    # -- by hand

    def dialog(self, version, way):
        dialog = Exporter(self.server.addresses[WAYS.index(way)], self.ca.ca, way, version)
        self.addCleanup(dialog.close)
        return dialog

    def says(self, dialog, mechanism, gs2, binding=b""):
        digest = DIGESTS[mechanism.replace("-PLUS", "")]
        scram = Scram("alice", b"wonderland", digest, gs2=gs2, binding=binding)
        self.count()
        return authenticate(dialog, scram, mechanism)

    def test_openssl_and_the_server_agree_on_the_binding(self):
        for version, way in PLACES:
            for name in DIGESTS:
                with self.subTest(version=version, way=way, mechanism=name):
                    dialog = self.dialog(version, way)
                    got = self.says(dialog, name + "-PLUS", EXPORTER, dialog.binding)
                    self.assertEqual(got, READY)
                    self.assertEqual(dialog.quit(), "+OK bye")

    def test_a_client_that_was_not_shown_plus_is_refused(self):
        """It knows of bindings and says `y`: somebody has taken -PLUS from the server's list.
        libgsasl never says it: it refuses to go on by itself."""
        for version, way in PLACES:
            dialog = self.dialog(version, way)
            for name in DIGESTS:
                with self.subTest(version=version, way=way, mechanism=name):
                    self.assertIn(name + "-PLUS", dialog.lines("AUTH"))
                    self.assertEqual(self.says(dialog, name, b"y,,"), REFUSED)
            self.assertEqual(self.says(dialog, name, b"n,,"), READY)
            dialog.quit()

    def test_what_is_said_of_the_binding_must_fit_the_mechanism(self):
        for version, way in PLACES:
            dialog = self.dialog(version, way)
            right = dialog.binding
            for name in DIGESTS:
                plus = name + "-PLUS"
                for mechanism, gs2, binding in (
                        (plus, b"n,,", b""), (plus, b"y,,", b""), (plus, EXPORTER, b""),
                        (plus, EXPORTER, right[:-1]), (plus, EXPORTER, right + b"\0"),
                        (plus, EXPORTER, right[::-1]), (plus, b"n,,", right),
                        (plus, b"p=tls-unique,,", right),
                        (plus, b"p=tls-server-end-point,,", right), (plus, b"p=,,", right),
                        (plus, b"p=tls-exporte,,", right), (plus, b"p=tls-exporter2,,", right),
                        (plus, b"P=tls-exporter,,", right),
                        (name, EXPORTER, right), (name, b"n,,", right)):
                    with self.subTest(version=version, way=way, mechanism=mechanism, gs2=gs2,
                                      octets=len(binding)):
                        self.assertEqual(self.says(dialog, mechanism, gs2, binding), REFUSED)
            # All that is not to blame is right.
            self.assertEqual(self.says(dialog, "SCRAM-SHA-256-PLUS", EXPORTER, right), READY)
            dialog.quit()
