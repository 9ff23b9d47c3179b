"""A record that does not belong there, of each type, at each moment of a session: one close, one
line in the log, nothing executed and nothing left behind."""

import os
import socket

from tls_ground import TlsCase, VERSIONS, WAYS
from support import messages
from support.tls_talk import Talk

EVERY = int(os.environ.get("POP3_RECORDS_EVERY", "7"))

KINDS = (0, 20, 21, 22, 23, 24, 64, 128, 255)
BODIES = (b"", b"\0", b"\1", b"\1\0", b"\2\50", bytes(64), b"\xff" * 300)
# Before the first octet of TLS, between the flights, behind the handshake, with a message marked as
# deleted, while a long reply is under way, behind QUIT.
MOMENTS = ("begin", "middle", "open", "marked", "reply", "end")
MAIL = b"Subject: long\r\n\r\n" + b"x" * 78 + b"\r\n"


def records():
    for kind in KINDS:
        for body in BODIES:
            for version in (b"\3\3", b"\2\0"):
                yield bytes((kind,)) + version + len(body).to_bytes(2, "big") + body


class Records(TlsCase):
    def to_moment(self, talk, moment, way):
        """False: the octets are to go out now, together with what is not sent yet."""
        if moment == "begin":
            return
        talk.shake(1 if moment == "middle" else 9)
        if moment == "middle":
            return
        if way == "implicit":
            talk.line()
        if moment == "open":
            return
        talk.ok(b"USER alice")
        talk.ok(b"PASS wonderland")
        talk.ok(b"DELE 1")
        if moment == "reply":
            talk.says(b"RETR 2")
        elif moment == "end":
            talk.ok(b"RSET")
            talk.says(b"QUIT")

    def is_tls(self, data):
        """Nothing but records, the last of which may be cut."""
        while data:
            if not 20 <= data[0] <= 23 or (len(data) > 1 and data[1] != 3):
                return False
            data = data[5 + int.from_bytes(data[3:5], "big"):] if len(data) >= 5 else b""
        return True

    def test_a_record_that_does_not_belong_there_is_one_close_and_one_line(self):
        server = self.tls_server("--max-connections-per-user", "1000")
        server.plant([MAIL, MAIL * 4000])
        planted = messages.files(server.box())
        lines = 0
        cases = [(record, moment, way, version) for record in records() for moment in MOMENTS
                 for way in WAYS for version in VERSIONS]
        contexts = {version: self.ca.context(version) for version in VERSIONS}
        with self.no_descriptor_leak(server):
            for record, moment, way, version in cases[::EVERY]:
                with self.subTest(record=record[:6], moment=moment, way=way, version=version):
                    talk = Talk(self.address(server, way), contexts[version], way == "stls")
                    self.to_moment(talk, moment, way)
                    talk.socket.sendall(record)
                    talk.socket.shutdown(socket.SHUT_WR)
                    self.assertTrue(self.is_tls(talk.rest()))
                    talk.socket.close()
                    lines += 1
                    self.wait_until(lambda: server.log_text().count("event=closed") == lines,
                                    lambda: server.log_text()[-1000:])
                    last = server.log_lines()[-1]
                    wanted = "quit" if moment == "end" else "(tls|dropped|lost)"
                    self.assertRegex(last, rf" deleted=0 reason={wanted} ")
        self.assertEqual(server.log_text().count("\n"), lines)
        self.assertEqual(messages.files(server.box()), planted)
        self.count(lines)
