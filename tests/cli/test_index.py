"""The index of a maildrop, as a client and strace(1) see it."""

import os
import shutil
import time

from support.case import TestCase
from support.server import own
from support.strace import Trace

COUNT = 30
NAME = "pop3-emitter.index"


def message(number):
    return b"Subject: %d\n\n%s\n" % (number, b"x" * number)


class Index(TestCase):
    def server_with_mail(self, *arguments, **options):
        server = self.server(*arguments, **options)
        server.plant([message(n) for n in range(COUNT)])
        time.sleep(0.05)  # the folders' times are in the past then
        return server

    def login(self, server):
        client = self.client(server, login="alice")
        listed = (client.ok("STAT"), client.lines("LIST"), client.lines("UIDL"))
        client.quit()
        return listed

    def traced_login(self, server):
        trace = Trace(server, os.path.join(server.folder, "trace"))
        with trace:
            listed = self.login(server)
        return trace, listed

    def test_login_with_unchanged_folders_reads_the_index_alone(self):
        server = self.server_with_mail()
        trace, first = self.traced_login(server)
        self.assertTrue(trace.lines("getdents64"))
        self.assertEqual(COUNT, len(trace.lines(r"openat.*/new>.*\.test")))
        trace, second = self.traced_login(server)
        self.assertEqual(first, second)
        self.assertEqual([], trace.lines("getdents64"))
        self.assertEqual([], trace.lines(r"\.test"))
        self.assertEqual(1, len(trace.lines(r"openat.*" + NAME)))

    def test_login_looks_only_at_the_message_that_has_come(self):
        server = self.server_with_mail()
        self.login(server)
        path, = server.plant([message(99)], first=COUNT + 1)
        trace, listed = self.traced_login(server)
        self.assertEqual(COUNT + 1, len(listed[1]))
        opened = trace.lines(r"openat.*\.test")
        self.assertEqual(1, len(opened), opened)
        self.assertIn(os.path.basename(path), opened[0])

    def test_index_that_is_lost_changes_nothing_for_the_client(self):
        server = self.server_with_mail()
        listed = [self.login(server)]
        path = os.path.join(server.box(), NAME)
        for spoil in (os.unlink, lambda p: os.truncate(p, 100),
                      lambda p: open(p, "wb").write(b"x" * 4000)):
            spoil(path)
            server.expect_log("event.{1,4}store.*" + NAME)
            listed.append(self.login(server))
        for other in listed[1:]:
            self.assertEqual(listed[0], other)
        self.count(3)

    def test_indexes_in_a_directory_serve_a_maildrop_that_is_read_only(self):
        indexes = self.temporary()
        server = self.server_with_mail("--index-dir", indexes)
        self.login(server)
        self.assertEqual(1, len(os.listdir(indexes)))
        self.assertNotIn(NAME, os.listdir(server.box()))
        trace, _ = self.traced_login(server)
        self.assertEqual([], trace.lines("getdents64"))

    def test_size_that_proves_wrong_is_right_at_the_next_login(self):
        server = self.server()
        text = b"Subject: x\n\n" + b"y\n" * 20
        path = os.path.join(server.box(), "new", f"1700000000.M1P1.x,S={len(text)},W=60")
        server.write(path, text)
        server.expect_log("message 1 has 74 octets, 60 were announced")
        client = self.client(server, login="alice")
        self.assertEqual("+OK 1 60", client.ok("STAT"))
        self.assertEqual(22, len(client.lines("RETR 1")))
        self.assertEqual("+OK 1 60", client.ok("STAT"))
        client.quit()
        client = self.client(server, login="alice")
        self.assertEqual("+OK 1 74", client.ok("STAT"))
        client.quit()
        self.assert_log("message 1 has 74 octets, 60 were announced", server)

    def test_index_from_another_maildrop_is_of_no_use(self):
        server = self.server_with_mail()
        server.plant([b"Subject: bob\n\n"], user="bob")
        self.login(server)
        shutil.copy2(os.path.join(server.box(), NAME), os.path.join(server.box("bob"), NAME))
        own(os.path.join(server.box("bob"), NAME))
        client = self.client(server, login="bob")
        self.assertEqual("+OK 1 16", client.ok("STAT"))
        client.quit()
