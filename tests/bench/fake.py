"""Servers that say what a test wants, for the tests of the load generator."""

import contextlib
import os
import socket
import subprocess
import threading

from support.case import TestCase

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.abspath(os.environ.get("BUILD", "build"))

# What is sent after +OK, and the octets of the message that it stands for.
BODIES = [
    (b".\r\n", 0),
    (b"..\r\n.\r\n", 3),
    (b"a\r\n..b\r\n\r\n.\r\n", 9),
    (b"a\rb\r\n..\r\n.\r\n", 8),
    (b"x" * 300 + b"\r\n..y\r\n.\r\n", 306),
    (b"..\r\r\n.\r\n", 4),
    (b"x" * 254 + b"\r\n...\r\n.\r\n", 260),
    (b"x" * 255 + b"\r\n..\r\n.\r\n", 260),
]
BODIES_OCTETS = 850


class FakeServer:
    """Serves one client after the other, or several at once; sends in pieces of a given size."""

    def __init__(self, piece=1 << 20):
        self.piece = piece
        self.sessions = 0
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def secured(self, peer):
        """The socket that the session is on, which TLS may be in the way to."""
        return peer

    def answer(self, words):
        """What is sent in reply to a command of those words."""
        raise NotImplementedError

    def run(self):
        while True:
            try:
                peer = self.socket.accept()[0]
            except OSError:
                return
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.sessions += 1
            threading.Thread(target=self.serve, args=(peer,), daemon=True).start()

    def serve(self, peer):
        with contextlib.suppress(OSError), self.secured(peer) as peer, \
                peer.makefile("rb") as lines:
            self.send(peer, b"+OK\r\n")
            for line in lines:
                self.send(peer, self.answer(line.split()))

    def send(self, peer, data):
        for start in range(0, len(data), self.piece):
            peer.sendall(data[start:start + self.piece])

    def close(self):
        self.socket.close()


class MailServer(FakeServer):
    """Sends BODIES, except for one message that it loses from the second session on."""

    def __init__(self, piece=1 << 20, lost_message=None):
        self.lost_message = lost_message
        super().__init__(piece)

    def answer(self, words):
        if words[0] == b"STAT":
            return b"+OK %d 0\r\n" % len(BODIES)
        if words[0] != b"RETR":
            return b"+OK\r\n"
        number = int(words[1])
        if number == self.lost_message and self.sessions > 1:
            return b"+OK\r\n.\r\n"
        return b"+OK\r\n" + BODIES[number - 1][0]


class LoadTest(TestCase):
    """A test that runs the load generator."""

    @classmethod
    def setUpClass(cls):
        subprocess.run(["make", "-s", "-C", ROOT, f"BUILD={BUILD}", "bench-tools"], check=True)

    def loadgen(self, mode, **options):
        command = [os.path.join(BUILD, "loadgen"), mode]
        command += [f"{key}={value}" for key, value in options.items()]
        return subprocess.run(command, input=b"\n", capture_output=True, timeout=120, check=False)

    def bare(self, program, *arguments):
        """The port of one of the bare servers, ended with the test."""
        process = subprocess.Popen([os.path.join(BUILD, program), *arguments],
                                   stdout=subprocess.PIPE)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.addCleanup(process.stdout.close)
        return int(process.stdout.readline().decode().rpartition(":")[2])

    def fake(self, kind, *arguments):
        """A server of that kind, closed at the end."""
        server = kind(*arguments)
        self.addCleanup(server.close)
        return server
