"""What the program says about itself, and what it says to a command line that is wrong."""

import os
import re
import subprocess
import time

from support.case import TestCase
from support.server import ROOT, command, environment, run
from support.wire import GUARD, Client

SUBCOMMANDS = ("serve", "dev", "deliver", "passwd", "check")
USAGE = 64


class Usage(TestCase):
    def test_help_names_every_subcommand(self):
        done = run("--help")
        text = done.stdout.decode()
        self.assert_exit(done, 0)
        self.assertEqual(b"", done.stderr)
        for word in SUBCOMMANDS:
            self.assertRegex(text, rf"\b{word}\b")

    def test_version_is_one_line_with_a_number(self):
        done = run("--version")
        self.assert_exit(done, 0)
        self.assertRegex(done.stdout.decode(), r"\Apop3-emitter \d+\.\d+\.\d+[^\n]*\n\Z")

    def test_every_subcommand_has_a_help(self):
        for word in SUBCOMMANDS:
            with self.subTest(subcommand=word):
                done = run(word, "--help")
                self.assert_exit(done, 0)
                self.assertIn(f"pop3-emitter {word}", done.stdout.decode())
                self.assertEqual(b"", done.stderr)
                self.count()

    def test_help_of_serve_names_settings_and_defaults(self):
        text = run("serve", "--help").stdout.decode()
        for flag in ("--listen", "--maildir", "--passwd", "--user", "--idle-timeout",
                     "--max-connections", "--log-format", "-c"):
            self.assertIn(flag, text)
        self.assertIn("127.0.0.1:1110", text)

    def test_wrong_command_lines_are_usage_errors(self):
        cases = [
            ([], None),
            (["nonsense"], "nonsense"),
            (["--nonsense"], "--nonsense"),
            (["serve", "--nonsense"], "--nonsense"),
            (["serve", "stray"], "stray"),
            (["serve", "--listen"], "--listen"),
            (["serve", "--idle-timeout", "soon"], "idle-timeout"),
            (["serve", "--idle-timeout", "-1"], "idle-timeout"),
            (["serve", "--idle-timeout", "99999999999999999999"], "idle-timeout"),
            (["serve", "--listen", "nowhere"], "nowhere"),
            (["serve", "--listen", "127.0.0.1:65536"], "65536"),
            (["dev", "--user", "no-colon"], "--user"),
            (["dev", "--nonsense"], "--nonsense"),
            (["deliver"], None),
            (["deliver", "alice", "bob"], "bob"),
            (["passwd"], None),
            (["passwd", "nonsense", "alice"], "nonsense"),
            (["passwd", "add"], None),
            (["check", "--nonsense"], "--nonsense"),
        ]
        for words, named in cases:
            with self.subTest(words=words):
                done = run(*words)
                text = self.assert_exit(done, USAGE)
                self.assertEqual(b"", done.stdout, "a complaint belongs to stderr")
                if named:
                    self.assertIn(named, text)
                self.count()

    def test_secret_on_the_command_line_is_a_usage_error(self):
        path = self.temporary() + "/passwd"
        done = run("passwd", "-f", path, "add", "alice", "wonderland", stdin=b"other\n")
        text = self.assert_exit(done, USAGE)
        self.assertNotIn("wonderland", text)

    def test_make_help_names_targets_that_exist(self):
        done = subprocess.run(["make", "-s", "-C", ROOT, "help"], capture_output=True, text=True,
                              check=True)
        targets = re.findall(r"(?m)^  ([a-z-]+) {2}", done.stdout)
        for target in ("all", "check", "fuzz", "lint", "bench", "install", "clean"):
            self.assertIn(target, targets)
        for target in targets:
            made = subprocess.run(["make", "-n", "-C", ROOT, target], capture_output=True,
                                  check=False)
            self.assertEqual(0, made.returncode, target)
            self.count()

    def test_closed_standard_streams_are_never_taken_by_a_socket_or_a_file(self):
        path = self.temporary() + "/socket"
        server = subprocess.Popen(
            ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh",
             *command("dev", "--ephemeral", "--debug", "--listen", "unix:" + path)],
            env=environment(), cwd="/")
        self.addCleanup(server.wait)
        self.addCleanup(server.terminate)
        end = time.monotonic() + GUARD
        while not os.path.exists(path) and time.monotonic() < end:
            time.sleep(0.02)
        client = Client(path)
        self.addCleanup(client.close)
        client.multiline("CAPA")
        for number in range(3):
            self.assertEqual("/", os.readlink(f"/proc/{server.pid}/fd/{number}"))
            self.count()

    def test_closed_stdin_delivers_nothing(self):
        folder = self.temporary()
        done = subprocess.run(
            ["sh", "-c", 'exec "$@" <&-', "sh",
             *command("deliver", "--any-user", "--maildir", folder, "alice")],
            env=environment(), capture_output=True, check=False)
        self.assert_exit(done, 75)
        self.assertEqual([], [name for _, _, names in os.walk(folder) for name in names])
