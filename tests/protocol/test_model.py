"""Random sessions against the reference model, octet by octet: POP3_RANDOM_OPS commands, valid and
not, in sessions of every kind, over a maildrop that changes between sessions. POP3_SEED repeats a
run."""

import os
import random
import socket
import struct
import threading

import model
from ground import Endings, baseline
from support import messages
from support.case import TestCase
from support.server import own
from support.wire import Client, connect

SECRETS = {"alice": "wonderland", "bob": "b  b"}
VERBS = (b"USER", b"PASS", b"STAT", b"LIST", b"RETR", b"DELE", b"NOOP", b"RSET", b"TOP", b"UIDL",
         b"CAPA", b"LANG", b"UTF8", b"QUIT", b"APOP", b"AUTH", b"XYZZY", b"", b"STLS", b"LISTE")
RANGES = (b"de", b"DE-at", b"fr", b"fr-x-y", b"en", b"i-default", b"*", b"uga", b"d", b"de-",
          b"de_AT", b"\xc3\xa9", b"de fr", b"")
ODD_NUMBERS = (b"0", b"-1", b"+1", b"1x", b"01", b"", b" 1", b"1 ", b"4294967295", b"4294967296",
               b"4294967297", b"18446744073709551617", b"99999999999999999999", b"1 2", b"x",
               b"00000000000000000002", b"\xff", b"1.", b"0x1")
FRAGMENTS = (b".", b"..", b"\r", b"\n", b"\r\n", b"\n\n", b"\r\n\r\n", b"\n.", b"\r\n.", b"\r.",
             b"\n.\n", b"\r\n.\r\n", b"a", b"\xc3\xa9", b"\xe2\x82\xac", b"Subject: x\n", b"\0", b"\xe9", b" ", b"text of a line")


def setting(name, default):
    return int(os.environ.get(name) or default)


