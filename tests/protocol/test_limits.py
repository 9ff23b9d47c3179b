"""Deadlines, limits of connections, and what happens when descriptors run out. Times are short and
only bounded from below, or by a guard against hanging."""

import os
import select
import shutil
import socket
import time
import unittest.mock

import script
from support import messages
from support.case import TestCase
from support.wire import Client, Gone, connect

ONE = script.STORE["one"]
INSIDE = b"+OK POP3 server ready\r\n+OK send PASS\r\n+OK maildrop ready\r\n"
SLOW = "$6$rounds=9000000$saltsaltsaltsalt$" + "." * 86  # seconds of work for one check


class Deadlines(TestCase):
    def test_login_deadline_closes_with_nothing_sent(self):
        server = self.server("--login-timeout", "1")
        silent = self.client(server)
        talking = self.client(server)
        begin = time.monotonic()
        self.assertEqual(silent.rest(), b"")
        self.assertGreater(time.monotonic() - begin, 0.5)
        # The deadline is for the login in all: commands do not move it.
        try:
            for _ in range(600):
                talking.command("CAPA")
                talking.body()
                time.sleep(0.1)
            self.fail("the login deadline never came")
        except (Gone, OSError):
            pass
        self.assert_log(r"event=closed\b.*reason=timeout", server)

    def test_idle_timer_closes_with_nothing_sent_and_nothing_deleted(self):
        # RFC 1939 section 3: no UPDATE state, no response.
        server = self.server("--idle-timeout", "1")
        server.plant([ONE, ONE])
        client = self.client(server, login="alice")
        client.ok("DELE 1")
        begin = time.monotonic()
        self.assertEqual(client.rest(), b"")
        self.assertGreater(time.monotonic() - begin, 0.5)
        self.assertEqual(len(messages.files(server.box())), 2)
        self.assert_log(r"event=closed\b.*reason=timeout", server)
        again = self.client(server, login="alice")
        self.assertEqual(again.ok("STAT"), "+OK 2 56")

    def test_any_command_resets_the_idle_timer(self):
        server = self.server("--idle-timeout", "3")
        client = self.client(server, login="alice")
        begin = time.monotonic()
        number = 0
        while time.monotonic() - begin < 5:
            # One that is refused is a command too.
            client.command(("NOOP", "RETR 7", "XYZZY")[number % 3])
            number += 1
            time.sleep(0.3)
        self.assertEqual(client.quit(), "+OK bye")

    def test_octets_without_a_line_end_do_not_reset_the_idle_timer(self):
        server = self.server("--idle-timeout", "1")
        client = self.client(server, login="alice")
        for _ in range(300):
            try:
                client.send("N")
            except OSError:
                break
            if select.select([client.socket], [], [], 0.1)[0]:
                break
        else:
            self.fail("half a line keeps the session alive")
        self.assertEqual(client.rest(), b"")
        self.assert_log(r"event=closed\b.*reason=timeout", server)

    def test_client_that_takes_nothing_is_closed_and_deletes_nothing(self):
        server = self.server("--write-timeout", "1")
        server.plant([b"Subject: long\n\n" + b"x" * (30 << 20), ONE])
        client = self.client(server, login="alice")
        client.ok("DELE 2")
        client.send("RETR 1\r\nQUIT\r\n")
        self.assert_log(r"event=closed\b.*reason=timeout", server)
        self.assertEqual(len(messages.files(server.box())), 2)

    def test_client_that_reads_slowly_but_all_the_time_is_not_cut_off(self):
        # By default a socket is writable again only when a third of its megabytes is free.
        server = self.server("--write-timeout", "1")
        server.plant([b"Subject: long\n\n" + (b"z" * 70 + b"\n") * 200000])
        client = self.client(server, login="alice")
        client.send(b"RETR 1\r\n")
        taken = 0
        while taken < 7_000_000:
            octets = client.socket.recv(8192)
            self.assertGreater(len(octets), 0, f"cut off after {taken} octets")
            taken += len(octets)
            time.sleep(0.01)

    def test_idle_timer_rests_while_a_reply_is_under_way(self):
        server = self.server("--idle-timeout", "1")
        text = b"Subject: long\n\n" + b"x" * (16 << 20)
        server.plant([text])
        client = self.client(server, login="alice")
        client.send("RETR 1\r\n")
        begin = time.monotonic()
        taken = 0
        while time.monotonic() - begin < 3:
            while len(client.pending) < taken and client.receive():
                pass
            taken += 1 << 19
            time.sleep(0.3)
        self.assertEqual(client.line(), b"+OK %d octets" % (len(text) + 4))
        self.assertEqual(len(client.body()), len(text) + 4)
        self.assertEqual(client.quit(), "+OK bye")

    def test_answer_that_comes_too_late_is_a_temporary_failure(self):
        server = self.server("--answer-timeout", "1")
        server.expect_log(r"event=(login|error)\b")
        server.write_passwd(f"alice:{SLOW}\nbob:{{PLAIN}}builder::::{server.home('bob')}::\n")
        client = self.client(server)
        client.ok("USER alice")
        client.send("PASS wonderland\r\n")
        # The others do not wait for it.
        self.client(server, login="bob").quit()
        self.assertEqual(client.line(), b"-ERR [SYS/TEMP] try again later")
        # What a second login in this session did could not be told from the first.
        self.assertEqual(client.rest(), b"")


