"""The log: one line a session in logfmt or JSON, and never an octet of a password."""

import json
import re
import subprocess

from support.case import TestCase
from support.server import command, environment, parse_ready
from support.wire import Client

FIELDS = {"session", "event", "user", "peer", "messages", "octets", "deleted", "reason", "milliseconds"}
SECRET = "Tr0ub4dor-x9"
WRONG = "Wr0ng-One-77"


def logfmt(line):
    """The fields of a logfmt line, quotes removed."""
    pairs = re.findall(r'([a-z_]+)=("(?:[^"\\]|\\.)*"|[^ ]*)', line)
    return {name: value.strip('"') for name, value in pairs}


class Log(TestCase):
    def session_line(self, server, pattern="closed"):
        match = self.assert_log(rf"^.*\b{pattern}\b.*$", server)
        line = match.group()
        return json.loads(line) if line.startswith("{") else logfmt(line)

    def talk(self, server):
        """Two messages fetched, one deleted: 17 + 18 octets."""
        server.plant([b"Subject: a\n\na\n", b"Subject: b\n\nbb\n"])
        client = self.client(server, login="alice")
        client.multiline("RETR 1")
        client.multiline("RETR 2")
        client.ok("DELE 1")
        client.quit()
        return client

    def assert_session(self, fields):
        self.assertLessEqual(FIELDS, set(fields))
        self.assertEqual(("closed", "alice", "quit"),
                         (fields["event"], fields["user"], fields["reason"]))
        self.assertEqual((2, 35, 1), tuple(int(fields[name])
                                           for name in ("messages", "octets", "deleted")))
        self.assertGreaterEqual(int(fields["milliseconds"]), 0)
        self.assertRegex(fields["peer"], r"^127\.0\.0\.1:\d+$")
        self.assertGreater(int(fields["session"]), 0)

    def test_session_is_one_logfmt_line(self):
        server = self.server()
        self.talk(server)
        self.assert_session(self.session_line(server))
        lines = [line for line in server.log_lines() if "closed" in line]
        self.assertEqual(1, len(lines))
        self.assertRegex(lines[0], r'^session=\d+ .*event=closed user="alice" peer=')

    def test_session_is_one_json_line_and_every_line_parses(self):
        server = self.server("--log-format", "json")
        self.talk(server)
        self.assert_session(self.session_line(server))
        server.stop()
        for line in server.log_lines():
            self.assertIsInstance(json.loads(line), dict)
            self.count()

    def test_dropped_session_has_its_reason(self):
        server = self.server()
        self.client(server, login="alice").close()
        self.assertEqual("dropped", self.session_line(server)["reason"])

    def test_idle_session_has_its_reason(self):
        server = self.server("--idle-timeout", "1")
        client = self.client(server, login="alice")
        self.assertEqual(b"", client.rest(), "an idle timeout sends nothing")
        self.assertEqual("timeout", self.session_line(server)["reason"])

    def test_no_octet_of_a_password_reaches_the_log(self):
        for form in ("logfmt", "json"):
            with self.subTest(form=form):
                server = self.server("--debug", "yes", "--log-level", "debug", "--log-format",
                                     form, users={"alice": SECRET})
                server.expect_log("authentication|denied|failed|AUTH")
                client = self.client(server)
                client.ok("USER alice")
                self.assertTrue(client.command(f"PASS {WRONG}").startswith("-ERR [AUTH]"))
                client.ok("USER alice")
                client.ok(f"pass {SECRET}")
                client.command(f"PASS {SECRET}")
                client.command(f"APOP alice {SECRET}")
                client.command(f"AUTH PLAIN {SECRET}")
                client.quit()
                self.assert_log("closed", server)
                server.stop()
                text = server.log_text()
                self.assertIn("USER", text, "debug shows the protocol")
                for secret in (SECRET, WRONG):
                    for part in (secret, secret[:6], secret[-6:]):
                        self.assertNotIn(part, text)
                self.count()

    def test_client_cannot_forge_a_line_or_a_field(self):
        server = self.server("--debug", "yes", "--log-level", "debug")
        server.expect_log("authentication|denied|failed")
        client = self.client(server)
        client.command('USER x" event=forged user="root')
        client.ok('USER x"event=forged"user="root')
        client.command("PASS y")
        client.send(b"USER \x1b[31m\x85event=forged\r\n")
        client.line()
        client.quit()
        self.assert_log("event=closed", server)
        for line in server.log_lines():
            self.assertNotEqual("forged", logfmt(line).get("event"), line)
            self.assertRegex(line, r"^[ -~]*$", "control octets in the log")

    def test_session_numbers_are_never_used_twice(self):
        server = self.server()
        for _ in range(5):
            self.client(server, login="alice").quit()
        self.wait_until(lambda: sum("closed" in line for line in server.log_lines()) == 5)
        numbers = [int(logfmt(line)["session"]) for line in server.log_lines() if "closed" in line]
        self.assertEqual(5, len(set(numbers)))

    def test_log_that_nobody_reads_does_not_stop_the_server(self):
        server = subprocess.Popen(
            command("dev", "--ephemeral", "--debug"), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(), cwd="/")
        self.addCleanup(server.communicate)
        self.addCleanup(server.terminate)
        client = Client(parse_ready(server.stdout.readline().decode().strip()))
        self.addCleanup(client.close)
        for _ in range(1000):  # some 400 KB of log: six times what a pipe holds
            client.multiline("CAPA")
            self.count()
        server.stderr.read1(1 << 20)
        client.multiline("CAPA")
        text = b""
        while b"log_lost" not in text:
            text += server.stderr.read1(1 << 16)
        self.assertRegex(text.decode(), r"(?m)^level=warning event=log_lost lines=\d{3,}$")
