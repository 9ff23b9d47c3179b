"""The messages that Dovecot and we are compared with, and where we differ on purpose."""

import glob
import os
import random
import re

from support import messages
from support.server import ROOT

H = b"From: a@b\nSubject: x\n"


def crlf(data):
    return data.replace(b"\n", b"\r\n")


SMALL = {
    "crlf": crlf(H + b"\nbody\n.\n..x\n"),
    "mixed line ends": b"From: a\r\nSubject: x\n\r\none\ntwo\r\nthree\n",
    "border of crlf in lf": b"From: a\nSubject: x\n\r\none\n",
    "bare cr in the body": H + b"\na\rb\r\rc\n",
    "bare cr first in lines": H + b"\n\rb\n\r\n",
    "bare cr last in lines": H + b"\na\r\r\nb\n",
    "bare cr in the header": b"From: a\rb\nSubject: x\n\nb\n",
    "bare cr last in the header": b"From: a\r\r\nSubject: x\n\nb\n",
    "cr for a border": b"From: a\n\r\r\nbody\n",
    "cr before a field": b"From: a\n\rX: b\nY: c\n\nbody\n",
    "cr before the first field": b"\rFrom: a\nX: b\n\nbody\n",
    "cr at the end": H + b"\nbody\r",
    "header that ends in cr": b"From: a\r",
    "one cr": b"\r",
    "one lf": b"\n",
    "one crlf": b"\r\n",
    "two lf": b"\n\n",
    "one dot": b".",
    "one line of a dot": b".\n",
    "nul in the header": b"From: a\0b\n\nbody\n",
    "nul in the body": H + b"\n\0\0\n\0.\n",
    "one nul": b"\0",
    "line of a nul": H + b"\n\0\n",
    "8-bit header": b"Subject: caf\xe9\n\n\xff\xfe\n",
    "all octets": H + b"\n" + bytes(set(range(256)) - {10, 13}) + b"\n",
    "no final lf": H + b"\nbody",
    "no final crlf": crlf(H + b"\nbody"),
    "final dot without an end": H + b"\n.",
    "header without an end": b"Subject: x",
    "header only": b"Subject: x\n",
    "header and border": b"Subject: x\n\n",
    "header and border of crlf": b"Subject: x\r\n\r\n",
    "no header": b"\nbody one\nbody two\n",
    "no header, crlf": b"\r\nbody one\r\nbody two\r\n",
    "blank that is no border": b"Subject: x\n \n\nbody\n",
    "no field in the header": b"not a header\n\nbody\n",
    "mbox line": b"From alice Mon\nSubject: x\n\nFrom bob Tue\nbody\n",
    "field without a name": b": x\n\nbody\n",
    "folded field": b"Subject: a\n\tb\n c\n\nbody\n",
    "first body line with a dot": H + b"\n.first\n",
    "dots": H + b"\n.\n..\n...\n.\n",
    "header of dots": b".x: y\n.\n\n.\n",
    "empty lines": H + b"\n\n\n\nend\n\n\n",
    "control octets": H + b"\na\x1ab\x04c\x7f\x80\n",
    "byte order mark": b"\xef\xbb\xbfSubject: x\n\nbody\n",
}
LONG = {
    "line of 100,000 octets": H + b"\n" + b"a" * 100000 + b"\n",
    "field of 70,000 octets": b"X: " + b"b" * 70000 + b"\n\nbody\n",
    "2,000 fields": b"".join(b"X-%d: y\n" % number for number in range(2000)) + b"\nb\n",
    "dot behind 8,192 octets": H + b"\n" + b"c" * (8190 - len(H)) + b"\n.d\n",
    "crlf around 4,096 octets": H + b"\n" + b"c" * (4094 - len(H)) + b"\r\nx\n",
    "300,000 lines": H + b"\n" + b"x\n" * 300000,
}
PARTS = [b"a", b".", b"\r", b"\n", b"\r\n", b"\0", b"Subject: x\n", b"\n\n", b"\r\n\r\n", b"\r\n.",
         b"\n.", b"\xff", b" ", b":", b"b" * 500, b"\r\r\n", b"\n\r\n", b"\t"]


def mixtures(count, seed):
    """Messages of what matters to line ends, borders and dots, without the cases below."""
    rng = random.Random(seed)
    found = {}
    while len(found) < count:
        data = b"".join(rng.choices(PARTS, k=rng.randint(1, 25))) + b"\n"
        if not data.startswith(b".") and not re.search(rb"(\A|\n)\r[^\n]", data):
            found[f"mixture {len(found) + 1}"] = data
    return found


def sample():
    """The messages of the sample maildrops."""
    found = {}
    for path in sorted(glob.glob(os.path.join(ROOT, "maildir/*/Maildir/*/*"))):
        with open(path, "rb") as file:
            found["sample " + os.path.basename(path).split(".wonderland")[0]] = file.read()
    return found