class Maker:
    """Random messages, commands and cuts."""

    def __init__(self, rng):
        self.rng = rng

    def message(self):
        rng = self.rng
        kind = rng.random()
        if kind < 0.05:
            return b""
        size = (rng.randrange(200) if kind < 0.7 else rng.randrange(6000) if kind < 0.95
                else rng.randrange(200 * 1024))
        parts = []
        length = 0
        while length < size:
            part = rng.choice(FRAGMENTS)
            if rng.random() < 0.15:
                part = bytes([rng.choice(b"xyz.\r")]) * rng.randrange(1, 1 + max(2, size // 5))
            parts.append(part)
            length += len(part)
        return b"".join(parts)[:size]

    def number(self, count):
        if self.rng.random() < 0.12:
            return self.rng.choice(ODD_NUMBERS)
        return b"%d" % self.rng.randrange(1, count + 2)

    def junk(self):
        rng = self.rng
        kind = rng.randrange(4)
        if kind == 0:
            return bytes(rng.choice(b"\0\x01\t\x1b\x7f\rA ") for _ in range(rng.randrange(1, 20)))
        if kind == 1:
            return b"x" * rng.choice((252, 253, 254, 255, 256, 257, 300, 1000, 5000, 40000))
        if kind == 2:
            return bytes(rng.randrange(0x20, 0x100) for _ in range(rng.randrange(60)))
        return rng.choice(VERBS) + b" " * rng.randrange(3) + b"y" * rng.randrange(260)

    def command(self, count, logged_in):
        """One line without its end."""
        rng = self.rng
        if rng.random() < 0.06:
            return self.junk()
        if not logged_in or rng.random() < 0.02:
            verb = rng.choice(VERBS[:2] + VERBS)
        else:
            verb = rng.choice(VERBS[2:13] + (b"RETR", b"LIST", b"DELE", b"TOP"))
        if verb == b"QUIT" and rng.random() < 0.8:
            verb = b"NOOP"
        word = bytes(rng.choice((octet, octet | 0x20)) if 65 <= octet <= 90 else octet
                     for octet in verb) if rng.random() < 0.2 else verb
        return word + self.arguments(verb, count)

    def arguments(self, verb, count):
        rng = self.rng
        odd = rng.random() < 0.04
        if verb == b"USER":
            return b"" if odd else b" " + rng.choice((b"alice", b"bob", b"nobody", b"Alice"))
        if verb == b"PASS":
            return b"" if odd else b" " + rng.choice((b"wonderland", b"wrong", b"b  b", b"b b"))
        if verb in (b"RETR", b"DELE"):
            return b"" if odd else b" " + self.number(count)
        if verb in (b"LIST", b"UIDL"):
            return b" " + self.number(count) if rng.random() < 0.7 else b""
        if verb == b"LANG":
            return b"" if odd else b" " + rng.choice(RANGES)
        if verb == b"TOP":
            lines = rng.choice((b"0", b"1", b"2", b"3", b"10", b"1000", b"-1", b"x", b"007",
                                b"99999999999999999999", b""))
            return b"" if odd else b" " + self.number(count) + b" " + lines
        return rng.choice((b" ", b" 1", b" x y")) if odd else b""

    def cut(self, data):
        """The same octets in random pieces."""
        rng = self.rng
        most = rng.choice((1, 3, 20, 500, 5000))
        if most == 1 and len(data) > 3000:
            most = 100
        position = 0
        while position < len(data):
            size = rng.randrange(1, most + 1)
            yield data[position:position + size]
            position += size


class RandomSessions(TestCase):
    def setUp(self):
        self.seed = setting("POP3_SEED", random.randrange(1 << 32))
        print(f"seed: POP3_SEED={self.seed}", flush=True)
        self.rng = random.Random(self.seed)
        self.maker = Maker(self.rng)
        self.next = 1
        self.drops = {b"alice": model.Drop(), b"bob": model.Drop()}
        self.secrets = {name.encode(): secret.encode() for name, secret in SECRETS.items()}

    def test_random_sessions_agree_with_the_reference_model(self):
        wanted = setting("POP3_RANDOM_OPS", 5000)
        self.manner = {"strict": self.rng.random() < 0.5,
                       "preferred": self.rng.choice((b"en", b"de", b"fr"))}
        server = self.server("--utf8", "strict" if self.manner["strict"] else "on", "--language",
                             self.manner["preferred"].decode(), users=SECRETS)
        server.expect_log(r"event=login\b.*result=(denied|in-use)\b")
        quiet = baseline(server)
        self.endings = Endings(server)
        self.sessions = self.endings.seen()
        done = 0
        while done < wanted:
            self.shuffle(server)
            try:
                done += self.one_session(server)
            except AssertionError as problem:
                self.fail(f"POP3_SEED={self.seed}, after {done} commands: {problem}")
            self.compare_disk(server)
        self.count(done)
        self.wait_until(lambda: server.descriptors() <= quiet, "descriptors are left open")

    # -- the maildrop between sessions

    def shuffle(self, server):
        """New messages arrive, others move from new/ to cur/ or change their flags."""
        drop = self.drops[b"alice"]
        for _ in range(self.rng.choice((0, 0, 1, 3)) if len(drop.messages) < 12 else 0):
            data = self.maker.message()
            path, = messages.plant(server.box(), [data], first=self.next)
            self.next += 1
            drop.messages.append([os.path.basename(path).encode(), data])
        own(server.box())
        for folder in ("new", "cur"):
            for name in os.listdir(os.path.join(server.box(), folder)):
                if self.rng.random() < 0.1:
                    base = name.split(":")[0]
                    os.rename(os.path.join(server.box(), folder, name),
                              os.path.join(server.box(), "cur",
                                           base + self.rng.choice((":2,S", ":2,", ":2,RS"))))

    def compare_disk(self, server):
        there = sorted(name.split(":")[0] for name in messages.files(server.box()))
        self.assertEqual(there, [name.decode() for name, _ in self.drops[b"alice"].messages],
                         "messages on disk")

    # -- a session

    def commands(self):
        """The lines of a session, with their ends; the last is QUIT or not."""
        rng = self.rng
        count = len(self.drops[b"alice"].messages)
        size = rng.choice((2, 5, 20, 60))
        lines = []
        if rng.random() < 0.92:
            lines = [self.maker.command(count, False) for _ in range(rng.choice((0, 0, 0, 1, 3)))]
            lines += [b"USER alice", b"PASS wonderland"]
        logged_in = bool(lines)
        lines += [self.maker.command(count, logged_in) for _ in range(size)]
        ending = rng.choice(("quit", "quit", "quit", "half-close", "close", "reset"))
        if ending == "quit":
            lines.append(b"QUIT")
        return [line + (b"\n" if rng.random() < 0.1 else b"\r\n") for line in lines], ending

    def one_session(self, server):
        """Plays one session; returns how many commands it had."""
        lines, ending = self.commands()
        reference = model.Session(self.drops, self.secrets, **self.manner)
        replies = [reference.feed(line) for line in lines]
        expected = model.GREETING + b"\r\n" + b"".join(replies)
        stayed = not reference.closed
        reference.end()
        data = b"".join(lines)
        if stayed and ending == "quit":
            ending = "half-close"
        if stayed and ending in ("close", "reset"):
            self.vanish(server, data, ending)
        elif self.rng.random() < 0.4:
            self.whole(server, lines, replies)
        else:
            self.streamed(server, data, expected)
        self.sessions += 1
        # The next session must not meet the lock of this one.
        self.wait_until(lambda: self.endings.seen() >= self.sessions, "a session does not end")
        return len(lines)

    def whole(self, server, lines, replies):
        """Each command in its own write, its reply awaited; sometimes another session looks in."""
        with Client(server.address) as client:
            self.assertEqual(client.greeting, model.GREETING)
            reference = model.Session({name: model.Drop(drop.messages)
                                       for name, drop in self.drops.items()}, self.secrets,
                                      **self.manner)
            for line, reply in zip(lines, replies):
                if reference.closed:
                    break
                reference.feed(line)
                client.send(line)
                self.compare(reply, self.exactly(client, len(reply)), line)
                if reference.drop and not reference.closed and self.rng.random() < 0.02:
                    self.intrude(server, reference)
            if not reference.closed:
                client.finish_sending()
            self.assertEqual(client.rest(), b"", "octets after the last reply")

    def exactly(self, client, length):
        while len(client.pending) < length and client.receive():
            pass
        data = bytes(client.pending[:length])
        del client.pending[:length]
        return data

    def intrude(self, server, reference):
        """A second session of the user that is logged in is turned away."""
        user = next(name for name, drop in reference.drops.items() if drop is reference.drop)
        with Client(server.address) as client:
            client.command(b"USER " + user)
            answer = client.command(b"PASS " + self.secrets[user])
            self.assertEqual(answer.encode(), model.IN_USE)
            client.quit()
        self.sessions += 1

    def streamed(self, server, data, expected):
        """All commands in random pieces while the answers are read."""
        with Client(server.address, greet=False) as client:
            pieces = list(self.maker.cut(data)) if self.rng.random() < 0.7 else [data]
            sender = threading.Thread(target=self.pour, args=(client.socket, pieces))
            sender.start()
            received = client.rest()
            sender.join()
            self.compare(expected, received, data[:2000])

    @staticmethod
    def pour(sock, pieces):
        try:
            for piece in pieces:
                sock.sendall(piece)
            sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # the server has closed after QUIT

    def vanish(self, server, data, how):
        """Everything is sent and the connection dropped, the answers unread."""
        sock = connect(server.address)
        sock.recv(1)  # it has been accepted
        sock.sendall(data)
        if how == "reset":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()

    def compare(self, expected, received, sent):
        if expected == received:
            return
        place = next((i for i, (a, b) in enumerate(zip(expected, received)) if a != b),
                     min(len(expected), len(received)))
        start = max(0, place - 60)
        self.fail(f"after {sent!r}:\nfirst difference at octet {place} of {len(expected)} "
                  f"({len(received)} received)\nexpected …{expected[start:place + 60]!r}\n"
                  f"received …{received[start:place + 60]!r}")
