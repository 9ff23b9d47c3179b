"""A peer that vanishes: at any octet of a session, in any way, messages go only when the whole
QUIT line had arrived, and the server gets its descriptors back."""

import socket
import struct
import time

import model
import script
from ground import Endings, baseline, refill
from support import messages
from support.case import TestCase
from support.wire import Client, connect

SESSION = (b"USER alice\r\n", b"PASS wonderland\r\n", b"DELE 1\r\n", b"RETR 2\r\n", b"LIST\r\n",
           b"DELE 3\r\n", b"QUIT\r\n")
DATA = [script.STORE[name] for name in ("one", "two", "three")]


def reset(sock):
    """Close with RST instead of FIN."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


class Vanish(TestCase):
    def setUp(self):
        self.running = self.server()
        self.names = []
        self.baseline = baseline(self.running)
        self.endings = Endings(self.running)
        self.sessions = self.endings.seen()

    def fill(self):
        self.names = refill(self.running, DATA)

    def settle(self, sessions=1):
        """Waits until so many more sessions are over and the server has what it had before."""
        self.sessions += sessions
        self.wait_until(lambda: self.endings.seen() >= self.sessions,
                        lambda: f"{self.sessions} sessions, {self.endings.count} ended")
        self.wait_until(lambda: self.running.descriptors() <= self.baseline,
                        lambda: f"{self.baseline} descriptors before, "
                                f"{self.running.descriptors()} after")

    def left(self):
        return messages.files(self.running.box())

    def expected(self, data):
        """Transcript and names left when the server reads exactly these octets."""
        drops = {b"alice": model.Drop([[name.encode(), text]
                                       for name, text in zip(self.names, DATA)])}
        session = model.Session(drops, {b"alice": b"wonderland"})
        transcript = model.GREETING + b"\r\n" + session.feed(data)
        session.end()
        return transcript, [name.decode() for name, _ in drops[b"alice"].messages]

    def test_end_of_stream_at_any_octet_deletes_only_after_the_quit_line(self):
        data = b"".join(SESSION)
        for length in range(len(data) + 1):
            self.fill()
            transcript, left = self.expected(data[:length])
            with Client(self.running.address, greet=False) as client:
                client.send(data[:length])
                client.finish_sending()
                self.assertEqual(client.rest(), transcript, f"after {length} octets")
            self.settle()
            self.assertEqual(self.left(), left, f"after {length} octets")
            self.count()
        self.assertEqual(self.left(), self.names[1:2])

    def test_dropped_connection_at_any_octet_deletes_only_after_the_quit_line(self):
        data = b"".join(SESSION)
        for way in (socket.socket.close, reset):
            for length in range(len(data) + 1):
                self.fill()
                sock = connect(self.running.address)
                sock.recv(1)  # it has been accepted
                sock.sendall(data[:length])
                way(sock)
                self.settle()
                if length < len(data):
                    self.assertEqual(self.left(), self.names, f"{way.__name__} after {length}")
                else:
                    # The answer to QUIT is lost; messages that were not marked are not.
                    self.assertIn(self.names[1], self.left())
                self.count()

    def test_dropped_connection_after_each_answer_deletes_nothing(self):
        for way in (socket.socket.close, reset):
            for done in range(len(SESSION)):
                self.fill()
                client = self.client(self.running)
                for command in SESSION[:done]:
                    client.send(command)
                    client.reply(command)
                way(client.socket)
                self.settle()
                self.assertEqual(self.left(), self.names)
                self.count()

    def test_peer_that_vanishes_before_the_greeting_costs_nothing(self):
        for way in (socket.socket.close, reset):
            for _ in range(50):
                way(connect(self.running.address))
                self.count()
        self.client(self.running, login="alice").quit()
        self.settle(101)

    def test_peer_that_vanishes_inside_a_long_reply_costs_nothing(self):
        self.running.plant([b"Subject: long\n\n" + b"x" * 70 + b"\n.\n" * (1 << 20)], first=9)
        for way in (socket.socket.close, reset):
            for taken in (1, 100, 5000, 70000, 400000):
                client = self.client(self.running, login="alice")
                client.send(b"RETR 1\r\nUIDL\r\n")
                while taken > 0:
                    taken -= len(client.socket.recv(min(taken, 65536)))
                way(client.socket)
                self.settle()
                self.count()
        self.assertEqual(len(self.left()), 1)

    def test_commands_after_quit_do_not_cost_the_replies_before_it(self):
        # Octets that meet a closed socket make a reset, which throws away what is still unsent.
        text = b"Subject: long\n\n" + (b"z" * 70 + b"\n") * 1400
        self.running.plant([text])
        with Client(self.running.address, receive_buffer=4096) as client:
            client.login()
            client.send(b"RETR 1\r\nQUIT\r\n")
            self.wait_until(lambda: self.endings.seen() > self.sessions,
                            lambda: "the session does not end")
            for _ in range(20):
                client.send(b"NOOP\r\n")
                time.sleep(0.002)
            self.assertTrue(client.line().startswith(b"+OK"))
            self.assertEqual(len(client.body()), len(text) + 1402)
            self.assertEqual(client.line(), b"+OK bye")
            self.assertEqual(client.rest(), b"")
        self.settle()

    def test_half_close_after_pipelined_commands_gets_every_octet(self):
        self.fill()
        self.running.plant([b"Subject: long\n\n" + b".dots and more\n" * 100000], first=9)
        big = model.crlf(b"Subject: long\n\n" + b".dots and more\n" * 100000)
        with Client(self.running.address, greet=False) as client:
            client.send(b"USER alice\r\nPASS wonderland\r\n" + b"RETR 4\r\n" * 5
                        + b"DELE 2\r\nQUIT\r\n")
            client.finish_sending()
            received = client.rest()
        reply = b"+OK %d octets\r\n" % len(big) + model.stuff(big)
        self.assertEqual(len(received), len(
            b"+OK POP3 server ready\r\n+OK send PASS\r\n+OK maildrop ready\r\n" + reply * 5
            + b"+OK message deleted\r\n+OK bye\r\n"))
        self.assertTrue(received.endswith(reply + b"+OK message deleted\r\n+OK bye\r\n"))
        self.settle()
        self.assertEqual(len(self.left()), 3)
