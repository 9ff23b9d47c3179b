"""The clients people use fetch every planted message unchanged, list, and delete.

One test for each client and deed, made from the table of deeds at the end. What a client cannot
carry stands in CANNOT with the reason; for those the raw transcript has to prove that the server
sent the right octets."""

import os
import unittest

import clients
from client_ground import CANNOT, PLANTED, ClientCase
from support import messages
from support.wire import MODES, Client, converse

def retr_reply(data):
    """All octets of the answer to RETR, by the RFC and not by the server."""
    return (b"+OK %d octets\r\n" % len(messages.repaired(data))
            + messages.stuffed(data) + b".\r\n")


class PlantedCase(ClientCase):
    def start(self, data):
        """A server whose alice has these messages, and the names that their unique-ids are."""
        server = self.server()
        paths = server.plant(data)
        return server, [os.path.basename(path) for path in paths]

    def assert_sent_right(self, server, msgno, data):
        """The raw transcript of RETR has exactly the octets that RFC 1939 asks for."""
        with Client(server.address) as client:
            client.login()
            start = len(client.transcript)
            status, _ = client.multiline(f"RETR {msgno}")
            self.assertTrue(status.startswith("+OK "))
            same = bytes(client.transcript[start:]) == retr_reply(data)
            self.assertTrue(same, f"wrong octets: {bytes(client.transcript[start:start + 300])!r}")
            client.quit()
        self.count()


class Clients(PlantedCase):
    def fetches_every_planted_message_unchanged(self, kind):
        carried = [name for name in PLANTED if (kind.name, name) not in CANNOT]
        left = [name for name in PLANTED if (kind.name, name) in CANNOT]
        server, _ = self.start([PLANTED[name] for name in carried])
        got = self.make(kind, server).fetch(len(carried))
        self.assert_unchanged(carried, got)
        server.plant([PLANTED[name] for name in left], first=len(carried) + 1)
        for msgno, name in enumerate(left, len(carried) + 1):
            with self.subTest(message=name, reason=CANNOT[kind.name, name]):
                self.assert_sent_right(server, msgno, PLANTED[name])

    def lists_count_and_octets(self, kind):
        data = [PLANTED[name] for name in ("plain", "dots", "no final newline", "dot crlf")]
        server, _ = self.start(data)
        number, octets = self.make(kind, server).totals()
        self.assertEqual(4, number)
        # Written out: after line-end repair, before byte-stuffing. mpop shows rounded figures.
        if octets is not None:
            self.assertEqual(217 + 228 + 232 + 202, octets)

    def sees_the_unique_ids(self, kind):
        server, names = self.start([PLANTED["plain"], PLANTED["dots"], PLANTED["8-bit"]])
        self.assertEqual(names, self.make(kind, server).ids(3))

    def deletes_what_it_fetched(self, kind):
        names = ["plain", "dots", "8-bit"]
        server, _ = self.start([PLANTED[name] for name in names])
        client = self.make(kind, server)
        self.assert_unchanged(names, client.fetch(3, delete=True))
        self.wait_until(lambda: messages.files(server.box()) == [], "messages are still there")
        self.assertEqual([], client.fetch(0), "a second session found messages")

    def keeps_messages_and_fetches_them_twice(self, kind):
        names = ["plain", "dots", "8-bit"]
        server, files = self.start([PLANTED[name] for name in names])
        client = self.make(kind, server)
        self.assert_unchanged(names, client.fetch(3))
        self.assertEqual(files, messages.files(server.box()))
        self.assert_unchanged(names, client.fetch(3))
        self.assertEqual(files, messages.files(server.box()))

    def deletes_one_message_alone(self, kind):
        server, files = self.start([PLANTED["plain"], PLANTED["dots"], PLANTED["8-bit"]])
        client = self.make(kind, server)
        client.delete(2)
        self.wait_until(lambda: messages.files(server.box()) == [files[0], files[2]],
                        lambda: f"left: {messages.files(server.box())}")
        self.assert_unchanged(["plain", "8-bit"], client.fetch(2))


class Transcripts(PlantedCase):
    def test_every_planted_message_has_the_exact_octets_on_the_wire(self):
        server, _ = self.start(PLANTED.values())
        for msgno, (name, data) in enumerate(PLANTED.items(), 1):
            with self.subTest(message=name):
                self.assert_sent_right(server, msgno, data)

    def test_planted_transcript_is_equal_in_every_mode(self):
        small = [data for name, data in PLANTED.items() if name != "20 MB"]
        server, _ = self.start(small)
        commands = [b"USER alice\r\n", b"PASS wonderland\r\n"]
        commands += [b"RETR %d\r\n" % msgno for msgno in range(1, len(small) + 1)]
        wanted = b"".join(map(retr_reply, small)) + b"+OK bye\r\n"
        for mode in MODES:
            with self.subTest(mode=mode):
                got = converse(server.address, commands + [b"QUIT\r\n"], mode)
                self.assertTrue(got.endswith(b"+OK maildrop ready\r\n" + wanted))
                self.count(len(small))

    def test_lost_connection_after_dele_deletes_nothing_for_the_next_client(self):
        server, files = self.start([PLANTED["plain"], PLANTED["dots"]])
        client = self.client(server, login="alice")
        client.ok("DELE 1")
        client.close()
        self.assert_log(r"event.{1,3}closed.*reason.{1,3}dropped", server)
        self.assertEqual(files, messages.files(server.box()))
        got = self.make(clients.Poplib, server).fetch(2)
        self.assert_unchanged(["plain", "dots"], got)


def add_tests():
    """One test a client and deed, with a sentence for a name."""
    for kind in clients.CLIENTS:
        word = kind.name.lower().replace("::", "_")
        for deed in ("fetches_every_planted_message_unchanged", "lists_count_and_octets",
                     "sees_the_unique_ids", "deletes_what_it_fetched",
                     "keeps_messages_and_fetches_them_twice", "deletes_one_message_alone"):
            if deed == "deletes_one_message_alone" and not kind.deletes_one:
                continue

            def test(self, deed=deed, kind=kind):
                getattr(self, deed)(kind)
            setattr(Clients, f"test_{word}_{deed}", test)


add_tests()
