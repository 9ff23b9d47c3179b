"""Certificates, keys, staples: which one is served, and what is said of those that are wrong."""

import os
import re
import shutil
import ssl
import subprocess
import time
import unittest

from tls_ground import TlsCase, VERSIONS, WAYS
from support.server import run, unprivileged

CONFIG = 78
CHAIN_MAX = 24576  # octets of DER


class Files(TlsCase):
    def issue(self, name, **wishes):
        if not os.path.exists(self.ca.path(name + ".pem")):
            self.ca.issue(name, **wishes)
        return self.ca.path(name + ".pem"), self.ca.path(name + ".key")

    def place(self):
        """What a server needs that is not started yet: flags."""
        server = self.server_to_start()
        account = unprivileged()
        return (["--passwd", server.passwd_path, "--maildir", server.mail, "--listen",
                 "127.0.0.1:0"] + (["--user", account.pw_name] if account else []))

    def refused(self, place, *flags, said):
        """`serve` does not start and says why, and `check` says the same."""
        for words in (["serve", *place, *flags], ["check", *place, *flags]):
            self.assert_exit(run(*words), CONFIG, said)
            self.count()

    def test_whatever_is_wrong_forbids_the_start_and_is_named_with_its_file(self):
        cert, key = self.issue("localhost")
        other = self.issue("other")[1]
        folder = self.temporary()
        bad = os.path.join(folder, "bad.pem")
        with open(bad, "w", encoding="ascii") as file:
            file.write("nonsense\n")
        os.chmod(bad, 0o644)
        encrypted = os.path.join(folder, "encrypted.pem")
        subprocess.run(["openssl", "pkcs8", "-topk8", "-in", key, "-out", encrypted, "-passout",
                        "pass:x"], check=True)
        os.chmod(encrypted, 0o644)
        place = self.place()
        both = ["--cert", cert, "--key", key]
        for flags, said in (
                (["--cert", "/nowhere/c.pem", "--key", key], "/nowhere/c.pem: No such file"),
                (["--cert", bad, "--key", key], bad + ": holds no PEM certificate"),
                (["--cert", cert, "--key", bad], bad + ": holds no PEM key"),
                (["--cert", cert, "--key", encrypted], encrypted + ": the key is encrypted"),
                (["--cert", cert, "--key", other],
                 f"{other}: is not the key of the certificate in {cert}"),
                (["--cert", cert], "cert: there must be as many keys as certificates: 0, 1"),
                (["--listen-tls", "127.0.0.1:0"], "listen_tls: needs cert and key"),
                (["--require-tls", "always"], "require_tls: needs cert and key"),
                ([*both, "--ocsp", bad], bad + ": holds no OCSP response"),
                ([*both, "--client-certificate", "required"],
                 "client_certificate: needs client_ca"),
                ([*both, "--client-certificate", "optional", "--client-ca", bad], bad + ": ")):
            self.refused(place, *flags, said=said)

    def test_an_expired_staple_forbids_the_start_and_a_foreign_one_too(self):
        cert, key = self.issue("localhost")
        place = self.place()
        old = self.ca.expired_staple("localhost")
        self.refused(place, "--cert", cert, "--key", key, "--ocsp", old,
                     said=old + ": the OCSP response expired at 2020-01-02 00:00:00 UTC")
        self.issue("other")
        foreign = self.ca.staple("other")
        self.refused(place, "--cert", cert, "--key", key, "--ocsp", foreign, said=foreign + ": ")

    def pile(self, folder, name, certificates, octets):
        """A file of these certificates, the last one again and again up to so many octets of DER."""
        taken, size = [], 0
        while True:
            pem = certificates[min(len(taken), len(certificates) - 1)]
            size += len(ssl.PEM_cert_to_DER_cert(pem))
            if size > octets:
                break
            taken.append(pem)
        path = os.path.join(folder, name)
        with open(path, "w", encoding="ascii") as file:
            file.write("".join(taken))
        os.chmod(path, 0o644)
        return path

    def test_a_chain_that_a_handshake_has_no_room_for_is_refused_and_a_long_one_is_served(self):
        cert, key = self.issue("localhost")
        folder, place = self.temporary(), self.place()
        with open(cert, encoding="ascii") as first, open(self.ca.ca, encoding="ascii") as second:
            pems = [first.read(), second.read()]
        good = self.pile(folder, "long.pem", pems, CHAIN_MAX)
        bad = self.pile(folder, "longer.pem", pems, CHAIN_MAX + 1000)
        many = self.pile(folder, "many.pem", pems[1:], 600000)
        self.refused(place, "--cert", bad, "--key", key,
                     said=bad + r": a handshake would carry \d+ octets of certificates, "
                                f"and has room for {CHAIN_MAX}")
        self.refused(place, "--cert", cert, "--key", key, "--client-certificate", "optional",
                     "--client-ca", many, said=many + r": a handshake would carry \d+ octets of "
                                                      "names of CAs, and has room for 24576")
        staple = os.path.join(folder, "staple.der")
        with open(staple, "wb") as file:
            file.write(bytes(8193))
        os.chmod(staple, 0o644)
        self.refused(place, "--cert", cert, "--key", key, "--ocsp", staple,
                     said=staple + ": has 8193 octets, and a handshake room for 8192")
        server = self.server_to_start("--cert", good, "--key", key, "--ocsp",
                                      self.ca.staple("localhost"), "--client-certificate",
                                      "optional", "--client-ca", self.ca.ca, "--listen-tls",
                                      "127.0.0.1:0").start(2)
        for way in WAYS:
            for version in VERSIONS:
                self.tls_client(server, way, login="alice", version=version).quit()
                self.count()

    def test_a_staple_that_revokes_its_certificate_forbids_the_start(self):
        cert, key = self.issue("localhost")
        revoked = self.ca.staple("localhost", revoked=True)
        self.refused(self.place(), "--cert", cert, "--key", key, "--ocsp", revoked,
                     said=revoked + ": the OCSP response says that the certificate is revoked")

    def test_an_expired_certificate_is_served_with_a_warning(self):
        self.issue("expired", days=0)
        server = self.tls_server(certificates=("expired",))
        self.assert_log(r'level=warning event=tls text=".*expired.pem: the certificate expired at '
                        '2020-01-02 00:00:00 UTC"', server)
        with self.assertRaises(ssl.SSLCertVerificationError):
            self.tls_client(server, "implicit")
        self.fails(server, "")

    def test_certificates_are_chosen_by_name_and_kind(self):
        self.issue("alpha", names="DNS:alpha.example")
        self.issue("beta", names="DNS:beta.example")
        self.issue("rsa", names="DNS:alpha.example", rsa=True)
        server = self.tls_server(certificates=("alpha", "beta", "rsa"))
        for way in WAYS:
            for name, wanted in (("alpha.example", "alpha"), ("beta.example", "beta"),
                                 (None, "alpha"), ("gamma.example", "alpha")):
                client = self.tls_client(server, way, name=name)
                subject = dict(pair[0] for pair in client.socket.getpeercert()["subject"])
                self.assertEqual(subject["commonName"], wanted, name)
                self.count()
        host, port = self.address(server, "implicit")
        done = subprocess.run(["openssl", "s_client", "-connect", f"{host}:{port}", "-tls1_2",
                               "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"],
                              stdin=subprocess.DEVNULL, capture_output=True, check=False)
        self.assertIn(b"subject=CN = rsa", done.stdout)

    def test_the_staple_is_sent_with_its_certificate(self):
        cert, key = self.issue("localhost")
        server = self.server_to_start("--cert", cert, "--key", key, "--ocsp",
                                      self.ca.staple("localhost"), "--listen-tls", "127.0.0.1:0")
        server.start(2)
        host, port = server.addresses[1]
        for version in ("-tls1_2", "-tls1_3"):
            done = subprocess.run(["openssl", "s_client", "-status", version, "-connect",
                                   f"{host}:{port}"], stdin=subprocess.DEVNULL,
                                  capture_output=True, check=False)
            self.assertIn(b"OCSP Response Status: successful", done.stdout)
            self.assertIn(b"Cert Status: good", done.stdout)
            self.count()

    def test_a_staple_that_expires_while_it_is_served_is_sent_no_more(self):
        """Clients refuse a server whose staple is old; without one they ask elsewhere or not."""
        cert, key = self.issue("localhost")
        until = time.time() + 4
        moment = time.strftime("%Y%m%d%H%M%SZ", time.gmtime(until))
        server = self.server_to_start("--cert", cert, "--key", key, "--ocsp",
                                      self.ca.staple_until("localhost", moment),
                                      "--listen-tls", "127.0.0.1:0").start(2)
        host, port = server.addresses[1]

        def shown():
            return subprocess.run(["openssl", "s_client", "-status", "-connect", f"{host}:{port}"],
                                  stdin=subprocess.DEVNULL, capture_output=True,
                                  check=False).stdout
        self.assertIn(b"OCSP Response Status: successful", shown())
        time.sleep(max(0, until - time.time()) + 1)
        self.assertIn(b"OCSP response: no response sent", shown())

    def test_client_certificates_are_asked_for_and_verified(self):
        good = self.issue("alice", names="email:alice@localhost", purpose="clientAuth")
        server = self.tls_server("--client-certificate", "required", "--client-ca", self.ca.ca)
        for way in WAYS:
            client = self.tls_client(server, way, login="alice", certificate=good,
                                     version="TLS1.2")
            client.quit()
            with self.assertRaises((ssl.SSLError, OSError)):
                self.tls_client(server, way, version="TLS1.2")
        self.fails(server, "")

    def test_external_is_for_whom_the_client_certificate_names(self):
        good = self.issue("external", names=None, subject="/CN=alice",
                          purpose="clientAuth")
        server = self.tls_server("--client-certificate", "optional", "--client-ca", self.ca.ca)
        for way in WAYS:
            client = self.tls_client(server, way, certificate=good, version="TLS1.2")
            self.assertIn("EXTERNAL", client.lines("AUTH"))
            self.assertEqual(client.command("AUTH EXTERNAL ="), "+OK maildrop ready")
            client.quit()
            client = self.tls_client(server, way, version="TLS1.2")
            self.assertEqual(client.command("AUTH EXTERNAL ="),
                             "-ERR mechanism is not available")
            client.quit()
            self.count()

    def test_ready_lines_tell_tls_from_plain(self):
        cert, key = self.issue("localhost")
        folder = self.temporary()
        server = self.server_to_start("--cert", cert, "--key", key, "--listen-tls",
                                      f"127.0.0.1:0,unix:{folder}/tls")
        server.start(3)
        self.assertRegex(server.ready[0], r"^listening pop3 127\.0\.0\.1:\d+$")
        self.assertRegex(server.ready[1], r"^listening pop3s 127\.0\.0\.1:\d+$")
        self.assertEqual(server.ready[2], f"listening pop3s unix:{folder}/tls")

    def test_an_open_address_needs_no_permission_where_tls_is_required(self):
        cert, key = self.issue("localhost")
        place = self.place()[:4] + self.place()[6:]
        both = ["--cert", cert, "--key", key]
        for flags, code in (([], CONFIG), (both, 0), ([*both, "--require-tls", "never"], CONFIG),
                            ([*both, "--require-tls", "never", "--allow-plaintext"], 0)):
            self.assert_exit(run("check", *place, "--listen", ":0", *flags), code,
                             "is not loopback" if code else "")
            self.count()


