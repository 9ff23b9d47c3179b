"""A certificate authority of the tests, by openssl, and a raw POP3 client under TLS."""

import os
import re
import ssl
import subprocess

from support.server import own
from support.wire import Client, Gone, connect

VERSIONS = {"TLS1.2": ssl.TLSVersion.TLSv1_2, "TLS1.3": ssl.TLSVersion.TLSv1_3}


def openssl(*arguments, **options):
    return subprocess.run(["openssl", *arguments], check=True, capture_output=True, **options)


class Authority:
    """A CA whose files lie in a folder; the account that serves can read them."""

    def __init__(self, folder):
        self.folder = folder
        self.serial = 1
        openssl("req", "-x509", "-nodes", "-days", "2", "-subj", "/CN=Test CA",
                "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                "-keyout", self.path("ca.key"), "-out", self.path("ca.pem"))
        own(folder)

    @property
    def ca(self):
        return self.path("ca.pem")

    def path(self, name):
        return os.path.join(self.folder, name)

    def issue(self, name, rsa=False, days=1, names="DNS:localhost,IP:127.0.0.1", subject=None,
              purpose="serverAuth", extensions=""):
        """A certificate (files name.pem and name.key) with its serial number: paths of both.
        extensions: further lines for openssl."""
        self.serial += 1
        kind = (["rsa:2048"] if rsa else ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"])
        openssl("req", "-new", "-nodes", "-subj", subject or "/CN=" + name, "-newkey", *kind,
                "-keyout", self.path(name + ".key"), "-out", self.path(name + ".csr"))
        extensions += f"keyUsage=digitalSignature\nextendedKeyUsage={purpose}\n"
        if names:
            extensions += f"subjectAltName={names}\n"
        start = ["-not_before", "20200101000000Z", "-not_after", "20200102000000Z"]
        with open(self.path("extensions"), "w", encoding="ascii") as file:
            file.write(extensions)
        if days > 0:
            openssl("x509", "-req", "-in", self.path(name + ".csr"), "-CA", self.ca,
                    "-CAkey", self.path("ca.key"), "-set_serial", str(self.serial),
                    "-days", str(days), "-extfile", self.path("extensions"),
                    "-out", self.path(name + ".pem"))
        else:
            self.issue_expired(name, start)
        own(self.folder)
        return self.path(name + ".pem"), self.path(name + ".key")

    def issue_expired(self, name, start):
        """`openssl x509` makes none; `openssl ca` wants a small database."""
        with open(self.path("index"), "w", encoding="ascii"):
            pass
        with open(self.path("serial"), "w", encoding="ascii") as file:
            file.write(f"{self.serial:04d}\n")
        with open(self.path("ca.conf"), "w", encoding="ascii") as file:
            file.write(f"[ca]\ndefault_ca=x\n[x]\ndatabase={self.path('index')}\n"
                       f"serial={self.path('serial')}\nnew_certs_dir={self.folder}\n"
                       "default_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n")
        dates = ["-startdate", start[1], "-enddate", start[3]]
        openssl("ca", "-batch", "-notext", "-config", self.path("ca.conf"), "-cert", self.ca,
                "-keyfile", self.path("ca.key"), "-in", self.path(name + ".csr"),
                "-extfile", self.path("extensions"), "-out", self.path(name + ".pem"), *dates)

    def staple(self, name, minutes=60, revoked=False):
        """An OCSP response that says that the certificate `name` is good, or not; its path."""
        serial = openssl("x509", "-in", self.path(name + ".pem"), "-noout", "-serial")
        number = serial.stdout.decode().strip().partition("=")[2]
        with open(self.path("ocsp.index"), "w", encoding="ascii") as file:
            state = "R\t400101000000Z\t240101000000Z" if revoked else "V\t400101000000Z\t"
            file.write(f"{state}\t{number}\tunknown\t/CN={name}\n")
        openssl("ocsp", "-index", self.path("ocsp.index"), "-rsigner", self.ca,
                "-rkey", self.path("ca.key"), "-CA", self.ca, "-issuer", self.ca,
                "-cert", self.path(name + ".pem"), "-nmin", str(minutes),
                "-respout", self.path(name + ".ocsp"))
        own(self.folder)
        return self.path(name + ".ocsp")

    def staple_until(self, name, moment):
        """The same, but its nextUpdate is this one, as in "20200102000000Z": openssl makes none to
        the second, so the time is changed in it, which spoils a signature that only clients look
        at."""
        path = self.staple(name)
        with open(path, "rb") as file:
            data = file.read()
        # The last GeneralizedTime; its tag and length alone are also in a key or signature at times.
        at = [found.end() - 15 for found in re.finditer(rb"\x18\x0f\d{14}Z", data)][-1]
        path = self.path(name + ".old.ocsp")
        with open(path, "wb") as file:
            file.write(data[:at] + moment.encode() + data[at + 15:])
        own(self.folder)
        return path

    def expired_staple(self, name):
        return self.staple_until(name, "20200102000000Z")

    def context(self, version=None, alpn=(), certificate=None):
        """What a client needs to trust this CA."""
        context = ssl.create_default_context(cafile=self.ca)
        context.check_hostname = False
        if version:
            context.minimum_version = context.maximum_version = VERSIONS[version]
        if alpn:
            context.set_alpn_protocols(list(alpn))
        if certificate:
            context.load_cert_chain(*certificate)
        return context


class TlsClient(Client):
    """A raw client under TLS: from the first octet on, or after STLS."""

    def __init__(self, address, context, stls=False, name=None, source=None):
        if stls:
            super().__init__(address, source=source)
            status = self.command("STLS")
            if not status.startswith("+OK"):
                raise AssertionError("STLS: " + status)
            if self.pending:
                raise AssertionError(f"octets behind the +OK: {bytes(self.pending)!r}")
        else:
            self.socket = connect(address, source=source)
            self.transcript = bytearray()
            self.pending = bytearray()
        try:
            self.socket = context.wrap_socket(self.socket, server_hostname=name)
        except (ssl.SSLError, OSError):
            self.socket.close()
            raise
        if not stls:
            self.greeting = self.line()

    def receive(self):
        """As of Client; a stream that is cut off is Gone, an announced end the end."""
        try:
            return super().receive()
        except ssl.SSLEOFError as error:
            raise Gone("cut off") from error
