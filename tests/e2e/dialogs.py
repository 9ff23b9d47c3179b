"""The clients whose dialog the test speaks: openssl s_client and gnutls-cli, which do the TLS, and
gsasl, which does the SASL. Behind the interface of clients.py."""

import contextlib
import os
import socket
import ssl
import subprocess

import clients
from support import sasl, wire
from support.tls import TlsClient


def unstuffed(body):
    """The octets of a message as sent, without the dots of the wire."""
    lines = body.split(b"\r\n")
    return b"\r\n".join(line[1:] if line.startswith(b".") else line for line in lines)


class Dialog(wire.Client):
    """A raw client whose octets go through a program that does the TLS. The greeting is lost where
    the program takes it for itself, which both do with STLS."""

    def __init__(self, words, shows_greeting, log):
        self.socket, far = socket.socketpair()
        self.socket.settimeout(wire.GUARD)
        self.transcript, self.pending = bytearray(), bytearray()
        self.log = log
        with far:
            self.process = subprocess.Popen(words, stdin=far, stdout=far, stderr=log)
        try:
            self.greeting = self.line() if shows_greeting else None
        except wire.Gone:
            self.close()
            raise

    def close(self):
        """After QUIT it has ended; in the midst of a dialog s_client would not by itself."""
        self.socket.close()
        self.process.terminate()
        self.process.wait(wire.GUARD)


class Spoken(clients.Client):
    """One that fetches by the test's own dialog; connect() is the subclass's."""

    def log_in(self, connection):
        return sasl.log_in(connection, self.access.mechanism, self.user, self.secret)

    def fetch(self, count, delete=False):
        with self.connect() as connection:
            status = self.log_in(connection)
            if not status.startswith("+OK"):
                raise AssertionError(f"login: {status}")
            got = []
            for number in range(1, count + 1):
                got.append(unstuffed(connection.multiline(f"RETR {number}")[1]))
                if delete:
                    connection.ok(f"DELE {number}")
            connection.quit()
        return got


class TlsProgram(Spoken):
    @contextlib.contextmanager
    def connect(self):
        path = os.path.join(self.home, "log")
        with open(path, "w+b") as log:
            try:
                with Dialog(self.words(), self.access.way == "implicit", log) as connection:
                    yield connection
            except (wire.Gone, OSError) as error:
                log.seek(0)
                text = log.read().decode("latin-1")
                raise AssertionError(f"{self.name}: {error!r}\n{text}") from error


class OpensslClient(TlsProgram):
    name = "s_client"

    def words(self):
        words = ["openssl", "s_client", "-quiet", "-connect", f"{self.host}:{self.port}",
                 "-CAfile", self.access.ca, "-verify_return_error",
                 "-verify_hostname", "localhost"]
        words += ["-starttls", "pop3"] if self.access.way == "stls" else []
        for name, path in zip(("-cert", "-key"), self.access.certificate):
            words += [name, path]
        return words


class GnutlsClient(TlsProgram):
    name = "gnutls-cli"

    def words(self):
        words = ["gnutls-cli", "--logfile", "/dev/stderr", "-p", str(self.port),
                 "--x509cafile", self.access.ca, "--verify-hostname", "localhost"]
        words += ["--starttls-proto=pop3"] if self.access.way == "stls" else []
        for name, path in zip(("--x509certfile", "--x509keyfile"), self.access.certificate):
            words += [name, path]
        return [*words, self.host]


class GnuSasl(Spoken):
    """`gsasl --client`, which says its lines to the test, which says them to the server."""

    name = "gsasl"

    def connect(self):
        context = ssl.create_default_context(cafile=self.access.ca)
        if self.access.certificate:
            context.load_cert_chain(*self.access.certificate)
        return TlsClient((self.host, self.port), context, self.access.way == "stls", self.host)

    def log_in(self, connection):
        words = ["gsasl", "--client", "--quiet", "--no-cb", "-m", self.access.mechanism,
                 "-a", self.user, "-p", self.secret]
        # gsasl would send an empty authzid in SCRAM, where there is none (RFC 5802 section 7).
        words += ["-z", ""] if self.access.mechanism == "EXTERNAL" else []
        with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, bufsize=0) as program:
            try:
                return self.carry(connection, program)
            finally:
                program.stdin.close()
                program.kill()

    def carry(self, connection, program):
        """Its first line is the mechanism, the second what it has to say before it is asked: empty
        where that is nothing, or where it wants to see the challenge."""
        named = program.stdout.readline().decode().strip()
        if named != self.access.mechanism:
            raise AssertionError(f"gsasl: {named}")
        status = connection.command("AUTH " + named)
        said = program.stdout.readline().strip()
        if said or status == "+ ":
            status = connection.command(said)
        while status.startswith("+ "):
            program.stdin.write(status[2:].encode() + b"\n")
            status = connection.command(program.stdout.readline().strip())
        return status


DIALOGS = (OpensslClient, GnutlsClient, GnuSasl)
