"""The rows over a large maildrop: what the load generator takes for a whole answer, the mail."""

import os
import tempfile
import threading
import time

import mailboxes
from fake import FakeServer, LoadTest
from measure import pairs
from support.case import TestCase

IDS = [b"one", b"t.w.o", b"three:3"]
SIZES = [5, 1234, 70]
LISTING = [b"%d %d" % pair for pair in enumerate(SIZES, 1)]


def body(lines):
    return b"+OK\r\n" + b"".join(line + b"\r\n" for line in lines) + b".\r\n"


class Maildrop(FakeServer):
    """Three messages; replies can be put in the place of the right ones."""

    def __init__(self, piece=1 << 20, **replies):
        self.commands = []
        self.replies = {"STAT": b"+OK 3 1309\r\n", "LIST": body(LISTING),
                        "UIDL": body(b"%d %s" % pair for pair in enumerate(IDS, 1)), **replies}
        super().__init__(piece)

    def answer(self, words):
        self.commands.append(b" ".join(words))
        return self.replies.get(words[0].decode(), b"+OK\r\n")


class StandingStill(FakeServer):
    """The second PASS takes a while; if `all_wait`, nobody else is answered meanwhile."""
    SECONDS = 0.3

    def __init__(self, all_wait):
        self.all_wait = all_wait
        self.passes = 0
        self.lock = threading.Lock()
        super().__init__()

    def answer(self, words):
        if words[0] == b"PASS":
            self.passes += 1
            if self.passes == 2:
                self.stand_still()
        with self.lock:
            return b"+OK 0 0\r\n"

    def stand_still(self):
        if not self.all_wait:
            time.sleep(self.SECONDS)
            return
        with self.lock:
            time.sleep(self.SECONDS)


class LargeModes(LoadTest):
    def large(self, piece=1 << 20, **replies):
        server = self.fake(lambda: Maildrop(piece, **replies))
        return self.loadgen("large", port=server.port, prefix="large"), server

    def test_listings_are_counted_in_pieces_of_any_size(self):
        for piece in (1, 2, 3, 5, 8, 13, 1000):
            with self.subTest(piece=piece):
                run, server = self.large(piece)
                result = pairs(run.stdout.decode())
                self.assertEqual(run.returncode, 0, run.stderr)
                self.assertEqual((result["messages"], result["octets"]), (3, 1309))
                self.assertEqual(result["id_octets"], len(b"".join(IDS)))
                self.assertEqual(server.commands, [b"USER large0001", b"PASS secret", b"STAT",
                                                   b"LIST", b"UIDL", b"QUIT"])
                self.count()

    def test_listing_that_is_wrong_makes_the_run_void(self):
        cases = {
            "a line is missing": {"LIST": body(LISTING[:1] + LISTING[2:])},
            "the last line is missing": {"LIST": body(LISTING[:2])},
            "a line has no number": {"UIDL": body([b"1 a", b"b", b"3 c"])},
            "a line has no unique-id": {"UIDL": body([b"1 a", b"2 ", b"3 c"])},
            "a size is wrong": {"LIST": body([b"1 5", b"2 1234", b"3 71"])},
            "STAT is wrong": {"STAT": b"+OK 3 1310\r\n"},
            "LIST is short": {"STAT": b"+OK 4 1309\r\n",
                              "UIDL": body([b"1 a", b"2 b", b"3 c", b"4 d"])},
            "UIDL is refused": {"UIDL": b"-ERR no\r\n"},
        }
        for name, replies in cases.items():
            with self.subTest(name):
                run, _ = self.large(**replies)
                self.assertEqual((run.returncode, run.stdout), (1, b""))
                self.count()

    def test_first_messages_are_deleted_before_quit(self):
        server = self.fake(lambda: Maildrop(3))
        run = self.loadgen("delete", port=server.port, prefix="large", count=2)
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertEqual(server.commands[-3:], [b"DELE 1", b"DELE 2", b"QUIT"])
        self.assertGreater(pairs(run.stdout.decode())["quit"], 0)

    def test_refused_deletion_makes_the_run_void(self):
        for replies in ({"DELE": b"-ERR no\r\n"}, {"QUIT": b"-ERR not removed\r\n"}):
            with self.subTest(replies):
                server = self.fake(lambda replies=replies: Maildrop(**replies))
                run = self.loadgen("delete", port=server.port, prefix="large", count=2)
                self.assertEqual((run.returncode, run.stdout), (1, b""))
                self.count()

    def test_server_that_stands_still_shows_in_many_noops(self):
        for all_wait in (True, False):
            with self.subTest(all_wait=all_wait):
                server = self.fake(StandingStill, all_wait)
                run = self.loadgen("meanwhile", port=server.port, prefix="large", count=20)
                self.assertEqual(run.returncode, 0, run.stderr)
                result = pairs(run.stdout.decode())
                self.assertEqual(result["busy_p50"] > 50e6, all_wait)
                self.assertEqual(result["idle_count"], 20)
                self.count()


class LargeMail(TestCase):
    def test_large_maildrop_has_no_sizes_in_its_names(self):
        box = mailboxes.LargeMailbox(200)
        with tempfile.TemporaryDirectory() as root:
            mailboxes.write_tree(root, {"large": box})
            cur = os.path.join(root, "large0001", "Maildir", "cur")
            names = sorted(os.listdir(cur))
            octets = 0
            for name in names:
                self.assertNotIn(",S=", name)
                with open(os.path.join(cur, name), "rb") as file:
                    octets += len(file.read().replace(b"\n", b"\r\n"))
                self.count()
            self.assertEqual((len(names), octets), (200, box.octets()))
            other = os.listdir(os.path.join(root, "large0000", "Maildir", "cur"))
            self.assertEqual(len(other), 1)

    def test_delivered_messages_come_last(self):
        box = mailboxes.LargeMailbox(1500)
        names = [box.file_name(number) for number in range(1, 2500)]
        self.assertEqual(names, sorted(names))
        box.first, box.last = 501, 1503
        self.assertEqual(box.count(), 1003)
        self.assertEqual(box.octets(), sum(len(box.text(number).replace(b"\n", b"\r\n"))
                                           for number in range(501, 1504)))
