"""The program, with each of its allocations failing in turn: it says so and gives up with a code of
sysexits(3), or goes on; it never crashes, and neither users nor mail are harmed."""

import os
import signal
import subprocess

from support import messages
from support.case import TestCase
from support.server import SANITIZER, Server, command, environment, own, unprivileged
from support.wire import GUARD, Client, Gone

DATAERR, OSERR, TEMPFAIL = 65, 71, 75
CRYPT = "$6$rounds=1000$saltsalt$" + "pQWBrsgA00L1zt0NV83o5Uy3u2ESn9flfn/e0RE60Qd3XQ98aH6gvroXwAN" \
    "v1Mme759YpleQlaVoQ6O/meimK1"
CONFIG = """listen = 127.0.0.1:0, [::1]:0
hostname = mail.example
idle_timeout = 300
"""
ALLOCATIONS_MAX = 2000  # more than any run has


class ProgramTest(TestCase):
    def setUp(self):
        self.folder = self.temporary()
        self.counted = os.path.join(self.folder, "count")
        with open(self.counted, "wb"):
            pass
        own(self.counted)

    def variables(self, number):
        return {"POP3_OOM_FAIL": str(number), "POP3_OOM_COUNT": self.counted}

    def allocations(self):
        with open(self.counted, encoding="ascii") as file:
            return int(file.read())

    def each(self, run):
        """run(0), where nothing fails, then run(1), run(2), … until there is nothing to fail."""
        run(0)
        for number in range(1, ALLOCATIONS_MAX):
            with self.subTest(allocation=number):
                run(number)
            if self.allocations() < number:
                return
            self.count()
        self.fail("there is no end to it")

    def run_one(self, number, *arguments, stdin=b"", codes=(0, OSERR, TEMPFAIL)):
        """The exit code; what fails must be said, and must be no crash."""
        done = subprocess.run(command(*arguments), input=stdin, capture_output=True, check=False,
                              env=environment(self.variables(number)), timeout=GUARD)
        text = done.stderr.decode("utf-8", "replace")
        self.assertFalse(SANITIZER.search(text), text)
        self.assertIn(done.returncode, codes if number else (0,), text)
        self.assertTrue(done.returncode == 0 or text, "it failed without a word")
        return done.returncode, done.stdout

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "wb") as file:
            file.write(text.encode())
        own(path)
        return path

    def users(self):
        home = os.path.join(self.folder, "alice")
        os.makedirs(home, exist_ok=True)
        own(home)
        return f"alice:{{CRYPT}}{CRYPT}::::{home}\n"

    def test_check_without_memory_says_so(self):
        passwd = self.write("passwd", self.users())
        config = self.write("config", CONFIG + f"passwd = {passwd}\nuser = {self.account()}\n")

        def run(number):
            # DATAERR: what it could not look at is one of the problems it lists.
            self.run_one(number, "check", "-c", config, codes=(0, DATAERR, OSERR))
        self.each(run)

    @staticmethod
    def account():
        account = unprivileged()
        return account.pw_name if account else os.environ.get("USER", "nobody")

    def test_passwd_without_memory_keeps_the_file(self):
        before = self.users()

        def run(number):
            path = self.write("passwd", before)
            code, _ = self.run_one(number, "passwd", "-f", path, "add", "bob", stdin=b"builder\n")
            with open(path, encoding="ascii") as file:
                after = file.read()
            self.assertTrue(after.startswith(before))
            self.assertEqual(after.count("\n"), 2 if code == 0 else 1)
            self.assertEqual(sorted(os.listdir(self.folder)), ["alice", "count", "passwd"])
        self.each(run)

    def test_deliver_without_memory_delivers_or_says_try_again(self):
        passwd = self.write("passwd", self.users())
        new = os.path.join(self.folder, "alice", "Maildir", "new")

        def count():
            return len(os.listdir(new)) if os.path.isdir(new) else 0

        def run(number):
            before = count()
            code, _ = self.run_one(number, "deliver", "--passwd", passwd, "--user",
                                   self.account(), "alice", stdin=b"Subject: Mail\n\nText\n")
            self.assertEqual(count() - before, 1 if code == 0 else 0)
        self.each(run)

    def session(self, server):
        """A whole session; what fails may pass."""
        try:
            with Client(server.address) as client:
                for line in ("USER alice", "PASS wonderland"):
                    status = client.command(line)
                    if not status.startswith("+OK"):
                        self.assertRegex(status, r"^-ERR \[SYS/TEMP\]")
                        return
                self.assertRegex(client.command("STAT"), r"^\+OK 1 20$|^-ERR \[SYS/TEMP\]")
                client.command("QUIT")
        except Gone:
            pass

    def test_serve_without_memory_gives_up_at_the_start_or_serves_on(self):
        server = Server(self.temporary(), users={"alice": "wonderland"})
        server.write_passwd(f"alice:{{CRYPT}}{CRYPT}::::{server.home()}\n")
        messages.plant(server.box(), [b"Subject: x\n\nbody\n"])
        own(server.mail)

        def run(number):
            server.env = self.variables(number)
            server.expect_log(r"level=(error|warning)")
            try:
                server.start()
                self.session(server)
                self.session(server)  # what failed in the first has passed
                server.signal(signal.SIGHUP)
                server.stop()
                self.assertEqual(server.problems(), [])
            except (AssertionError, ConnectionRefusedError):
                if number == 0 or server.wait() != OSERR:
                    raise
                server.process.stdout.close()
            self.assertFalse(SANITIZER.search(server.log_text()), server.log_text())
            with open(server.log_path, "wb"):
                pass
        self.each(run)
        self.assertEqual(sum(map(len, (os.listdir(os.path.join(server.box(), sub))
                                       for sub in ("new", "cur")))), 1)
