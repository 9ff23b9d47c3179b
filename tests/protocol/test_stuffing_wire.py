"""Stuffing and line-end repair at every named buffer size: messages whose dots and line ends lie
within four octets of each boundary, counted from the begin of the message and of the reply."""

import glob
import os
import re

import model
from ground import refill
from support.case import TestCase
from support.server import ROOT
from support.wire import Client

DEFAULTS = (256, 512, 1024, 4096, 8192, 16384, 32768, 65536, 131072)
DEFINE = re.compile(r"^#define\s+(\w+)\s+(\(?[\w\s+*/()<-]+?\)?)\s*(?:/\*.*)?$", re.M)
NAMED = re.compile(r"SIZE|MAX|OCTETS|HIGH|LOW|BLOCK|CHUNK|WINDOW")
LAYERS = ("base", "emitter", "proto", "net", "store")
LARGEST = 1 << 21   # beyond it no buffer is expected
MANY = 1 << 17      # up to it every pattern is tried
# What lies across the boundary.
PATTERNS = (b".", b"\n.", b"\n.\n", b"\r\n.", b"\r\n.\r\n", b"\r\n..\r\n", b"\r", b"\r\n",
            b"\n\n", b"\n\r\n.", b"\r\r\n.", b"\n.\r\r\n..", b"\r\n\r\n.x")
TAILS = (b"", b"tail\n", b".\n")


def named_sizes():
    """Values of the named constants that can be the size of a buffer, by value."""
    expressions = {}
    for layer in ("", *LAYERS):
        for path in sorted(glob.glob(os.path.join(ROOT, "src", layer, "*.[ch]"))):
            with open(path, encoding="utf-8") as file:
                expressions.update(DEFINE.findall(file.read()))
    sizes = {}
    for name in expressions:
        value = evaluate(name, expressions)
        if NAMED.search(name) and value and 64 <= value <= LARGEST:
            sizes.setdefault(value, name)
    return sizes


def evaluate(name, expressions, depth=0):
    """The value of a constant made of numbers and other constants; None if it is not that."""
    if name not in expressions or depth > 8:
        return None
    text = re.sub(r"\b(0[xX][0-9a-fA-F]+|\d+)[uUlL]+\b", r"\1", expressions[name])
    words = set(re.findall(r"\b[A-Za-z_]\w*\b", text))
    values = {word: evaluate(word, expressions, depth + 1) for word in words}
    if None in values.values() or not re.fullmatch(r"[\w\s+*/()<-]+", text):
        return None
    try:
        return eval(text.replace("/", "//"), {"__builtins__": {}}, values)  # pylint: disable=W0123
    except (SyntaxError, TypeError, ValueError, ZeroDivisionError):
        return None


def at(offset, pattern, tail):
    """A message of 'a' with the pattern at an offset, and the tail behind it."""
    return b"a" * offset + pattern + tail


def around(size, few):
    """Messages whose telling octets lie at size-4 … size+4 of the message or of its reply."""
    patterns = PATTERNS[4:5] if few else PATTERNS
    for delta in range(-4, 5):
        place = size + delta
        for pattern in patterns:
            yield at(place, pattern, TAILS[(delta + len(pattern)) % len(TAILS)])
        # Exactly so many octets, with each ending that needs a repair.
        for end in (b"\n", b"\r") if few else (b"a", b".", b"\n", b"\r"):
            yield b"a" * (place - 1) + end
        # The same counted from the begin of "+OK n octets".
        ahead = len(b"+OK %d octets\r\n" % place)
        for pattern in () if few else patterns[:6]:
            if place > ahead:
                yield at(place - ahead, pattern, b"tail\n")
    # Every line begins with a dot: the output is ahead of the input by more and more.
    yield (b".\n" * (size // 2 + 3))[:size + 3]
    yield (b"..a\r\n" * (size // 5 + 3))[:size + 4]


class Boundaries(TestCase):
    def test_stuffing_is_right_around_every_named_buffer_size(self):
        sizes = {size: "default" for size in DEFAULTS}
        sizes.update(named_sizes())
        server = self.server()
        self.assertIn(65536, sizes)
        for size in sorted(sizes):
            with self.subTest(size=size, name=sizes[size]):
                self.check(server, list(around(size, size > MANY)))

    def test_top_is_cut_right_around_every_named_buffer_size(self):
        sizes = sorted(set(DEFAULTS) | set(named_sizes()))
        server = self.server()
        for size in sizes:
            if size > MANY:
                continue
            header = b"Subject: x\n"
            body = []
            for delta in range(-4, 5):
                # The blank line, the first body line and its dot at the boundary.
                filler = b"h" * (size + delta - len(header))
                body.append(header + filler + b"\n\n.first\nsecond\n")
                body.append(header + filler + b"\r\n\r\n.\r\n..\r\n")
                # Two CRs are not a blank line, even with the boundary between them.
                body.append(header + filler + b"\n\r\r\nheader\n\n.first\nsecond\n")
                body.append(header + b"\n" + b"b" * (size + delta - 12) + b"\n.\n\n.third")
            with self.subTest(size=size):
                self.check(server, body, tops=(0, 1, 2, 3))

    def check(self, server, data, tops=(0,)):
        """RETR, TOP and LIST of these messages have exactly the octets the model says."""
        names = refill(server, data)
        self.assertEqual(len(names), len(data))
        texts = [model.crlf(stored) for stored in data]
        commands = [b"USER alice\r\nPASS wonderland\r\nLIST\r\n"]
        expected = [model.GREETING, b"\r\n+OK send PASS\r\n+OK maildrop ready\r\n"
                    b"+OK %d messages (%d octets)\r\n" % (len(texts), sum(map(len, texts)))]
        expected += [b"%d %d\r\n" % (number, len(text)) for number, text in enumerate(texts, 1)]
        expected.append(b".\r\n")
        for number, text in enumerate(texts, 1):
            commands.append(b"RETR %d\r\n" % number)
            expected += [b"+OK %d octets\r\n" % len(text), model.stuff(text)]
            for lines in tops:
                commands.append(b"TOP %d %d\r\n" % (number, lines))
                expected += [b"+OK\r\n", model.stuff(model.top(text, lines))]
        commands.append(b"QUIT\r\n")
        expected.append(b"+OK bye\r\n")
        self.compare(server, commands, b"".join(expected))
        self.count(len(data) * (1 + len(tops)))

    def compare(self, server, commands, expected):
        with Client(server.address, greet=False) as client:
            client.send(b"".join(commands))
            received = client.rest()
        if received == expected:
            return
        place = next((i for i, (a, b) in enumerate(zip(expected, received)) if a != b),
                     min(len(expected), len(received)))
        start = max(0, place - 40)
        status = expected.rfind(b"+OK ", 0, place)
        self.fail(f"{len(received)} octets instead of {len(expected)}; difference at {place}, "
                  f"in {expected[status:status + 20]!r}\nexpected …{expected[start:place + 40]!r}\n"
                  f"received …{received[start:place + 40]!r}")
