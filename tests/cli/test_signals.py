"""SIGTERM drains, SIGHUP reloads; and what a reload with a broken file leaves alone."""

import json
import signal
import socket

from support import messages
from support.case import TestCase
from support.wire import Client, Gone

BIG = b"Subject: big\n\n" + b"0123456789abcdef0123456789abcdef\n" * 400000  # 13 MB


class Drain(TestCase):
    def stalled(self, server):
        """A session whose client has asked for the big message and reads nothing yet: the
        message is larger than what the sockets' buffers hold."""
        client = self.client(server, login="alice", receive_buffer=65536)
        client.send(b"RETR 1\r\n")
        self.assertEqual(b"+OK %d octets" % len(messages.repaired(BIG)), client.line())
        return client

    def refuses_connections(self, server):
        try:
            socket.create_connection(server.address, timeout=1).close()
            return False
        except OSError:
            return True

    def test_sigterm_lets_a_transfer_finish(self):
        server = self.server("--drain-timeout", "120")
        server.plant([BIG])
        client = self.stalled(server)
        server.signal(signal.SIGTERM)
        self.wait_until(lambda: self.refuses_connections(server), "it still listens")
        self.assertIsNone(server.process.poll())
        self.assertTrue(client.body() == messages.stuffed(BIG), "the message was cut or changed")
        self.assertEqual(b"", client.rest())
        self.assertEqual(0, server.wait())
        self.assert_log(r"closed.*alice.*reason.{1,3}shutdown", server)

    def test_sigterm_ends_idle_sessions_and_deletes_nothing(self):
        server = self.server("--drain-timeout", "120")
        server.plant([b"Subject: a\n\na\n", b"Subject: b\n\nb\n"])
        before = messages.files(server.box())
        client = self.client(server, login="alice")
        client.ok("DELE 1")
        server.signal(signal.SIGTERM)
        client.rest()
        self.assertEqual(0, server.wait())
        self.assertEqual(before, messages.files(server.box()))

    def test_drain_time_bounds_a_client_that_never_reads(self):
        server = self.server("--drain-timeout", "1")
        server.plant([BIG])
        self.stalled(server)
        server.signal(signal.SIGTERM)
        self.assertEqual(0, server.wait())
        self.assert_log(r"closed.*alice.*reason.{1,3}shutdown", server)

    def test_sigterm_without_a_session_ends_at_once(self):
        server = self.server("--drain-timeout", "600")
        server.signal(signal.SIGTERM)
        self.assertEqual(0, server.wait())

    def test_sigint_ends_like_sigterm(self):
        server = self.server()
        server.signal(signal.SIGINT)
        self.assertEqual(0, server.wait())


class Reload(TestCase):
    def can_login(self, server, user, secret):
        with Client(server.address) as client:
            client.ok("USER " + user)
            answer = client.command("PASS " + secret)
            client.quit()
        return answer.startswith("+OK")

    def test_sighup_reads_the_users_again(self):
        server = self.server()
        server.users["carol"] = "christmas"
        server.expect_log("authentication|denied|failed")
        messages.make_maildir(server.home("carol"))
        self.assertFalse(self.can_login(server, "carol", "christmas-not"))
        server.write_passwd()
        server.signal(signal.SIGHUP)
        self.wait_until(lambda: self.can_login(server, "carol", "christmas"))
        self.assertTrue(self.can_login(server, "alice", "wonderland"))

    def test_changed_passwd_file_is_read_without_a_signal(self):
        server = self.server()
        server.expect_log("authentication|denied|failed")
        server.users["alice"] = "looking-glass"
        server.write_passwd()
        self.wait_until(lambda: self.can_login(server, "alice", "looking-glass"))
        self.assertFalse(self.can_login(server, "alice", "wonderland"))

    def test_broken_passwd_file_is_refused_and_the_old_users_stay(self):
        server = self.server()
        with open(server.passwd_path, encoding="utf-8") as file:
            text = file.read()
        server.write_passwd(text + "mallory:{NOSUCH}secret\n")
        server.signal(signal.SIGHUP)
        self.assert_log(r"passwd(:| line=)3\b", server)
        self.assertTrue(self.can_login(server, "alice", "wonderland"))
        self.assertNotIn("{NOSUCH}secret", server.log_text())
        server.write_passwd(text)
        self.assertTrue(self.can_login(server, "bob", "builder"))

    def test_sighup_reads_the_configuration_again(self):
        server = self.server(config="log_format = logfmt\n")
        self.client(server, login="alice").quit()
        line = self.assert_log(r"^session=.*event=closed.*", server).group()
        self.assertIn('user="alice"', line)
        server.write(server.config_path, "log_format = json\n")
        server.signal(signal.SIGHUP)

        def logs_json():
            self.client(server, login="bob").quit()
            return any(line.startswith("{") and json.loads(line).get("user") == "bob"
                       for line in server.log_lines())
        self.wait_until(logs_json)

    def test_broken_configuration_is_refused_and_the_old_one_stays(self):
        server = self.server(config="log_format = json\n")
        server.write(server.config_path, "log_format = logfmt\n\nnonsense = 1\n")
        server.signal(signal.SIGHUP)
        self.assert_log(r"config(:|\",\"line\":)3\b", server)
        self.client(server, login="alice").quit()
        self.assert_log(r"^\{.*closed.*alice", server)

    def test_session_survives_a_reload(self):
        server = self.server(config="")
        server.plant([b"Subject: a\n\na\n"])
        client = self.client(server, login="alice")
        server.write_passwd("bob:{PLAIN}builder::::" + server.home("bob") + "::\n")
        server.write(server.config_path, "idle_timeout = 300\n")
        server.signal(signal.SIGHUP)
        self.wait_until(lambda: self.can_login(server, "bob", "builder"))
        self.assertEqual("+OK 17 octets", client.ok("RETR 1"))
        client.body()
        self.assertEqual("+OK bye", client.quit())

    def test_many_reloads_leave_no_descriptor(self):
        server = self.server(config="idle_timeout = 300\n")
        self.client(server, login="alice").quit()
        with self.no_descriptor_leak(server):
            for _ in range(20):
                server.signal(signal.SIGHUP)
                try:
                    self.assertTrue(self.can_login(server, "alice", "wonderland"))
                except Gone:
                    self.fail("a reload ended a session")
                self.count()
