"""`pop3-emitter dev`: a mail drop for development, and for the test suites of others."""

import json
import os
import signal
import subprocess
import sys

from support import messages
from support.case import TestCase
from support.server import ROOT, command, environment, own
from support.wire import GUARD, Client


class Dev(TestCase):
    def test_any_user_and_password_get_a_mailbox_on_demand(self):
        folder = self.temporary()
        server = self.dev(folder)
        self.assertEqual("127.0.0.1", server.host)
        for user, secret in (("alice", "x"), ("bob", "anything at all"), ("carol@example.org", "")):
            with self.subTest(user=user):
                client = self.client(server)
                client.ok("USER " + user)
                client.ok("PASS " + (secret or "-"))
                self.assertEqual("+OK 0 0", client.ok("STAT"))
                self.assertEqual("+OK bye", client.quit())
                self.count()

    def test_mail_put_into_the_folder_is_served_and_deleted(self):
        folder = self.temporary()
        server = self.dev(folder)
        box = messages.make_maildir(os.path.join(folder, "alice"))
        messages.plant(box, [b"Subject: a\n\na\n"])
        own(os.path.join(folder, "alice"))
        client = self.client(server)
        client.login("alice", "x")
        self.assertEqual("+OK 1 17", client.ok("STAT"))
        client.ok("DELE 1")
        self.assertEqual("+OK bye", client.quit())
        self.assertEqual([], messages.files(box))

    def test_user_option_admits_those_users_alone(self):
        server = self.dev(self.temporary(), "--user", "alice:wonder:land", "--user", "bob:builder")
        server.expect_log("authentication|denied|failed")
        for user, secret, good in (("alice", "wonder:land", True), ("bob", "builder", True),
                                   ("alice", "wonder", False), ("carol", "builder", False),
                                   ("bob", "Builder", False)):
            with self.subTest(user=user, secret=secret):
                client = self.client(server)
                client.ok("USER " + user)
                self.assertEqual(good, client.command("PASS " + secret).startswith("+OK"))
                client.quit()
                self.count()

    def test_path_like_names_make_nothing_outside_the_folder(self):
        parent = self.temporary()
        folder = os.path.join(parent, "drop")
        os.mkdir(folder)
        own(folder)
        server = self.dev(folder)
        server.expect_log(".")
        for user in ("../escaped", "..", ".", "/tmp/escaped", "a/b", "", ".hidden"):
            with self.subTest(user=user):
                client = self.client(server)
                if client.command("USER " + user).startswith("+OK"):
                    self.assertTrue(client.command("PASS x").startswith("-ERR"))
                client.quit()
                self.count()
        self.assertEqual(["drop"], os.listdir(parent))
        self.assertEqual([], os.listdir(folder))

    def test_json_ready_line_has_address_port_and_folder(self):
        folder = self.temporary()
        server = self.dev(folder, "--json")
        ready = json.loads(server.ready[0])
        self.assertEqual({"event": "listening", "protocol": "pop3", "address": "127.0.0.1",
                          "port": ready["port"], "maildir": folder}, ready)
        with Client(("127.0.0.1", ready["port"])) as client:
            client.login("alice", "x")
            client.quit()

    def test_listen_option_chooses_the_address(self):
        server = self.dev(self.temporary(), "--listen", "[::1]:0")
        self.assertEqual("::1", server.host)
        self.client(server).quit()

    def test_ephemeral_folder_is_gone_at_the_end(self):
        server = self.dev("--ephemeral", "--json")
        folder = json.loads(server.ready[0])["maildir"]
        self.assertTrue(os.path.isdir(folder))
        messages.plant(messages.make_maildir(os.path.join(folder, "alice")), [b"a\n"])
        own(os.path.join(folder, "alice"))
        client = self.client(server)
        client.login("alice", "x")
        self.assertEqual("+OK 1 3", client.ok("STAT"))
        client.quit()
        server.stop()
        self.assertFalse(os.path.exists(folder))

    def test_folder_that_was_given_is_never_removed(self):
        folder = self.temporary()
        messages.plant(messages.make_maildir(os.path.join(folder, "alice")), [b"a\n"])
        # Either it refuses the combination, or it leaves the folder alone.
        done = subprocess.Popen(command("dev", folder, "--ephemeral", "--exit-with-stdin"),
                                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL, env=environment())
        self.assertIn(done.wait(GUARD), (0, 64))
        self.assertTrue(os.path.isdir(os.path.join(folder, "alice", "Maildir", "new")))

    def test_it_ends_at_the_end_of_stdin_when_asked(self):
        server = self.dev("--ephemeral", "--json", "--exit-with-stdin", stdin=subprocess.PIPE)
        folder = json.loads(server.ready[0])["maildir"]
        self.client(server).quit()
        self.assertIsNone(server.process.poll())
        server.process.stdin.close()
        self.assertEqual(0, server.wait())
        self.assertFalse(os.path.exists(folder))

    def test_it_does_not_end_at_the_end_of_stdin_unasked(self):
        server = self.dev("--ephemeral", stdin=subprocess.PIPE)
        server.process.stdin.close()
        for _ in range(3):
            self.client(server).quit()
        self.assertIsNone(server.process.poll())

    def test_it_ends_with_its_parent_when_asked(self):
        """The parent is a Python that is killed: no end of stdin, no signal from a terminal."""
        keep_stdin_open, other_end = os.pipe()
        self.addCleanup(os.close, other_end)
        script = ("import subprocess, sys\n"
                  "child = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE)\n"
                  "print(child.pid, child.stdout.readline().decode().strip(), flush=True)\n"
                  "child.wait()\n")
        with subprocess.Popen(
                [sys.executable, "-c", script,
                 *command("dev", "--ephemeral", "--json", "--exit-with-parent")],
                stdin=keep_stdin_open, stdout=subprocess.PIPE, env=environment()) as parent:
            os.close(keep_stdin_open)
            pid, ready = parent.stdout.readline().decode().split(" ", 1)
            folder = json.loads(ready)["maildir"]
            parent.kill()
            parent.wait(GUARD)
        try:
            self.wait_until(lambda: not alive(int(pid)), "it outlived its parent")
            self.wait_until(lambda: not os.path.exists(folder), "its folder is still there")
        finally:
            if alive(int(pid)):
                os.kill(int(pid), signal.SIGKILL)

    def test_many_starts_leave_nothing_behind(self):
        """Quick enough for a test suite that starts one for each test."""
        for _ in range(int(os.environ.get("POP3_DEV_STARTS", "10"))):
            server = self.dev("--ephemeral", "--json", "--exit-with-stdin", stdin=subprocess.PIPE)
            folder = json.loads(server.ready[0])["maildir"]
            server.process.stdin.close()
            self.assertEqual(0, server.wait())
            self.assertFalse(os.path.exists(folder))
            self.count()


class Readme(TestCase):
    def test_the_unittest_in_the_readme_passes(self):
        with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as file:
            blocks = file.read().split("```python\n")[1:]
        examples = [block.split("\n```")[0] for block in blocks if "unittest" in block]
        self.assertTrue(examples, "README.md has no Python unittest")
        for example in examples:
            folder = self.temporary()
            os.symlink(command("x")[-2], os.path.join(folder, "pop3-emitter"))
            path = os.path.join(folder, "test_readme_example.py")
            with open(path, "w", encoding="utf-8") as file:
                file.write(example + "\n")
            env = environment({"PATH": folder + ":" + os.environ["PATH"], "HOME": folder})
            done = subprocess.run([sys.executable, "-m", "unittest", "-v", "test_readme_example"],
                                  cwd=folder, env=env, capture_output=True, timeout=GUARD,
                                  check=False)
            self.assert_exit(done, 0, r"(?m)^Ran [1-9]\d* tests?", r"(?m)^OK$")
            self.assertLessEqual(len(example.splitlines()), 40)
            self.count()


def alive(pid):
    """Is there such a process that has not ended? A zombie has ended."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
