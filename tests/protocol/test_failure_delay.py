"""The "no" to a failed login comes late, for all reasons alike, and holds up nobody else."""

import time

from support.case import TestCase

DENIED = "-ERR [AUTH] authentication failed"


class FailureDelay(TestCase):
    def failures(self, server):
        """Seconds until the answer to a wrong password, and to a user who does not exist."""
        for user in ("alice", "nobody-of-this-name"):
            client = self.client(server)
            client.ok(f"USER {user}")
            begin = time.monotonic()
            self.assertEqual(DENIED, client.command("PASS wrong"))
            self.assert_log(rf'event=login .*user="{user}".*result=denied', server)
            self.count()
            yield time.monotonic() - begin

    def test_failed_login_is_answered_late_whatever_the_reason(self):
        server = self.server("--failure-delay", "1", "--limits-on-loopback", "yes")
        for seconds in self.failures(server):
            self.assertGreater(seconds, 0.9)

    def test_right_password_is_not_delayed_by_wrong_ones(self):
        server = self.server("--failure-delay", "2", "--limits-on-loopback", "yes")
        wrong = self.client(server)
        wrong.ok("USER alice")
        wrong.send(b"PASS wrong\r\n")
        self.client(server, login="alice").quit()
        wrong_answer_is_there = True
        wrong.socket.setblocking(False)
        try:
            wrong.socket.recv(1)
        except BlockingIOError:
            wrong_answer_is_there = False
        wrong.socket.setblocking(True)
        self.assertFalse(wrong_answer_is_there)
        self.assertEqual(DENIED.encode(), wrong.line())
        self.assert_log(r"event=login .*result=denied", server)

    def test_loopback_is_not_delayed_unasked(self):
        server = self.server("--failure-delay", "30")
        for seconds in self.failures(server):
            self.assertLess(seconds, 15)
