"""What those who look for weak servers find in ours: testssl.sh and sslscan, by STLS and where TLS
comes first, with an ECDSA and an RSA certificate and their staples."""

import json
import os
import subprocess
import tempfile
import xml.etree.ElementTree

from tls.tls_ground import TlsCase, WAYS

# "all", "none", or options of testssl.sh that name sections.
SECTIONS = os.environ.get("POP3_SCAN", "all")
ALLOWED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "allowed.tsv")
FINE = ("OK", "INFO", "DEBUG")
TESTSSL_SECONDS = 2400
SSLSCAN_SECONDS = 300
CERTIFICATES = ("scanned", "scanned-rsa")

PROTOCOLS = {("ssl", "2"): "0", ("ssl", "3"): "0", ("tls", "1.0"): "0", ("tls", "1.1"): "0",
             ("tls", "1.2"): "1", ("tls", "1.3"): "1"}
CIPHERS = {("TLSv1.3", name) for name in (
    "TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")}
CIPHERS |= {("TLSv1.2", f"ECDHE-{key}-{name}") for key in ("ECDSA", "RSA") for name in (
    "AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305")}
GROUPS = {(version, name) for version in ("TLSv1.2", "TLSv1.3") for name in (
    "x25519", "secp256r1 (NIST P-256)", "secp384r1 (NIST P-384)")}


def allowed(way):
    """id -> reason, of those that are for this way."""
    with open(ALLOWED, encoding="utf-8") as lines:
        rows = [line.rstrip("\n").split("\t") for line in lines if not line.startswith("#")]
    return {name: reason for name, where, reason in rows if where in (way, "both")}


class Scan(TlsCase):
    def setUp(self):
        super().setUp()
        flags = []
        for name in CERTIFICATES:
            self.ca.issue(name, rsa=name.endswith("rsa"), days=90,
                          extensions="authorityInfoAccess=OCSP;URI:http://localhost/\n")
            flags += ["--ocsp", self.ca.staple(name)]
        self.target = self.tls_server(*flags, certificates=CERTIFICATES)
        self.target.expect_log("event=closed .*")

    def where(self, way):
        return "localhost:%d" % self.address(self.target, way)[1]

    # -- sslscan

    def sslscan(self, way):
        options = ["--starttls-pop3"] if way == "stls" else []
        done = subprocess.run(["sslscan", "--no-colour", "--xml=-", *options, self.where(way)],
                              capture_output=True, check=True, timeout=SSLSCAN_SECONDS)
        return xml.etree.ElementTree.fromstring(done.stdout).find("ssltest")

    def assert_all(self, found, name, attribute, wanted):
        """Each element of this name has this attribute."""
        for element in found.iter(name):
            self.assertEqual(element.get(attribute), wanted, name)

    def test_sslscan_finds_what_is_configured_and_nothing_else(self):
        for way in WAYS:
            with self.subTest(way):
                found = self.sslscan(way)
                self.assertEqual({(e.get("type"), e.get("version")): e.get("enabled")
                                  for e in found.iter("protocol")}, PROTOCOLS)
                self.assertEqual({(e.get("sslversion"), e.get("cipher"))
                                  for e in found.iter("cipher")}, CIPHERS)
                self.assertEqual({(e.get("sslversion"), e.get("name"))
                                  for e in found.iter("group")}, GROUPS)
                self.assertEqual({e.get("sslversion") for e in found.iter("heartbleed")},
                                 {"TLSv1.2", "TLSv1.3"})
                self.assert_all(found, "heartbleed", "vulnerable", "0")
                self.assertIsNotNone(found.find("renegotiation"))
                self.assert_all(found, "renegotiation", "supported", "0")
                self.assert_all(found, "compression", "supported", "0")
                self.count(len(PROTOCOLS) + len(CIPHERS) + len(GROUPS) + 4)

    # -- testssl.sh

    def findings_of_testssl(self, way):
        """The findings: id -> (severity, text). One id may come several times: the worst counts."""
        with tempfile.TemporaryDirectory(prefix="pop3-scan-") as folder:
            path = os.path.join(folder, "findings.json")
            words = ["testssl", "--quiet", "--color", "0", "--warnings", "off", "-n", "none",
                     "--ip", "127.0.0.1", "--add-ca", self.ca.ca, "--jsonfile", path]
            words += ["--starttls", "pop3"] if way == "stls" else []
            words += [] if SECTIONS == "all" else SECTIONS.split()
            done = subprocess.run([*words, self.where(way)], stdin=subprocess.DEVNULL,
                                  capture_output=True, timeout=TESTSSL_SECONDS, check=False,
                                  env={**os.environ, "TERM": "dumb"})
            self.assertTrue(os.path.exists(path), (done.stdout + done.stderr).decode())
            with open(path, encoding="utf-8") as file:
                return json.load(file)

    def judge_findings(self, way):
        findings = self.findings_of_testssl(way)
        names = {finding["id"] for finding in findings}
        # It came to its end, and looked for what it is asked for.
        self.assertIn("scanTime", names)
        if SECTIONS == "all":
            self.assertLessEqual({"TLS1", "TLS1_2", "TLS1_3", "PFS", "heartbleed", "ROBOT", "CRIME_TLS",
                                  "secure_client_renego", "cert_chain_of_trust <cert#1>"}, names)
        bad = {f["id"]: f"{f['severity']}: {f['finding']}" for f in findings
               if f["severity"] not in FINE}
        permitted = allowed(way)
        for name, text in bad.items():
            if name not in permitted:
                self.fail(f"{way}: {name}: {text}")
        self.assertEqual(set(permitted) - set(bad), set(), "allowed and not found any more")
        self.count(len(findings))


# It takes minutes of the processor.
if SECTIONS != "none":
    Scan.test_testssl_finds_nothing_by_stls = lambda self: self.judge_findings("stls")
    Scan.test_testssl_finds_nothing_where_tls_comes_first = (
        lambda self: self.judge_findings("implicit"))
