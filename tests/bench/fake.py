"""Servers that say what a test wants, for the tests of the load generator."""

import contextlib
import os
import socket
import subprocess
import threading

from support.case import TestCase

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.abspath(os.environ.get("BUILD", "build"))


class FakeServer:
    """Serves one client after the other, or several at once; sends in pieces of a given size."""

    def __init__(self, piece=1 << 20):
        self.piece = piece
        self.sessions = 0
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

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
        with contextlib.suppress(OSError), peer, peer.makefile("rb") as lines:
            self.send(peer, b"+OK\r\n")
            for line in lines:
                self.send(peer, self.answer(line.split()))

    def send(self, peer, data):
        for start in range(0, len(data), self.piece):
            peer.sendall(data[start:start + self.piece])

    def close(self):
        self.socket.close()


class LoadTest(TestCase):
    """A test that runs the load generator."""

    @classmethod
    def setUpClass(cls):
        subprocess.run(["make", "-s", "-C", ROOT, f"BUILD={BUILD}", "bench-tools"], check=True)

    def loadgen(self, mode, **options):
        command = [os.path.join(BUILD, "loadgen"), mode]
        command += [f"{key}={value}" for key, value in options.items()]
        return subprocess.run(command, input=b"\n", capture_output=True, timeout=120, check=False)

    def fake(self, kind, *arguments):
        """A server of that kind, closed at the end."""
        server = kind(*arguments)
        self.addCleanup(server.close)
        return server