class Counts(TestCase):
    def admitted(self, client):
        """None: no answer yet. True: greeted. False: refused."""
        if not client.pending and not select.select([client.socket], [], [], 0)[0]:
            return None
        try:
            return client.line().startswith(b"+OK")
        except (Gone, OSError):
            return False

    def check_limit(self, server, limit):
        """More connections than the limit are not served, and a place that is free is."""
        server.expect_log(r"event=(refused|closed|limit|connections)\b")
        inside = [self.client(server) for _ in range(limit)]
        outside = self.client(server, greet=False)
        for _ in range(20):
            for client in inside:
                client.command("CAPA")
                client.body()
        self.assertIsNot(self.admitted(outside), True, "a connection above the limit is served")
        outside.close()
        inside.pop().quit()
        self.wait_until(lambda: self.try_once(server), "a free place is not given")
        for client in inside:
            self.assertEqual(client.quit(), "+OK bye")

    def try_once(self, server):
        with Client(server.address, greet=False) as client:
            select.select([client.socket], [], [], 1)
            return self.admitted(client) is True

    def test_connections_in_total_are_limited(self):
        self.check_limit(self.server("--max-connections", "4"), 4)

    def test_connections_of_an_address_are_limited_on_loopback_if_asked(self):
        self.check_limit(self.server("--max-connections-per-address", "3",
                                     "--limits-on-loopback", "yes"), 3)

    def test_loopback_has_no_limit_by_address_unasked(self):
        server = self.server("--max-connections-per-address", "3")
        clients = [self.client(server) for _ in range(20)]
        for client in clients:
            self.assertEqual(client.quit(), "+OK bye")
        self.count(len(clients))

    def test_sessions_of_a_user_are_limited(self):
        # Two names of one maildrop would be locked; one user is limited before the lock.
        server = self.server("--max-connections-per-user", "1")
        server.expect_log(r"event=login\b")
        first = self.client(server, login="alice")
        second = self.client(server)
        second.ok("USER alice")
        self.assertTrue(second.command("PASS wonderland").startswith("-ERR [IN-USE]"))
        self.client(server, login="bob").quit()
        first.quit()
        second.ok("USER alice")
        self.assertEqual(second.command("PASS wonderland"), "+OK maildrop ready")
        second.quit()


class Descriptors(TestCase):
    def cpu(self, server):
        """Seconds of processor time so far."""
        with open(f"/proc/{server.pid}/stat", encoding="ascii") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def starved(self, limit):
        """A server that can have so many descriptors at most."""
        self.assertTrue(shutil.which("prlimit"), "prlimit (util-linux) is missing")
        wrapper = f"prlimit --nofile={limit}:{limit} " + os.environ.get("POP3_WRAPPER", "")
        with unittest.mock.patch.dict(os.environ, {"POP3_WRAPPER": wrapper}):
            return self.server(users={"alice": "wonderland"} | {
                f"user{i}": "secret" for i in range(80)})

    def test_server_without_descriptors_survives_without_a_busy_loop(self):
        server = self.starved(64)
        server.expect_log(r"level=(warning|error)")
        clients = []
        for number in range(80):
            clients.append(connect(server.address))
            self.addCleanup(clients[-1].close)
            clients[-1].sendall(b"USER user%d\r\nPASS secret\r\n" % number)
            time.sleep(0.05)
        inside = [sock for sock in clients if self.is_inside(sock)]
        self.assertGreater(len(inside), 10)
        self.assertLess(len(inside), 64)
        begin, used = time.monotonic(), self.cpu(server)
        time.sleep(2)
        used = self.cpu(server) - used
        self.assertLess(used, (time.monotonic() - begin) / 2, "busy while out of descriptors")
        # Those inside are still served, those outside come in when there is room.
        inside[0].sendall(b"QUIT\r\n")
        self.assertEqual(self.all_of(inside[0]), INSIDE + b"+OK bye\r\n")
        for sock in inside[1:]:
            sock.close()
        waiting = clients[-1]
        self.wait_until(lambda: self.is_met(waiting),
                        "who waited is neither served nor refused")
        for sock in clients:
            sock.close()
        self.wait_until(lambda: self.usable(server), "the server does not recover")

    @staticmethod
    def is_inside(sock):
        if not select.select([sock], [], [], 0.05)[0]:
            return False
        try:
            return sock.recv(len(INSIDE), socket.MSG_PEEK) == INSIDE
        except ConnectionResetError:
            return False

    @staticmethod
    def all_of(sock):
        data = b""
        while chunk := sock.recv(1000):
            data += chunk
        return data

    @staticmethod
    def is_met(sock):
        """Greeted, refused, or closed."""
        try:
            return bool(select.select([sock], [], [], 0)[0]) and sock.recv(
                3, socket.MSG_PEEK) in (b"", b"+OK", b"-ER")
        except OSError:
            return True

    @staticmethod
    def usable(server):
        """A whole session goes through, the maildrop's descriptors included."""
        try:
            with Client(server.address) as client:
                client.login()
                return client.quit() == "+OK bye"
        except (Gone, AssertionError, OSError):
            return False
