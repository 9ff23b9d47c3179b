"""A stream that is cut at any octet deletes nothing, unless the whole QUIT line had arrived."""

import os
import socket
import ssl
import struct

from tls_ground import NO_QUARANTINE, TlsCase, WAYS, authority
from support.wire import connect

EVERY = int(os.environ.get("POP3_CUT_EVERY", "29"))
TAIL = int(os.environ.get("POP3_CUT_TAIL", "40"))
COMMANDS = (b"USER alice\r\n", b"PASS wonderland\r\n", b"DELE 1\r\n", b"QUIT\r\n")
MESSAGE = b"Subject: one\n\none\n"
# That may come when half of it is done again; the address sanitizer's allocator is long in filling.
MEMORY_KIB_MAX = int(os.environ.get("POP3_CUT_KIB", "48"))
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close sends RST


class Cut(Exception):
    """So many octets have been sent."""


class Cutter:
    """A client that sends `limit` octets in all and then ends, by FIN or by RST."""

    def __init__(self, address, limit, reset):
        self.socket = connect(address)
        self.limit = limit
        self.reset = reset
        self.sent = 0

    def send(self, data):
        data = data[:max(0, self.limit - self.sent)]
        self.socket.sendall(data)
        self.sent += len(data)
        if self.sent >= self.limit:
            raise Cut

    def line(self):
        data = b""
        while not data.endswith(b"\n"):
            got = self.socket.recv(1)
            if not got:
                raise Cut
            data += got
        return data

    def shake(self, talk, incoming, outgoing):
        """The handshake, its octets carried by hand."""
        while True:
            try:
                talk.do_handshake()
                self.flush(outgoing)
                return
            except ssl.SSLWantReadError:
                self.flush(outgoing)
                got = self.socket.recv(65536)
                if not got:
                    raise Cut from None
                incoming.write(got)

    def flush(self, outgoing):
        if outgoing.pending:
            self.send(outgoing.read())

    def speak(self, way, version):
        """The whole session; each command is a record of its own, none waits for its answer."""
        if way != "implicit":
            self.line()
        if way == "plain":
            for command in COMMANDS:
                self.send(command)
            return
        if way == "stls":
            self.send(b"STLS\r\n")
            self.line()
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        talk = authority().context(version).wrap_bio(incoming, outgoing)
        self.shake(talk, incoming, outgoing)
        for command in COMMANDS:
            talk.write(command)
            self.flush(outgoing)

    def end(self):
        if self.reset:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        else:
            self.socket.shutdown(socket.SHUT_WR)
            while self.drain():
                pass
        self.socket.close()

    def drain(self):
        try:
            return self.socket.recv(65536)
        except OSError:
            return b""


class CutStream(TlsCase):
    def setUp(self):
        super().setUp()
        # One worker: another one would come with memory of its own, at any time.
        self.target = self.tls_server("--store-workers", "1", env=NO_QUARANTINE)
        self.lines = 0

    def session(self, way, version, limit, reset):
        """Octets sent, and how many messages are left when the server is done with it."""
        if not self.boxes():
            self.target.plant([MESSAGE])
        address = self.target.addresses[1 if way == "implicit" else 0]
        cutter = Cutter(address, limit, reset)
        try:
            cutter.speak(way, version)
        except (Cut, OSError):
            pass
        cutter.end()
        self.lines += 1
        self.wait_until(lambda: self.target.log_text().count("event=closed") >= self.lines,
                        "a session does not end")
        return cutter.sent, len(self.boxes())

    def boxes(self):
        box = self.target.box()
        return os.listdir(os.path.join(box, "new")) + os.listdir(os.path.join(box, "cur"))

    def cut(self, way, version):
        whole, left = self.session(way, version, 1 << 30, False)
        self.assertEqual(left, 0, "a whole session deletes")
        points = [i for i in range(whole) if i % EVERY == 0 or whole - i <= TAIL]
        with self.no_descriptor_leak(self.target):
            self.cut_at(points, way, version, whole)
            before = self.target.private_kib()
            self.cut_at(points[::2], way, version, whole)
            self.assertLess(self.target.private_kib() - before, MEMORY_KIB_MAX)
        # All of them, and then the end: by FIN the server has seen the whole QUIT.
        self.assertEqual(self.session(way, version, whole, False)[1], 0)
        self.count(3 * len(points) + 2)

    def cut_at(self, points, way, version, whole):
        for limit in points:
            for reset in (False, True):
                sent, left = self.session(way, version, limit, reset)
                self.assertEqual(left, 1, f"{way} cut after {sent} of {whole} octets")

    def test_plain_stream_cut_at_each_octet_deletes_nothing(self):
        self.cut("plain", None)

    def test_stls_stream_cut_at_each_octet_deletes_nothing(self):
        self.cut("stls", "TLS1.3")

    def test_implicit_tls_stream_cut_at_each_octet_deletes_nothing(self):
        self.cut("implicit", "TLS1.3")

    def test_tls_1_2_stream_cut_at_each_octet_deletes_nothing(self):
        self.cut("implicit", "TLS1.2")

    def test_the_log_tells_an_announced_end_from_a_cut(self):
        for way in WAYS:
            client = self.tls_client(self.target, way, login="alice")
            client.ok("NOOP")
            client.socket.unwrap().close()
            self.assert_log(r'user="alice" .*reason=dropped milliseconds=\d+ tls=\S+ cipher=TLS_\S+$',
                            self.target)
            client = self.tls_client(self.target, way, login="alice")
            client.close()
            self.assert_log('user="alice" .*reason=dropped .*'
                            'error="the TLS stream was cut off"', self.target)
