"""User names are keys into the passwd file, never paths: what odd ones come to over POP3."""

import os

from support import messages
from support.case import TestCase
from support.server import own

DENIED = "-ERR [AUTH] authentication failed"


class Names(TestCase):
    def attempt(self, server, user):
        client = self.client(server)
        client.command("NOOP")  # a first line that is too long gets no answer
        first = client.command("USER " + user)
        second = client.command("PASS wonderland") if first.startswith("+OK") else None
        client.quit()
        self.count()
        return first, second

    def test_path_like_names_are_unknown_and_touch_nothing(self):
        server = self.server()
        server.expect_log("authentication|denied|failed")
        for name in ("a/b", "/alice", "../alice", "..", ".", "./alice", "alice/../alice",
                     "alice/Maildir", "alice/", "*", "alice@", "ALICE"):
            with self.subTest(name=name):
                self.assertEqual(("+OK send PASS", DENIED), self.attempt(server, name))
        self.assertEqual(["alice", "bob"], sorted(os.listdir(server.mail)))

    def test_name_of_300_octets_is_a_line_too_long(self):
        server = self.server()
        self.assertEqual("-ERR line too long", self.attempt(server, "x" * 300)[0])

    def test_longest_possible_name_is_unknown(self):
        server = self.server()
        server.expect_log("authentication|denied|failed")
        # 255 octets with `USER `, CR and LF (RFC 2449, 4).
        self.assertEqual(("+OK send PASS", DENIED), self.attempt(server, "x" * 248))
        self.assertEqual("-ERR line too long", self.attempt(server, "x" * 249)[0])

    def test_name_with_nul_is_refused(self):
        server = self.server()
        self.assertEqual("-ERR line has control characters",
                         self.attempt(server, "alice\0x")[0])
        self.assertEqual("-ERR line has control characters", self.attempt(server, "\0")[0])

    def test_names_with_eight_bits_are_unknown(self):
        server = self.server()
        server.expect_log("authentication|denied|failed")
        self.assertEqual(DENIED, self.attempt(server, "\u00e4lice")[1])

    def test_entry_without_a_home_has_its_maildrop_under_the_root(self):
        server = self.server(passwd="carol:{PLAIN}christmas\n.hidden:{PLAIN}christmas\n"
                                    "a/b:{PLAIN}christmas\n", users={}, maildirs=False)
        server.expect_log(".")
        for name in ("carol", ".hidden"):
            messages.make_maildir(server.home(name))
        server.plant([b"Subject: a\n\na\n"], user="carol")
        own(server.mail)
        client = self.client(server)
        client.login("carol", "christmas")
        self.assertEqual("+OK 1 17", client.ok("STAT"))
        client.quit()
        for name in (".hidden", "a/b"):
            with self.subTest(name=name):
                client = self.client(server)
                client.ok("USER " + name)
                self.assertTrue(client.command("PASS christmas").startswith("-ERR"))
                client.quit()
                self.count()

    def test_uid_of_another_user_is_refused_after_the_password_alone(self):
        server = self.server(users={}, passwd="carol:{PLAIN}christmas:4242::::\n"
                                              "zero:{PLAIN}christmas:0::::\n", maildirs=False)
        server.expect_log(".")
        client = self.client(server)
        client.ok("USER carol")
        self.assertEqual(DENIED, client.command("PASS wrong"))
        client.ok("USER carol")
        self.assertTrue(client.command("PASS christmas").startswith("-ERR [SYS/PERM]"))
        client.ok("USER zero")
        self.assertEqual(DENIED, client.command("PASS christmas"))
        client.quit()

    def test_domain_is_stripped_when_asked_for_and_whole_names_win(self):
        users = {"alice": "one", "alice@example.org": "two", "bob": "three"}
        for strip, cases in (("yes", (("alice", "one", True), ("alice@example.org", "two", True),
                                      ("alice@example.org", "one", False),
                                      ("bob@example.org", "three", True))),
                             ("no", (("bob@example.org", "three", False), ("bob", "three", True)))):
            server = self.server("--strip-domain", strip, users=users)
            server.expect_log("authentication|denied|failed")
            for name, secret, good in cases:
                with self.subTest(strip=strip, name=name, secret=secret):
                    client = self.client(server)
                    client.ok("USER " + name)
                    answer = client.command("PASS " + secret)
                    self.assertEqual("+OK maildrop ready" if good else DENIED, answer)
                    client.quit()
                    self.count()
