"""Mail for the tests: maildirs, the planted messages, and what RFC 1939 makes of their octets.

repaired() and stuffed() are written from the RFC and share nothing with the server: they are
what transcripts are compared with."""

import hashlib
import os
import re


def repaired(data):
    """The octets a server sends for a stored message, before byte-stuffing (RFC 1939, 11): each
    LF without CR becomes CRLF, CRLF stays, a lone CR is data, the last line gets its end."""
    data = re.sub(rb"(?<!\r)\n", b"\r\n", data)
    if data and not data.endswith(b"\r\n"):
        data += b"\r\n"
    return data


def stuffed(data):
    """repaired() with each line that begins with a dot getting one more (RFC 1939, 3)."""
    return re.sub(rb"(\A|(?<=\r\n))\.", b"..", repaired(data))


def top(data, lines):
    """What TOP sends, before stuffing: header, blank line, that many body lines."""
    whole = repaired(data)
    parts = whole.split(b"\r\n")[:-1]
    border = parts.index(b"") if b"" in parts else len(parts)
    return b"".join(part + b"\r\n" for part in parts[:border + 1 + lines])


def folded(data):
    """CRLF folded to LF and a final line end: what every client may be compared by."""
    data = data.replace(b"\r\n", b"\n")
    if data and not data.endswith(b"\n"):
        data += b"\n"
    return data


def digest(data):
    return hashlib.sha256(folded(data)).hexdigest()


def make_maildir(home):
    """<home>/Maildir with new, cur and tmp; returns its path."""
    maildir = os.path.join(home, "Maildir")
    for part in ("new", "cur", "tmp"):
        os.makedirs(os.path.join(maildir, part), exist_ok=True)
    return maildir


def name_of(position, unique="test"):
    """A maildir name that sorts by position; it has no hints, so sizes must be counted."""
    return f"{1000000000 + position}.{unique}.mail.example"


def plant(maildir, messages, folder="new", first=1, unique="test"):
    """Writes messages (byte strings) in order; returns their paths."""
    paths = []
    for position, data in enumerate(messages, first):
        path = os.path.join(maildir, folder, name_of(position, unique))
        with open(path, "wb") as file:
            file.write(data)
        paths.append(path)
    return paths


def files(maildir):
    """The names in new/ and cur/, sorted."""
    return sorted(name for part in ("new", "cur")
                  for name in os.listdir(os.path.join(maildir, part)))


HEADER = (b"From: White Rabbit <rabbit@wonderland.example>\n"
          b"To: Alice <alice@wonderland.example>\n"
          b"Date: Sat, 04 Jul 1863 10:00:00 +0000\n")


def _message(subject, body, extra=b""):
    identity = subject.replace(b" ", b"-")
    return (HEADER + b"Subject: " + subject + b"\nMessage-ID: <" + identity
            + b"@wonderland.example>\n" + extra + b"\n" + body)


def _big(octets):
    """About that many octets of numbered lines, some beginning with dots; no two lines equal."""
    lines = []
    size = number = 0
    while size < octets:
        dots = b"." * (number % 4)
        line = dots + b"line %08d " % number + b"0123456789abcdef" * (number % 5) + b"\n"
        lines.append(line)
        size += len(line)
        number += 1
    return _message(b"twenty million octets", b"".join(lines))


UTF8 = "Gr\u00fc\u00dfe aus dem Kaninchenbau \u2014 \u263a\n".encode()
EIGHT_BIT = b"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n"


def planted(big=20 * 1024 * 1024):
    """The messages of the client tests by name, in order. The names appear in test output."""
    return {
        "plain": _message(b"plain", b"Nothing odd in here.\nTwo lines.\n"),
        "dots": _message(b"dots", b".\n..\n...\n.a\n..b\n .\na.\n. \n\n.\n\n..\n.\n"),
        "dot first": b".first: a header that begins with a dot\n"
                     + _message(b"dot first", b".begins with a dot\nends with one.\n."),
        "dot crlf": _message(b"dot crlf", b".\r\nx\r\n..\r\n.\r\n").replace(b"\n", b"\r\n")
                    .replace(b"\r\r\n", b"\r\n"),
        "long lines": _message(b"long lines", b"a" * 2047 + b"\n" + b"b" * 2048 + b"\n"
                               + b"c" * 2049 + b"\n." + b"d" * 5000 + b"\nend\n"),
        "very long line": _message(b"very long line", b"e" * 100000 + b"\n." + b"f" * 70000),
        "nul": _message(b"nul", b"before\0after\n\0\n.\0\nend\n"),
        "8-bit": _message(b"eight bit", UTF8 + b"latin-1: caf\xe9, all: "
                          + bytes(range(0x80, 0x100)) + b"\n", EIGHT_BIT),
        "no final newline": _message(b"no final newline", b"the last line\nhas no end"),
        "empty body": _message(b"empty body", b""),
        "header only": HEADER + b"Subject: header only\n",
        "empty": b"",
        "20 MB": _big(big),
    }