@unittest.skipUnless(os.geteuid() == 0, "only root can read what the mail user cannot")
class RootsFiles(TlsCase):
    """A key that root alone can read serves at the start; every reload is refused."""

    def setUp(self):
        super().setUp()
        self.folder = self.temporary()
        self.cert = os.path.join(self.folder, "cert.pem")
        self.key = os.path.join(self.folder, "key.pem")
        shutil.copy(self.ca.path("localhost.pem"), self.cert)
        shutil.copy(self.ca.path("localhost.key"), self.key)
        os.chmod(self.cert, 0o644)
        os.chmod(self.key, 0o600)
        os.chown(self.key, 0, 0)

    def said(self):
        name = unprivileged().pw_name
        return (rf"{re.escape(self.key)}: Permission denied \(as user {name}\): every reload is "
                rf"refused until it can read this; let {name} read the file")

    def test_a_key_that_a_reload_could_not_read_is_a_warning_at_the_start(self):
        server = self.server_to_start("--cert", self.cert, "--key", self.key,
                                      "--listen-tls", "127.0.0.1:0")
        server.start(2)
        self.assert_log(r'level=warning event=tls text="' + self.said(), server)
        self.tls_client(server, "implicit", login="alice").quit()
        server.expect_log("event=(tls|reload)")
        server.signal(1)
        self.assert_log("event=reload .*refused", server)
        self.tls_client(server, "implicit", login="alice").quit()

    def test_check_says_the_same(self):
        server = self.server_to_start()
        base = ["check", "--passwd", server.passwd_path, "--maildir", server.mail, "--cert",
                self.cert, "--key", self.key]
        name = unprivileged().pw_name
        self.assert_exit(run(*base, "--as", name), 0, "warning: " + self.said())
        self.assert_exit(run(*base, "--user", name), 0, "warning: " + self.said())
        os.chmod(self.key, 0o644)
        text = self.assert_exit(run(*base, "--as", name), 0)
        self.assertNotIn("warning", text)
