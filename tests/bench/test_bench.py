"""The bench itself: what it counts and how it judges, without a server under test."""

import os
import socket
import tempfile
import threading

import mailboxes
from fake import BODIES_OCTETS, LoadTest, MailServer
from measure import pairs, private_of
from report import Row, passed, table
from support.case import TestCase

class LoadGenerator(LoadTest):
    def test_message_octets_are_counted_in_pieces_of_any_size(self):
        for piece in (1, 2, 3, 7, 256, 100000):
            for pipelined in (0, 1):
                with self.subTest(piece=piece, pipelined=pipelined):
                    server = self.fake(MailServer, piece)
                    run = self.loadgen("retr", port=server.port, clients=1, milliseconds=0,
                                       pipelined=pipelined)
                    result = pairs(run.stdout.decode())
                    self.assertEqual((result["messages"], result["octets"]), (8, BODIES_OCTETS))
                    self.assertEqual(run.returncode, 0)
                    self.count()

    def test_session_with_other_octets_makes_the_run_void(self):
        server = self.fake(MailServer, 100000, 3)
        run = self.loadgen("retr", port=server.port, clients=1, milliseconds=60000)
        self.assertEqual(run.returncode, 1)
        self.assertIn(b"8 messages, 841 octets", run.stderr)

    def test_split_answers_are_seen_as_stalls(self):
        run = self.loadgen("stall", port=self.bare("pollserver", "split"), count=26)
        result = pairs(run.stdout.decode())
        self.assertEqual((result["replies"], result["slow"]), (26, 26))

    def test_idle_sessions_are_opened_and_held(self):
        run = self.loadgen("idle", port=self.bare("pollserver"), users=300)
        self.assertEqual(run.stdout, b"open=300\nlost=0\n")
        self.assertEqual(run.returncode, 0)

    def test_refused_login_makes_the_run_void(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            def refuse():
                peer = server.accept()[0]
                peer.sendall(b"-ERR no\r\n")
                peer.recv(1)
                peer.close()
            thread = threading.Thread(target=refuse)
            thread.start()
            run = self.loadgen("logins", port=server.getsockname()[1], users=1, clients=1,
                               milliseconds=1000)
            thread.join()
        self.assertEqual(run.returncode, 1)
        self.assertIn(b"-ERR no", run.stderr)


class Mail(TestCase):
    def test_generated_files_have_right_size_hints(self):
        box = mailboxes.all_mailboxes({"mixed"})["mixed"]
        with tempfile.TemporaryDirectory() as home:
            mailboxes.write_maildir(home, box.files("mixed0000"))
            cur = os.path.join(home, "Maildir", "cur")
            names = sorted(os.listdir(cur))
            for name in names:
                with open(os.path.join(cur, name), "rb") as file:
                    text = file.read()
                wire = len(text.replace(b"\n", b"\r\n"))
                self.assertTrue(name.endswith(f",S={len(text)},W={wire}:2,S"), name)
                self.assertNotIn(b"\r", text)
                self.count()
        self.assertEqual(len(names), 400)
        self.assertEqual(sum(len(text) for text in box.messages), 27_000_000)
        self.assertEqual((min(map(len, box.messages)), max(map(len, box.messages))),
                         (1024, 1_000_000))

    def test_mailbox_is_the_same_whatever_else_is_made(self):
        alone = mailboxes.all_mailboxes({"login"})["login"]
        among = mailboxes.all_mailboxes({"mixed", "login"})["login"]
        self.assertEqual(alone.messages, among.messages)


class Memory(TestCase):
    def test_clean_pages_of_programs_are_not_memory(self):
        smaps = """
            1000-2000 r--p 0 fe:00 1 /usr/lib/libx.so
            Private_Clean: 40 kB
            Private_Dirty: 4 kB
            2000-3000 r-xp 0 fe:00 1 /usr/lib/libx.so
            Private_Clean: 80 kB
            Private_Dirty: 0 kB
            3000-4000 rw-p 0 00:00 0 [heap]
            Private_Clean: 1 kB
            Private_Dirty: 100 kB
            4000-5000 r--s 0 fe:00 2 /var/mail/index
            Private_Clean: 16 kB
            Private_Dirty: 0 kB
            5000-6000 rw-p 0 00:00 0
            Private_Clean: 0 kB
            Private_Dirty: 8 kB"""
        lines = [line.split() for line in smaps.strip().splitlines()]
        self.assertEqual(private_of(lines), 4 + 1 + 100 + 16 + 8)


class Verdict(TestCase):
    def test_medians_are_compared_with_the_bar(self):
        row = Row("a", "a row", "/s", at_least=3, ours=[30, 1, 31], dovecot=[10, 10, 99])
        self.assertEqual((row.ratio(), row.verdict()), (3.0, "reached"))
        row.ours = [29, 1, 31]
        self.assertEqual(row.verdict(), "not reached")
        row = Row("b", "b row", "KiB", at_most=4, ours=[4.0, 9, 1])
        self.assertEqual(row.verdict(), "reached")
        row.ours = [4.1, 9, 1]
        self.assertEqual(row.verdict(), "not reached")

    def test_share_of_dovecot_is_a_bar_from_above(self):
        row = Row("a", "a row", "ms", share=0.25, ours=[25, 1, 99], dovecot=[100])
        self.assertEqual((row.bar(), row.verdict()), ("<= 0.25 x", "reached"))
        row.ours = [26]
        self.assertEqual(row.verdict(), "not reached")

    def test_lost_mail_is_judged_even_where_speed_is_not(self):
        slow = Row("a", "a row", "ms", at_most=1, ours=[2])
        wrong = Row("b", "b row", "messages", at_most=0, ours=[1], exact=True)
        self.assertEqual([passed(row, judge) for row in (slow, wrong) for judge in (True, False)],
                         [False, True, False, False])

    def test_table_names_what_is_not_reached(self):
        row = Row("a", "a row", "/s", at_least=3, ours=[2], dovecot=[1], digits=0)
        last = table([row], "pop3-emitter").splitlines()[-1]
        self.assertEqual(last.split(), ["a", "row", "2", "/s", "1", "/s", "2.00", ">=", "3", "x",
                                        "not", "reached"])
