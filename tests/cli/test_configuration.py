"""Configuration: file, environment and flags from one table; messages that name file and line."""

import os
import socket
import subprocess

from support.case import TestCase
from support.server import Server, command, environment, own, run, unprivileged
from support.wire import GUARD, Client

CONFIG = 78
NOPERM = 77
UNAVAILABLE = 69


def as_user():
    account = unprivileged()
    return ["--user", account.pw_name] if account else []


class Configuration(TestCase):
    def refused(self, text, code, *patterns, name="config"):
        """serve with this configuration file does not start, and says why."""
        folder = self.temporary()
        path = os.path.join(folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        self.write_passwd(folder)
        done = run("serve", "-c", path, "--passwd", folder + "/passwd", "--maildir", folder,
                   "--listen", "127.0.0.1:0", *as_user())
        self.count()
        return self.assert_exit(done, code, *patterns)

    def write_passwd(self, folder, text="alice:{PLAIN}wonderland\n"):
        path = os.path.join(folder, "passwd")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        own(folder)
        return path

    def test_wrong_lines_are_named_by_file_and_line(self):
        cases = [
            ("nonsense = 1\n", 1, "nonsense"),
            ("# comment\n\nidle_timeout = soon\n", 3, "idle_timeout"),
            ("idle_timeout = -5\n", 1, "idle_timeout"),
            ("idle_timeout = 10x\n", 1, "idle_timeout"),
            ("max_connections = 99999999999999999999\n", 1, "max_connections"),
            ("apop = perhaps\n", 1, "apop"),
            ("log_format = xml\n", 1, "log_format"),
            ("debug = no\nlisten = nowhere\n", 2, "nowhere|listen"),
            ("debug = no\nthis line has no value\n", 2, ""),
            ("[section]\ndebug = no\n", 1, ""),
        ]
        for text, line, word in cases:
            with self.subTest(text=text):
                self.refused(text, CONFIG, rf"config:{line}\b", word)

    def test_every_problem_of_a_file_is_reported(self):
        text = self.refused("nonsense = 1\ndebug = no\napop = perhaps\n", CONFIG)
        self.assertRegex(text, r"config:1\b")
        self.assertRegex(text, r"config:3\b")

    def test_missing_and_unreadable_files_are_named(self):
        folder = self.temporary()
        self.write_passwd(folder)
        for path in (folder + "/missing", folder, folder + "/passwd/below"):
            with self.subTest(path=path):
                done = run("serve", "-c", path, "--passwd", folder + "/passwd", *as_user())
                self.assert_exit(done, CONFIG, path)
                self.count()

    def test_binary_rubbish_is_refused(self):
        self.refused("\0\x01\x02\xff\n" * 50, CONFIG, r"config:1\b")

    def test_unknown_environment_variable_is_named(self):
        folder = self.temporary()
        passwd = self.write_passwd(folder)
        done = run("serve", "--passwd", passwd, "--maildir", folder, *as_user(),
                   env={"POP3_EMITTER_NONSENSE": "1"})
        self.assert_exit(done, CONFIG, "POP3_EMITTER_NONSENSE")

    def test_wrong_environment_value_is_named(self):
        folder = self.temporary()
        passwd = self.write_passwd(folder)
        done = run("serve", "--passwd", passwd, "--maildir", folder, *as_user(),
                   env={"POP3_EMITTER_IDLE_TIMEOUT": "soon"})
        self.assert_exit(done, CONFIG, "POP3_EMITTER_IDLE_TIMEOUT")

    def test_flag_beats_environment_beats_file(self):
        """Seen in the form of the session's log line."""
        file = "log_format = json\n"
        cases = [
            (file, {}, [], True),
            (file, {"POP3_EMITTER_LOG_FORMAT": "logfmt"}, [], False),
            (file, {"POP3_EMITTER_LOG_FORMAT": "logfmt"}, ["--log-format", "json"], True),
            ("", {"POP3_EMITTER_LOG_FORMAT": "json"}, [], True),
            ("", {"POP3_EMITTER_LOG_FORMAT": "json"}, ["--log-format=logfmt"], False),
            ("", {}, [], False),
        ]
        for config, env, flags, json in cases:
            with self.subTest(config=config, env=env, flags=flags):
                server = self.server(*flags, config=config, env=env)
                self.client(server, login="alice").quit()
                match = self.assert_log(r".*closed.*", server)
                self.assertEqual(json, match.group().startswith("{"))
                server.stop()
                self.count()

    def test_port_in_use_is_a_clear_message(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            folder = self.temporary()
            passwd = self.write_passwd(folder)
            done = run("serve", "--passwd", passwd, "--maildir", folder, *as_user(),
                       "--listen", f"127.0.0.1:{port}")
            self.assert_exit(done, UNAVAILABLE, rf"127\.0\.0\.1:{port}", "in use")

    def test_address_that_is_not_loopback_needs_allow_plaintext(self):
        folder = self.temporary()
        passwd = self.write_passwd(folder)
        done = run("serve", "--passwd", passwd, "--maildir", folder, *as_user(),
                   "--listen", "0.0.0.0:0")
        self.assert_exit(done, CONFIG, "allow_plaintext")
        server = self.server("--allow-plaintext", "yes", listen=("0.0.0.0:0",))
        with Client(("127.0.0.1", server.port)) as client:
            client.login()
            client.quit()

    def test_every_kind_of_address_is_served(self):
        path = os.path.join(self.temporary(), "socket")
        server = self.server(listen=("127.0.0.1:0", "[::1]:0", "unix:" + path))
        self.assertEqual(3, len(server.addresses), server.ready)
        self.assertEqual(path, server.addresses[2])
        for address in server.addresses:
            with Client(address) as client:
                client.login()
                self.assertEqual("+OK bye", client.quit())
                self.count()

    def test_wrong_passwd_files_are_named_by_file_and_line(self):
        cases = [
            ("# users\nalice\n", 2),
            ("alice:{PLAIN}a\nbob:{NOSUCH}secret\n", 2),
            ("alice:{PLAIN}a\n\n:{PLAIN}b\n", 3),
            ("alice:{PLAIN}a\nalice:{PLAIN}b\n", 2),
            ("alice:{PLAIN}a:notanumber\n", 1),
            ("alice:{PLAINa\n", 1),
            ("alice:{PLAIN}a::::relative/home::\n", 1),
        ]
        for text, line in cases:
            with self.subTest(text=text):
                folder = self.temporary()
                passwd = self.write_passwd(folder, text)
                done = run("serve", "--passwd", passwd, "--maildir", folder, *as_user(),
                           "--listen", "127.0.0.1:0")
                shown = self.assert_exit(done, CONFIG, rf"passwd:{line}\b")
                for harmless in ("the secret", "{SCHEME}secret"):
                    shown = shown.replace(harmless, "")
                self.assertNotIn("secret", shown)
                self.count()

    def test_missing_passwd_file_is_named(self):
        folder = self.temporary()
        done = run("serve", "--passwd", folder + "/none", "--maildir", folder, *as_user(),
                   "--listen", "127.0.0.1:0")
        self.assert_exit(done, CONFIG, folder + "/none")


class Root(TestCase):
    def setUp(self):
        if os.geteuid() != 0:
            self.skipTest("needs root")

    def test_started_as_root_it_drops_user_and_groups(self):
        server = self.server()
        account = unprivileged()
        self.assertEqual([str(account.pw_uid)] * 4, server.status("Uid"))
        self.assertEqual([str(account.pw_gid)] * 4, server.status("Gid"))
        self.assertNotIn("0", server.status("Groups"))
        self.assertEqual(0, int(server.status("CapEff")[0], 16))
        self.client(server, login="alice").quit()

    def test_binds_a_low_port_before_it_drops(self):
        # A free port below 1024, found by binding it.
        for port in range(1023, 900, -1):
            with socket.socket() as probe:
                try:
                    probe.bind(("127.0.0.1", port))
                    break
                except OSError:
                    continue
        server = self.server(listen=(f"127.0.0.1:{port}",))
        self.assertEqual(port, server.port)
        self.client(server, login="alice").quit()

    def test_refuses_to_serve_as_root(self):
        server = Server(self.temporary())
        for words in ([], ["--user", "root"], ["--user", "no-such-account"]):
            with self.subTest(words=words):
                done = run("serve", "--passwd", server.passwd_path, "--maildir", server.mail,
                           "--listen", "127.0.0.1:0", *words)
                self.assert_exit(done, CONFIG, "user|root")
                self.count()

    def test_normal_user_cannot_take_another_account(self):
        server = Server(self.temporary())
        account = unprivileged()
        done = subprocess.run(
            ["setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups",
             *command("serve", "--passwd", server.passwd_path, "--maildir", server.mail,
                      "--listen", "127.0.0.1:0", "--user", "daemon")],
            capture_output=True, env=environment(), timeout=GUARD, check=False)
        self.assert_exit(done, NOPERM, "daemon")