def all_messages():
    """name -> octets as stored, in order."""
    planted = {"planted " + name: data for name, data in messages.planted(2 << 20).items()}
    return {**SMALL, **LONG, **planted, **sample(), **mixtures(60, seed=1939)}


class Case:
    """A difference that is meant.

    clause: what decides. example: (name of a message, command, Dovecot's whole reply, ours).
    differ: name -> command -> (Dovecot's lines, ours), of the reply without the lines that both
    begin and end with."""

    def __init__(self, clause, example, differ):
        self.clause = clause
        self.example = example
        self.differ = differ


def unstuffed_dot(theirs, status=None):
    """The text of every reply begins with this line; status: the octets of +OK, if they differ."""
    lines = theirs, b"." + theirs
    retr = lines
    if status:
        retr = tuple(b"+OK %d octets\r\n" % octets + line for octets, line in zip(status, lines))
    return {"RETR": retr, **dict.fromkeys(("TOP 0", "TOP 1", "TOP 5", "TOP 1000000"), lines)}


def uncounted_end(theirs):
    """The octets that Dovecot says; we say two more."""
    ours = theirs + 2
    return {"LIST": (b"%d" % theirs, b"%d" % ours),
            "RETR": (b"+OK %d octets\r\n" % theirs, b"+OK %d octets\r\n" % ours)}


CASES = {
    "the first octet of a message is a dot": Case(
        "RFC 1939, section 3: a line of a multi-line response that begins with the termination "
        "octet is byte-stuffed. Dovecot does not do so in the first line, so that a client takes "
        "it for the end, or loses the dot.",
        ("one line of a dot", "RETR", b"+OK 3 octets\r\n.\r\n.\r\n", b"+OK 3 octets\r\n..\r\n.\r\n"),
        {
            "one line of a dot": unstuffed_dot(b".\r\n"),
            "header of dots": unstuffed_dot(b".x: y\r\n"),
            "sample 1700000103.M3": unstuffed_dot(
                b".bob: this file begins with a dot, even before the first header\r\n"),
            # The last line has no end, too.
            "planted dot first": {
                **unstuffed_dot(b".first: a header that begins with a dot\r\n", (269, 271)),
                "LIST": (b"269", b"271")},
            "one dot": {**unstuffed_dot(b".\r\n", (1, 3)), "LIST": (b"1", b"3")},
        }),
    "the last line of a message has no end": Case(
        "RFC 1939, sections 5 and 11: the size of a message is that of the message as it is sent, "
        "each line ended by CRLF. Both servers send the CRLF that the file lacks; Dovecot does "
        "not count it.",
        ("header without an end", "RETR", b"+OK 10 octets\r\nSubject: x\r\n.\r\n",
         b"+OK 12 octets\r\nSubject: x\r\n.\r\n"),
        {
            "cr at the end": uncounted_end(30),
            "header that ends in cr": uncounted_end(8),
            "one cr": uncounted_end(1),
            "one nul": uncounted_end(1),
            "no final lf": uncounted_end(29),
            "no final crlf": uncounted_end(29),
            "final dot without an end": uncounted_end(26),
            "header without an end": uncounted_end(10),
            "planted very long line": uncounted_end(170204),
            "planted no final newline": uncounted_end(230),
            "sample 1700000003.M3": uncounted_end(497),
        }),
    "a message is empty": Case(
        "RFC 1939, section 3: after the last line of a response the termination octet follows; a "
        "message of 0 octets has no line. Dovecot says 0 octets and sends an empty line.",
        ("planted empty", "RETR", b"+OK 0 octets\r\n\r\n.\r\n", b"+OK 0 octets\r\n.\r\n"),
        {
            "planted empty": dict.fromkeys(("RETR", "TOP 0", "TOP 1", "TOP 5", "TOP 1000000"),
                                           (b"\r\n", b"")),
        }),
    "a line of the header begins with CR": Case(
        "RFC 5322, sections 2.1 and 2.3: an empty line ends the header, nothing before its CRLF; "
        "a CR that no LF follows is no line end. So what TOP (RFC 1939, section 7) shows goes on "
        "to the border, or to the end if there is none. Dovecot takes any line that begins with "
        "CR for the border.",
        ("cr for a border", "TOP 0", b"+OK\r\nFrom: a\r\n\r\r\n.\r\n",
         b"+OK\r\nFrom: a\r\n\r\r\nbody\r\n.\r\n"),
        {
            "cr for a border": {"TOP 0": (b"", b"body\r\n")},
            "cr before a field": {"TOP 0": (b"", b"Y: c\r\n\r\n"),
                                  "TOP 1": (b"", b"\r\nbody\r\n")},
            "cr before the first field": {"TOP 0": (b"", b"X: b\r\n\r\n"),
                                          "TOP 1": (b"", b"\r\nbody\r\n")},
        }),
}
